"""Every format against its own claims: what is written comes back equal, or its loss is named."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.tubes import Drawn, built, drawn_videos, outlined

from chronomask.formats.capabilities import FORMATS, Format
from chronomask.formats.convert import capabilities, read, write
from chronomask.formats.fit import fit
from chronomask.formats.tracks import TracksFile

DOCS = Path(__file__).parents[2] / "docs/formats.md"


def there_and_back(file: TracksFile, format: Format) -> tuple[TracksFile, tuple[str, ...]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("tracks.json" if format in ("youtube-vis", "coco") else "tracks")
        losses = write(file, path, format)
        return read(path, format), losses


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(drawn=st.lists(drawn_videos(), min_size=1, max_size=3), first_id=st.sampled_from([30, 200, 5000]))
def test_what_fits_comes_back_and_the_rest_is_named(format: Format, drawn: list[Drawn], first_id: int) -> None:
    file, able = built(drawn, first_id), capabilities(format)
    fitted = fit(file, able)
    assert bool(fitted.losses) == (fitted.file != file)
    if fitted.file.videos:
        back, losses = there_and_back(file, format)
        assert back == (fitted.file if able.exact_pixels else outlined(fitted.file))
        assert losses[: len(fitted.losses)] == fitted.losses
