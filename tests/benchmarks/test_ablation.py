import json
from dataclasses import replace
from unittest import mock

import ablation
import pytest
import torch
from ablation import SETTINGS, Scoring, cells, embedding_loss, initial_network

from chronomask.config import MixtureConfig
from chronomask.data.ytvis import YtvisVideos
from data.files import NETWORK, small_set
from model.networks import tiny
from training.runs import MODEL, ThinBackbone, open_sources


@pytest.fixture
def small(monkeypatch):
    """The ablation of a small network, on small clips, without ImageNet."""
    monkeypatch.setattr(ablation, "WHOLE", replace(MODEL, attention="both"))
    monkeypatch.setattr(ablation, "load_imagenet", lambda network: None)
    monkeypatch.setattr("chronomask.model.network.build_backbone", lambda *_: ThinBackbone())
    plain = ablation.training
    data = MixtureConfig(length=2, height=32, width=32, max_pastes=0)
    monkeypatch.setattr(ablation, "training", lambda steps, seed: replace(plain(steps, seed), data=data))


def test_settings_begin_with_equal_weights_wherever_they_have_one_in_common(small):
    whole = initial_network({}, 0)
    for name, changes in SETTINGS.items():
        network = initial_network(changes, 0)
        assert network.config == replace(whole.config, **changes), name
        for ours, theirs in ((network.fpn, whole.fpn), (network.decoder, whole.decoder)):
            assert_equal(ours.state_dict(), theirs.state_dict())
        for mine, all_parts in zip(network.attention, whole.attention, strict=True):
            by_kind = {type(part): part for part in all_parts}
            for part in mine:
                assert_equal(part.state_dict(), by_kind[type(part)].state_dict())
    assert not torch.equal(whole.fpn.lateral[0].weight, initial_network({}, 1).fpn.lateral[0].weight)


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


def test_the_settings_are_those_of_the_paper():
    networks = [initial_config(changes) for changes in SETTINGS.values()]
    assert [config.attention for config in networks] == ["both", "none", "channel", "space-time", "both"]
    assert [sum(config.squeezes) > 0 for config in networks] == [False, True, True, True, True]


def initial_config(changes):
    return replace(tiny(), **changes)


def test_a_run_is_trained_and_scored_once(small, monkeypatch, tmp_path):
    scored = []
    monkeypatch.setattr(
        ablation, "clip_scores", lambda segmenter, weights, folder: scored.append(folder) or {"AP": 0.5}
    )
    monkeypatch.setattr(ablation, "embedding_loss", lambda network, folder: 1.0)
    monkeypatch.setattr(ablation, "video_means", lambda segmenter, annotations, videos: {"union": 0.25})
    sources = open_sources(tmp_path / "data")
    scoring = Scoring(tmp_path / "clips", tmp_path / "davis.json", ["boat"])
    found = ablation.run("attention none", 0, sources, 4, scoring, tmp_path)
    assert found["AP"] == 0.5
    assert found["union"] == 0.25
    written = (tmp_path / "attention none-0" / "log.csv").read_bytes()
    assert ablation.run("attention none", 0, sources, 4, scoring, tmp_path) == found
    assert (tmp_path / "attention none-0" / "log.csv").read_bytes() == written
    assert len(scored) == 1
    ablation.run("attention none", 0, sources, 4, replace(scoring, videos=["hike"]), tmp_path)
    assert len(scored) == 2
    assert json.loads((tmp_path / "attention none-0" / "scores.json").read_text())["scored_on"]["videos"] == ["hike"]


def test_the_loss_is_taken_at_the_size_of_the_runs(small, tmp_path):
    (tmp_path / "instances.json").write_bytes(small_set(tmp_path)[1].read_bytes())
    clip = YtvisVideos(tmp_path / "instances.json", tmp_path / "JPEGImages", NETWORK, complete=True).load(0, range(5))
    half = replace(ablation.SEGMENT, short_side=32)
    with mock.patch("ablation.SEGMENT", half):
        small_clip = ablation.shrunk(clip)
        assert small_clip.frames.shape == (5, 3, 32, 44)
        assert small_clip.masks.shape == (1, 5, 32, 44)
        assert small_clip.masks.float().mean() == pytest.approx(float(clip.masks.float().mean()), abs=0.03)
        assert 0 < embedding_loss(initial_network({}, 0), tmp_path) < 2


def test_cells_hold_the_mean_and_every_seed():
    figures = [dict.fromkeys(ablation.COLUMNS, value) for value in (0.25, 0.5)]
    assert cells(figures)[0] == "0.375 (0.250, 0.500)"
    assert cells(figures[:1])[0] == "0.250"
