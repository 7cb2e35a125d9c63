from dataclasses import replace

import numpy as np
import pytest
import time_pays
import torch
from ablation import SETTINGS
from baseline import FrameSegmenter
from time_pays import NAMES, Scored, interval, recipe, rows, start, trackers

from chronomask.engines.opening import torch_engine
from model.networks import network_of, tiny
from training.runs import MODEL, ThinBackbone, thin_network


@pytest.fixture
def bundled(monkeypatch):
    """A small network in the place of the bundled one."""
    network = thin_network(replace(MODEL, attention="both"), seed=7)
    monkeypatch.setattr(time_pays, "load_network", lambda path: network)
    monkeypatch.setattr("chronomask.model.network.build_backbone", lambda *_: ThinBackbone())
    return network


def test_all_settings_begin_with_the_bundled_weights_but_for_squeezes_and_attention(bundled):
    theirs = bundled.state_dict()
    whole = start(SETTINGS[NAMES[0]], 0).state_dict()
    for name in NAMES:
        ours = start(SETTINGS[name], 0).state_dict()
        for key, values in ours.items():
            random = key.startswith(("squeeze.", "attention."))
            assert torch.equal(values, (whole if random else theirs)[key]), (name, key)
    assert not all(torch.equal(whole[key], theirs[key]) for key in whole if key.startswith("squeeze."))


def test_every_setting_sees_sixteen_frames_a_step():
    for name in NAMES:
        config = recipe(SETTINGS[name], 9, 0)
        assert config.batch * config.data.length == 16, name
        assert (config.steps, config.data.height, config.data.meeting) == (9, 192, 0.3)
    assert recipe(SETTINGS["frame by frame"], 9, 0).data.length == 1


def test_single_frames_have_ten_trackers():
    engine = torch_engine(network_of(tiny()), 1)
    assert list(trackers(8)) == ["clips"]
    made = [maker(engine) for maker in trackers(1).values()]
    assert len({(one.config.stitch.minimum_iou, one.config.stitch.memory_frames) for one in made}) == 10
    assert all(isinstance(one, FrameSegmenter) and one.config.clip_length == 1 for one in made)


def test_rows_have_means_of_the_seeds_and_the_distance_to_the_first():
    def scored(ap):
        return Scored(dict.fromkeys(time_pays.COLUMNS, ap), ap + np.linspace(-0.1, 0.1, 201))

    table = rows({"one": [scored(0.5), scored(0.3)], "two": [scored(0.5), scored(0.5)]})
    assert table[0] == ["one", *["40.0 (50.0, 30.0)"] * 4, ""]
    assert table[1][-1] == "+10.0 to +10.0"
    assert interval(np.linspace(-0.1, 0.1, 201)) == "-9.5 to +9.5"
