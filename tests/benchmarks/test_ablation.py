import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import ablation
import baseline
import pytest
import torch
from ablation import OWN, PAPER, SETTINGS, Scoring, Setting, cells, embedding_loss, initial_network, training
from baseline import FrameSegmenter

from chronomask.config import MixtureConfig
from chronomask.data.annotation_file import YtvisVideos
from chronomask.model.checkpoint import save_network
from data.files import NETWORK, small_set
from model.networks import tiny
from training.runs import MODEL, ThinBackbone, open_sources


@pytest.fixture
def small(monkeypatch):
    """The ablation of a small network, on small clips, without the bundled weights."""
    monkeypatch.setattr(ablation, "WHOLE", replace(MODEL, attention="both"))
    monkeypatch.setattr(ablation, "bundled_weights", lambda name: Path(name))
    monkeypatch.setattr(ablation, "load_network", lambda path: SimpleNamespace(backbone=ThinBackbone()))
    monkeypatch.setattr("chronomask.model.network.build_backbone", lambda *_: ThinBackbone())
    plain = ablation.training
    data = MixtureConfig(length=2, height=32, width=32, max_pastes=0)
    monkeypatch.setattr(ablation, "training", lambda *which: replace(plain(*which), data=data))


def test_settings_begin_with_equal_weights_wherever_they_have_one_in_common(small):
    whole = initial_network(Setting(), 0)
    for name, setting in SETTINGS.items():
        network = initial_network(setting, 0)
        assert network.config == replace(whole.config, **setting.network), name
        for ours, theirs in ((network.fpn, whole.fpn), (network.decoder, whole.decoder)):
            # Not of the whole state: another normalisation has no running means.
            assert_equal(dict(ours.named_parameters()), dict(theirs.named_parameters()))
        for mine, all_parts in zip(network.attention, whole.attention, strict=True):
            by_kind = {type(part): part for part in all_parts}
            for part in mine:
                if type(part) not in by_kind:
                    assert setting.network["attention"] in ("se", "non-local", "dual")
                    continue
                assert_equal(part.state_dict(), by_kind[type(part)].state_dict())
    assert not torch.equal(whole.fpn.lateral[0].weight, initial_network(Setting(), 1).fpn.lateral[0].weight)


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


def test_the_settings_are_those_of_the_paper():
    networks = [replace(tiny(), **setting.network) for setting in PAPER.values()]
    assert [config.attention for config in networks] == ["both", "none", "channel", "space-time", "both"]
    assert [sum(config.squeezes) > 0 for config in networks] == [False, True, True, True, True]
    assert len({json.dumps(asdict(training(setting, 9, 0))) for setting in PAPER.values()}) == 1


def test_every_setting_differs_from_the_model_in_what_it_names():
    plain = (asdict(ablation.WHOLE), asdict(training(Setting(), 300, 0)))
    for name, setting in OWN.items():
        changed = (asdict(replace(ablation.WHOLE, **setting.network)), asdict(training(setting, 300, 0)))
        assert changed != plain, name
    assert training(OWN["pull 0"], 300, 0).losses.pull == 0
    assert training(OWN["no copied objects"], 300, 0).data.max_pastes == 0
    assert training(OWN["clips of 4 frames, twice as many"], 300, 0).batch == 2 * training(Setting(), 300, 0).batch


def test_a_run_is_trained_and_scored_once(small, monkeypatch, tmp_path):
    scored = []
    monkeypatch.setattr(ablation, "clip_scores", lambda segmenter, folder: scored.append(folder) or {"AP": 0.5})
    monkeypatch.setattr(ablation, "segmenter", lambda *_: None)
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


def test_single_frames_have_a_tracker_of_their_own(small, monkeypatch, tmp_path):
    for room in (ablation, baseline):
        monkeypatch.setattr(room, "load", partial(room.load, engine="torch"))  # which needs no conversion
    weights = tmp_path / "model.safetensors"
    save_network(weights, initial_network(Setting(), 0), half=False)
    frames, clips = (ablation.segmenter(weights, ablation.SEGMENT, length) for length in (1, 8))
    assert isinstance(frames, FrameSegmenter)
    assert (frames.config.clip_length, frames.config.overlap, frames.config.cluster.minimum_pixels) == (1, 0, 3)
    assert not isinstance(clips, FrameSegmenter)
    assert clips.config == ablation.SEGMENT


def test_the_loss_is_taken_at_the_size_of_the_runs(small, tmp_path):
    (tmp_path / "instances.json").write_bytes(small_set(tmp_path)[1].read_bytes())
    clip = YtvisVideos(tmp_path / "instances.json", tmp_path / "JPEGImages", NETWORK, complete=True).load(0, range(5))
    half = replace(ablation.SEGMENT, short_side=32)
    with mock.patch("ablation.SEGMENT", half):
        small_clip = ablation.shrunk(clip, half)
        assert small_clip.frames.shape == (5, 3, 32, 44)
        assert small_clip.masks.shape == (1, 5, 32, 44)
        assert small_clip.masks.float().mean() == pytest.approx(float(clip.masks.float().mean()), abs=0.03)
        assert 0 < embedding_loss(initial_network(Setting(), 0), tmp_path) < 2


def test_cells_hold_the_mean_and_every_seed():
    figures = [dict.fromkeys(ablation.COLUMNS, value) for value in (0.25, 0.5)]
    assert cells(figures)[0] == "0.375 (0.250, 0.500)"
    assert cells(figures[:1])[0] == "0.250"
    assert cells([{}])[0] == "-"
