"""What is supported. Whatever states more is refused in a sentence, before anything is made of it."""

MAX_SIDE = 2**15
"""Pixels of a frame's longest side. COCO's code counts the pixels of a mask with 32 bits."""

MAX_PIXELS = 2**27
"""Pixels of a frame or picture: four times a frame of 8K video, 0.4 GB as RGB."""

MAX_LENGTH = 10**7
"""Frames of a video: two days at 60 a second."""
