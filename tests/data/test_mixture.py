from dataclasses import replace

import pytest
import torch
from torch.utils.data import DataLoader

from chronomask.config import MixtureConfig, MotionConfig, published_motion
from chronomask.data.mixture import MOST_ATTEMPTS, ClipMixture
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import open_training_sources
from chronomask.errors import InputError
from data.files import NETWORK, box, small_set, textured, write_stills, write_videos

SMALL = MixtureConfig(length=4, height=40, width=56)
BUSY = replace(SMALL, hidden=0.5, camera=MotionConfig(perspective=0.1, blur=1.0), objects=published_motion())


def open_sources(folder):
    """Two stills and one video, half the clips each."""
    _, videos = small_set(folder)
    # The file of stills has its own folder of images; the videos' folder is beside both.
    images = [(textured(50, 70, seed), [(1, box(50, 70, 5, 5, 45, 30), {})]) for seed in range(2)]
    stills = write_stills(folder / "stills", images)
    return open_training_sources([f"{path},weight=0.5" for path in (stills, videos)], NETWORK)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return open_sources(tmp_path_factory.mktemp("set"))


def same(first, second):
    for name in ("frames", "masks", "class_ids", "ignore", "unknown"):
        assert torch.equal(getattr(first.clip, name), getattr(second.clip, name)), name
    assert first.clip.source == second.clip.source
    assert first.skipped == second.skipped


@pytest.mark.parametrize("config", [SMALL, BUSY], ids=["default", "busy"])
def test_clips_of_the_mixture_are_sound(sources, config):
    mixture = ClipMixture(sources, config, seed=0, clips=24)
    assert len(mixture) == 24
    kinds = set()
    for index in range(24):
        clip = mixture[index].clip
        count = len(clip.class_ids)
        assert clip.frames.shape == (4, 3, 40, 56)
        assert clip.masks.shape == (count, 4, 40, 56)
        assert clip.masks.sum(0).max() <= 1 if count else True
        assert clip.masks.flatten(1).any(1).all()
        assert ((clip.class_ids >= 0) & (clip.class_ids < 3)).all()
        kinds.add(clip.source.split(":")[0])
    assert kinds == {"stills.json", "videos.json"}


def test_a_clip_depends_on_seed_and_number_alone(sources):
    mixture = ClipMixture(sources, BUSY, seed=3, clips=6)
    expected = [mixture[index] for index in range(6)]
    again = ClipMixture(sources, BUSY, seed=3, clips=100)
    for index in (5, 2, 0):
        same(again[index], expected[index])
    other = ClipMixture(sources, BUSY, seed=4, clips=6)
    assert not torch.equal(other[0].clip.frames, expected[0].clip.frames)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on machines with one core
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_any_number_of_workers_gives_the_same_bytes_from_any_start(sources, workers):
    """A start in the middle is what a resumed run does."""
    mixture = ClipMixture(sources, BUSY, seed=3, clips=6)
    expected = [mixture[index] for index in range(6)]
    for start in (0, 2):
        loader = DataLoader(mixture, batch_size=2, sampler=range(start, 6), num_workers=workers, collate_fn=list)
        samples = [sample for batch in loader for sample in batch]
        for sample, clip in zip(samples, expected[start:], strict=True):
            same(sample, clip)


def frame_numbers(clip):
    return [int(number) for number in clip.source.split("frames [")[1].rstrip("]").split(",")]


def test_videos_shorter_than_a_clip_stand_still_at_their_end(sources):
    long = replace(SMALL, length=8, max_pastes=0)
    mixture = ClipMixture(sources[1:], long, seed=0, clips=8)
    clips = [mixture[index].clip for index in range(8)]
    assert all(clip.frames.shape[0] == 8 for clip in clips)
    forward = (0, 1, 2, 3, 4, 4, 4, 4)
    assert {tuple(frame_numbers(clip)) for clip in clips} == {forward, forward[::-1]}


def test_frames_are_evenly_spaced_in_either_direction(tmp_path):
    frames = [textured(40, 56, seed) for seed in range(20)]
    path = write_videos(tmp_path, [(frames, [(1, [box(40, 56, 5, 5, 30, 30)] * 20, {})])])
    plain = replace(SMALL, max_pastes=0)
    mixture = ClipMixture(open_training_sources([str(path)], NETWORK), plain, seed=0, clips=40)
    gaps = set()
    for index in range(40):
        gap = torch.tensor(frame_numbers(mixture[index].clip)).diff().unique().tolist()
        assert len(gap) == 1
        gaps.update(gap)
    assert gaps == {-4, -3, -2, -1, 1, 2, 3, 4}


