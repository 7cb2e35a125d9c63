"""Small films for tests, of any kind that FFmpeg can write."""

from fractions import Fraction

import av
import numpy as np

GREEN = (60, 255, 60)


def moving_square(frames, size=(64, 48)):
    """A green square in the upper left that moves to the right, over black; for tiny sizes all is green."""
    width, height = size
    images = [np.zeros((height, width, 3), np.uint8) for _ in range(frames)]
    for index, image in enumerate(images):
        if width < 8:
            image[:] = GREEN
        else:
            left = index % (width // 4)
            image[: height // 2, left : left + width // 2] = GREEN
    return images


def film(
    path, images, codec="libx264", pix_fmt="yuv420p", rate=25, times=None, sounds=(), container_options=None, **options
):
    """Writes a film.

    Args:
        times: of the frames in thousandths of a second; by default they follow each other at `rate`.
        sounds: codec of every sound track; each is a tone as long as the film.
        options: of the codec.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        tracks = [container.add_stream(sound, rate=48_000, layout="stereo") for sound in sounds]
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for track in tracks:
            _tone(container, track, len(images) / rate)
    return path


def _tone(container, track, seconds):
    wave = (np.sin(np.arange(int(seconds * 48_000)) * 0.06) * 8000).astype(np.int16)
    for start in range(0, len(wave) - 1023, 1024):
        sound = av.AudioFrame.from_ndarray(
            np.repeat(wave[start : start + 1024], 2)[None], format="s16", layout="stereo"
        )
        sound.sample_rate, sound.pts, sound.time_base = 48_000, start, Fraction(1, 48_000)
        container.mux(track.encode(sound))
    container.mux(track.encode(None))
