"""From the pixel outputs of clips to tracks: NumPy alone, without threads or files.

`cluster` finds the tubes of one clip (section 4.5), `Stitcher` joins those of overlapping clips, `TrackMemory` takes
objects up again that were hidden, `TrackSummary` gives each track its name and scores. `Tracker` is all of it.
"""