def test_a_crop_keeps_an_instance_in_sight(tmp_path):
    small = [(textured(200, 300), [(1, box(200, 300, 10, 270, 30, 290), {})])]
    sources = open_training_sources([str(write_stills(tmp_path, small))], NETWORK)
    near = replace(SMALL, view=5.0, closeness=3.0, max_pastes=0, camera=MotionConfig(shift=0.1))
    mixture = ClipMixture(sources, near, seed=0, clips=20)
    assert all(len(mixture[index].clip.class_ids) == 1 for index in range(20))


def test_whole_frames_are_resized_within_both_limits(tmp_path):
    still = MotionConfig(shift=0.0, rotation=0.0, zoom=0.0, blur=0.0)
    whole = replace(SMALL, fit="resize", short_side=64, long_side=96, camera=still, max_pastes=0, colours=0.0)
    sizes = {(50, 70): (64, 90), (50, 100): (48, 96), (100, 50): (96, 48), (128, 128): (64, 64)}
    for number, ((height, width), expected) in enumerate(sizes.items()):
        mask = box(height, width, 10, 10, height - 10, width - 10)
        path = write_stills(tmp_path / str(number), [(textured(height, width), [(1, mask, {})])])
        clip = ClipMixture(open_training_sources([str(path)], NETWORK), whole, 0, 1)[0].clip
        assert clip.frames.shape[2:] == expected
        share = clip.masks.float().mean().item()
        assert share == pytest.approx(mask.mean(), abs=0.03)
        # At most the outermost pixels reach beyond the border.
        assert not clip.ignore[:, 1:-1, 1:-1].any()


def test_instances_beyond_the_most_are_ignored(sources):
    busy = replace(SMALL, max_pastes=6)
    for index in range(8):
        full = ClipMixture(sources, busy, seed=1, clips=8)[index].clip
        few = ClipMixture(sources, replace(busy, max_instances=2), seed=1, clips=8)[index].clip
        assert len(few.class_ids) == min(2, len(full.class_ids))
        areas = full.masks.flatten(1).sum(1).sort(descending=True).values
        assert few.masks.flatten(1).sum(1).tolist() == areas[:2].tolist()
        assert few.ignore.sum() >= areas[2:].sum()


def test_a_mixture_needs_something_to_mix(tmp_path, sources):
    with pytest.raises(InputError, match="no training data"):
        ClipMixture([], SMALL, 0, 1)

    class Empty:
        annotations = tmp_path / "videos.json"

        def __len__(self):
            return 0

    with pytest.raises(InputError, match=r"videos\.json: no images or videos"):
        ClipMixture([WeightedSource(Empty(), 1.0)], SMALL, 0, 1)


def test_shares_are_kept(sources):
    plain = replace(SMALL, max_pastes=0)
    mixture = ClipMixture([sources[0]._replace(weight=0.9), sources[1]._replace(weight=0.1)], plain, 0, 40)
    stills = sum(mixture[index].clip.source.startswith("stills") for index in range(40))
    assert 28 <= stills <= 40


def test_broken_entries_are_skipped_only_when_told_and_reported(tmp_path):
    sources = open_sources(tmp_path)
    (tmp_path / "stills" / "images" / "stills-0.png").write_bytes(b"no image")
    mixture = ClipMixture(sources, SMALL, seed=0, clips=12)
    with pytest.raises(InputError, match=r"stills-0\.png"):
        [mixture[index] for index in range(12)]
    tolerant = ClipMixture(sources, SMALL, seed=0, clips=12, skip_broken=True)
    samples = [tolerant[index] for index in range(12)]
    messages = [message for sample in samples for message in sample.skipped]
    assert messages
    assert all("stills-0.png" in message for message in messages)
    assert not any("stills-0.png" in sample.clip.source for sample in samples)
    for index in (7, 3):
        same(ClipMixture(sources, SMALL, seed=0, clips=12, skip_broken=True)[index], samples[index])


def test_nothing_but_broken_entries_is_an_error(tmp_path):
    sources = open_sources(tmp_path)
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(InputError, match=f"{MOST_ATTEMPTS} unreadable clips in a row"):
        ClipMixture(sources, SMALL, seed=0, clips=1, skip_broken=True)[0]


@pytest.mark.parametrize("field", [{"length": 0}, {"height": 0}, {"max_stride": 0}, {"view": 0.0}, {"max_pastes": -1}])
def test_mixtures_that_make_no_sense_are_refused(field):
    with pytest.raises(InputError, match=next(iter(field))):
        MixtureConfig(**field)
