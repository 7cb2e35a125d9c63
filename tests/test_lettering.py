import os

import matplotlib
import numpy as np
import pytest

from chronomask import lettering
from chronomask.lettering import plate

RED, WHITE = (200, 0, 0), (255, 255, 255)


@pytest.fixture
def fonts(monkeypatch):
    """Chooses the folders in whose `fonts` systems of free software look."""

    def choose(*folders):
        monkeypatch.setenv("XDG_DATA_HOME", os.devnull)
        monkeypatch.setenv("XDG_DATA_DIRS", ":".join(map(str, folders)) or os.devnull)
        lettering._font.cache_clear()

    yield choose
    lettering._font.cache_clear()


def drawn(text):
    return lettering._drawable(text, 12)[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("3 cat 0.87", "3 cat 0.87"),
        ("1 café", "1 cafe"),
        ("1 猫 0.5", r"1 \u732b 0.5"),
        ("1\ncat\t 2", "1 cat 2"),
        ("1 🐈", r"1 \U0001f408"),
    ],
)
def test_what_no_font_has_is_escaped(fonts, text, shown):
    fonts()
    assert drawn(text) == shown


def test_a_font_of_the_system_is_found(fonts, tmp_path):
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts/simsun.ttf").write_text("no font")
    fonts(tmp_path)
    assert drawn("1 кот") == r"1 \u043a\u043e\u0442"
    fonts(matplotlib.get_data_path())
    assert drawn("1 кот café") == "1 кот café"
    assert drawn("1 кот 猫") == r"1 кот \u732b", "the font with the most letters"
    assert lettering._drawable("1 cat", 12)[1].getname()[0] == "Aileron", "as on every machine"


def test_plates_are_as_large_as_their_text_asks():
    small, long = plate("1 cat", 10, 2, RED, WHITE), plate("1 catcat", 10, 2, RED, WHITE)
    height, width, _ = small.shape
    assert long.shape[0] == height
    assert long.shape[1] > width
    assert len(plate("gypqÅ", 10, 2, RED, WHITE)) == height
    large = plate("1 cat", 40, 8, RED, WHITE)
    assert large.shape[0] == pytest.approx(4 * height, abs=4)
    assert large.shape[1] == pytest.approx(4 * width, rel=0.1)
    for image in (small, large):
        assert (image[0] == RED).all()
        assert (image[:, [0, -1]] == RED).all()
        assert (image > 180).all(2).any()
    assert plate("", 10, 2, RED, WHITE).shape == (height, 4, 3)
    assert not np.array_equal(plate("1 cat", 10, 2, RED, (0, 0, 0)), small)
