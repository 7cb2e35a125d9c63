import numpy as np
from figure import panel, row_of
from PIL import Image

from chronomask.categories import Category
from chronomask.config import SegmentConfig
from chronomask.engines.opening import torch_engine
from chronomask.outputs.frames import DecodedFrame
from chronomask.results import TrackInfo
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import Frame, open_source
from data.files import textured
from model.networks import network_of, tiny


def test_a_track_has_its_place_in_every_frame():
    tracks = [TrackInfo(number, Category(17, "cat"), 0.5, 0.9) for number in (7, 3)]
    image, mask = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), bool)
    mask[1, 2] = True
    for ids, place in (([3], 1), ([7], 0), ([9, 3], 1)):
        masks = np.stack([mask if number in (3, 7) else ~mask for number in ids])
        drawn = panel("v", Frame(5, 0.2, image), DecodedFrame(5, 0.2, np.array(ids), masks), tracks)
        assert drawn.masks[place].tolist() == mask.tolist()
        assert not drawn.masks[1 - place].any()
        assert drawn.labels == ["cat 90%", "cat 90%"]
        assert drawn.title == "v, frame 5"


def test_frames_are_evenly_spaced_from_first_to_last(tmp_path, monkeypatch):
    for number in range(5):
        Image.fromarray(textured(32, 48, number)).save(tmp_path / f"{number}.png")
    segmenter = Segmenter(torch_engine(network_of(tiny(channels=8)), 2), SegmentConfig(clip_length=2, overlap=1))
    titles = []
    monkeypatch.setattr("figure.draw_panel", lambda panel, width: titles.append(panel.title))
    row_of(segmenter, open_source(tmp_path), 3, 100)
    assert [title.split()[-1] for title in titles] == ["0", "2", "4"]
    assert len(row_of(segmenter, open_source(tmp_path), 9, 100)) == 5
