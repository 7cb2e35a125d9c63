"""Frames from video files, folders of images, cameras and streams; `VideoWriter` makes H.264 video of frames again.

Legend: H W pixels as displayed.
"""

from __future__ import annotations

from chronomask.video.ahead import ahead, behind, given_up
from chronomask.video.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES, open_frames
from chronomask.video.opening import Source, open_source
from chronomask.video.source import DEFAULT_FPS, Frame, Selection, VideoSource
from chronomask.video.writer import VideoWriter, check_video

__all__ = [
    "DEFAULT_FPS",
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Frame",
    "Selection",
    "Source",
    "VideoSource",
    "VideoWriter",
    "ahead",
    "behind",
    "check_video",
    "given_up",
    "open_frames",
    "open_source",
]
