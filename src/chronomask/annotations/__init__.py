"""Annotations: one reader of the json of YouTube-VIS and its relatives, and the records that it gives."""
