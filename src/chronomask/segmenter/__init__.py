"""The one streaming path: a `Segmenter` holds an engine and a tracker, and works in threads."""
