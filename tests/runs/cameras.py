"""What stands in for a camera."""

import threading

from segmenter.colour import Frames


class Camera(Frames):
    """Gives frames as fast as it is read, and counts them."""

    def __init__(self, images, error=None):
        super().__init__(images)
        self.height, self.width = images[0].shape[:2]
        self.error, self.read, self.finished = error, 0, threading.Event()

    def __iter__(self):
        try:
            for frame in super().__iter__():
                self.read += 1
                yield frame
            if self.error:
                raise self.error
        finally:
            self.finished.set()


class SilentCamera(Camera):
    """Gives its frames, and then none for a long time, without an end.

    Args:
        last_words: called when the silence begins.
    """

    def __init__(self, images, last_words=lambda: None):
        super().__init__(images)
        self.silence_over, self.last_words = threading.Event(), last_words

    def __iter__(self):
        yield from Frames.__iter__(self)
        self.last_words()
        self.silence_over.wait(60)
        self.finished.set()
