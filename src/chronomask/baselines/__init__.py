"""The systems that Table 1 of the paper compares with, and what they need: detections in, tracks out.

`detections` has the one type of what a detector finds in a frame, `sources` where it comes from. Trackers over it
are `IouTracker` (IoUTracker+), `DeepSort`, `SeqTracker`, `MaskTrack` (the association of MaskTrack R-CNN) and
`OsmnTracker`; `propagation` carries masks from the first frame on (OSMN MaskProp, FEELVOS). None of it is published
code.
"""
