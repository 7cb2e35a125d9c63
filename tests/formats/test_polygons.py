import sys

import numpy as np
import pytest

from chronomask.errors import InputError
from chronomask.formats.polygons import outlines


def test_without_opencv_polygons_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"OpenCV: pip install opencv-python-headless"):
        outlines(np.ones((4, 4), bool))
