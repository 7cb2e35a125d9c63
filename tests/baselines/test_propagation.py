"""OSMN and FEELVOS: shapes, learning, gradients, checkpoints, and whole videos."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.clips import HEIGHT, SIDE, WIDTH, batch_of, film, thin_backbone
from chronomask import rle
from chronomask.baselines.detections import Detection
from chronomask.baselines.propagation.feelvos import (
    Feelvos,
    against_the_best_other,
    nearest,
    within,
)
from chronomask.baselines.propagation.follow import OsmnConfig, matched, propagated
from chronomask.baselines.propagation.network import PropagationConfig, load_propagation
from chronomask.baselines.propagation.osmn import GUIDE, Osmn, cut_out, place_of
from chronomask.errors import InputError
from chronomask.model.checkpoint import save_network

KINDS = [Osmn, Feelvos]
SIZE = (HEIGHT // 4, WIDTH // 4)


def network_of(kind, seed=0):
    torch.manual_seed(seed)
    return kind(PropagationConfig(channels=16), thin_backbone())


def trained(kind, batches, rate=4e-3):
    """A network that saw batches, one a step, and its losses."""
    network = network_of(kind)
    network.freeze_backbone()
    network.train()
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=rate)
    losses = []
    for step, batch in enumerate(batches):
        torch.manual_seed(step)
        loss = network(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return network.eval(), losses


@torch.no_grad()
def loss_of(network, batch):
    torch.manual_seed(0)
    return network(batch)["loss"].item()


@pytest.mark.parametrize("kind", KINDS)
def test_shapes(kind):
    network, clip = network_of(kind).eval(), film()
    with torch.no_grad():
        levels = network.encoded(clip.frames[:1])
        masks = batch_of(clip).targets[0].masks[:, 0]
        likely = network.step(network.begun(clip.frames[0], levels, masks), levels, masks)
    assert likely.shape == (2, *SIZE)
    assert 0 <= float(likely.min()) <= float(likely.max()) <= 1
    assert not ((likely > 0.5).sum(0) > 1).any()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_everything_but_the_frozen_backbone(kind):
    network = network_of(kind)
    network.freeze_backbone()
    network.train()
    network(batch_of(film(), film(seed=1)))["loss"].backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    wanted = {name for name, _ in network.named_parameters() if not name.startswith("backbone.")}
    # The pyramid's coarse levels have no way to an embedding at stride 8 and a head at stride 4 but from above.
    idle = {f"fpn.output.{k}.{end}" for k in (2, 3) for end in ("weight", "bias")} if kind is Feelvos else set()
    assert reached == wanted - idle


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_without_objects_costs_nothing(kind):
    network = network_of(kind)
    loss = network(batch_of(film(objects=0)))["loss"]
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_at_whose_end_nothing_is_known_costs_nothing(kind):
    """Its objects have left, and of what else there is nobody says whether it is one."""
    clip, other, network = film(), film(seed=1), network_of(kind).eval()
    masks, unknown = clip.masks.clone(), clip.unknown.clone()
    masks[:, 2], unknown[2] = False, True
    empty = replace(clip, masks=masks, unknown=unknown)
    assert loss_of(network, batch_of(other, empty)) == loss_of(network, batch_of(other)) > 0


@pytest.mark.network
@pytest.mark.parametrize("kind", KINDS)
def test_one_clip_is_learned_by_heart(kind):
    clip = film(step=1)
    network, losses = trained(kind, [batch_of(clip)] * 50)
    assert losses[-1] < 0.3 * losses[0]
    tracks, truth = carried(network, clip)
    for track, mask in zip(tracks, truth, strict=True):
        assert rle.iou([track.detections[2].mask], [rle.encode(mask)])[0, 0] > 0.5


@pytest.mark.network
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learned_holds_for_other_clips(kind):
    held_out = batch_of(*(film(seed=k) for k in range(1000, 1004)))
    network, _ = trained(kind, (batch_of(film(seed=k), film(seed=500 + k)) for k in range(40)))
    assert loss_of(network, held_out) < 0.75 * loss_of(network_of(kind), held_out)


def shown_first(clip, frame=0):
    masks = [rle.encode(mask.numpy()) for mask in clip.masks[:, frame]]
    return [Detection.of(mask, 0.5 + 0.1 * number, number) for number, mask in enumerate(masks)]


def carried(network, clip):
    images = clip.frames.permute(0, 2, 3, 1).numpy()
    return propagated(network, images, {0: shown_first(clip)}), clip.masks[:, -1].numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_the_same_when_it_is_loaded(kind, tmp_path):
    network, clip = network_of(kind).eval(), film()
    path = tmp_path / "n.safetensors"
    full = kind(PropagationConfig(backbone="resnet18", channels=8)).eval()
    save_network(path, full, half=False)
    loaded = load_propagation(path, kind)
    assert loaded.config == full.config
    with torch.no_grad():
        levels, others = full.encoded(clip.frames), loaded.encoded(clip.frames)
    for level, other in zip(levels, others, strict=True):
        torch.testing.assert_close(level, other)
    other_kind = Feelvos if kind is Osmn else Osmn
    with pytest.raises(InputError, match=r"n\.safetensors: not a checkpoint of kind"):
        load_propagation(path, other_kind)
    assert network.config.channels == 16


def test_objects_begin_where_they_are_shown_and_keep_their_names():
    clip, network = film(length=4), network_of(Feelvos).eval()
    first, second = shown_first(clip), shown_first(clip, 2)
    images = clip.frames.permute(0, 2, 3, 1).numpy()
    tracks = propagated(network, images, {0: first[:1], 2: second[1:]})
    assert [min(track.detections) for track in tracks] == [0, 2]
    assert [track.category_id for track in tracks] == [0, 1]
    assert tracks[1].detections[2] is second[1]


class Still(Osmn):
    """Expects everything where it was."""

    def step(self, state, levels, masks):
        return masks.float()


def test_a_track_gets_the_detection_where_it_is_expected():
    clip = film(length=4, step=2)
    images = clip.frames.permute(0, 2, 3, 1).numpy()
    frames = [shown_first(clip, t)[:: (-1) ** t] for t in range(4)]
    still = Still(PropagationConfig(channels=4), thin_backbone()).eval()
    tracks = matched(still, images, frames)
    assert sorted(len(track.detections) for track in tracks) == [4, 4]
    assert all(len({found.category_id for found in track.detections.values()}) == 1 for track in tracks)
    frames[1] = []
    assert len(matched(still, images, frames)) == 2
    frames[2] = []
    assert len(matched(still, images, frames, OsmnConfig(memory=2))) == 4


def test_the_guide_of_a_place_is_a_gaussian_of_its_pixels():
    mask = torch.zeros(20, 30, dtype=torch.bool)
    mask[4:9, 10:21] = True
    guide = place_of(mask)
    assert divmod(int(guide.argmax()), 30) == (6, 15)
    assert float(guide.max()) == 1
    deviation = np.sqrt(np.mean((np.arange(11) - 5.0) ** 2))
    assert float(guide[6, 20]) == pytest.approx(np.exp(-((5 / deviation) ** 2) / 2))
    assert place_of(torch.zeros_like(mask)).sum() == 0
    assert (place_of(mask, disturbed=True) - guide).abs().max() > 0.01


def test_the_guide_of_a_look_shows_the_object_alone():
    clip = film(objects=1)
    picture = cut_out(clip.frames[0], batch_of(clip).targets[0].masks[0, 0])
    assert picture.shape == (3, GUIDE, GUIDE)
    red = (picture.float() - torch.tensor([220.0, 40, 40]).view(3, 1, 1)).abs().amax(0) < 30
    grey = (picture.float() - 127).abs().amax(0) < 10
    assert 0.5 < float(red.float().mean()) <= 1  # the square that holds it is hardly larger
    assert float((red | grey).float().mean()) > 0.85
    assert (cut_out(clip.frames[0], torch.zeros(SIZE, dtype=torch.bool)) == 127).all()


def test_distances_are_those_of_the_paper():
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(5, 3, 4, generator=generator) for _ in range(2))
    exact = torch.cdist(one.flatten(1).T.double(), other.flatten(1).T.double()) ** 2
    distances = (1 - 2 / (1 + exact.exp())).float()
    masks = torch.stack([torch.zeros(12, dtype=torch.bool), torch.arange(12) < 3])
    maps = nearest(one, other, masks)
    assert (maps[0] == 1).all()
    torch.testing.assert_close(maps[1], distances[:, :3].amin(1), atol=1e-4, rtol=1e-4)
    near = torch.arange(12)[:, None] == torch.arange(12)  # each pixel sees the one at its place
    expected = torch.where(masks[1], distances.diagonal(), 1.0)
    torch.testing.assert_close(nearest(one, other, masks, near)[1], expected, atol=1e-4, rtol=1e-4)


def test_local_matching_looks_only_nearby():
    near = within(10, 20, torch.device("cpu")).reshape(10, 20, 10, 20)
    y, x = torch.meshgrid(torch.arange(10), torch.arange(20), indexing="ij")
    torch.testing.assert_close(near[3, 5], ((y - 3).abs() <= 7) & ((x - 5).abs() <= 7))


def test_a_choice_exceeds_one_half_just_where_it_is_the_best():
    likely = torch.tensor([[0.5, 0.3, 0.2], [0.4, 0.3, 0.9]])[:, None]
    against = against_the_best_other(likely)
    assert ((against > 0.5) == torch.tensor([[True, False, False], [False, False, True]])[:, None]).all()
    assert SIDE
