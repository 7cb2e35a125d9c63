import os
import sqlite3
import threading

import numpy as np
import pytest

from chronomask import rle
from chronomask.categories import Category
from chronomask.errors import InputError
from chronomask.results import CodedMasks, FrameResult, TrackInfo
from chronomask.runs.kept_spool import KeptSpool
from chronomask.runs.spool import Spool


def result(index, tracks, size=(12, 16)):
    """A frame whose tracks are squares; `tracks` maps id to the square's corner."""
    masks = []
    for corner in tracks.values():
        masks.append(np.zeros(size, bool))
        masks[-1][corner : corner + 3, corner : corner + 3] = True
    return frame_of(index, list(tracks), masks, size)


def frame_of(index, ids, masks, size):
    infos = tuple(TrackInfo(number, Category(1, "person"), 1.0, 1.0) for number in ids)
    return FrameResult(index, index / 25, infos, CodedMasks(tuple(rle.encode(mask) for mask in masks), size))


FRAMES = [result(0, {2: 0}), result(2, {}), result(4, {2: 1, 1: 5}), result(6, {1: 6})]


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path) as spool:
        for frame in FRAMES:
            spool.add(frame)
        yield spool


def test_frames_come_back_as_often_as_wanted(spool):
    for _ in range(2):
        for read, added in zip(spool, FRAMES, strict=True):
            assert (read.index, read.time) == (added.index, added.time)
            np.testing.assert_array_equal(read.track_ids, added.track_ids)
            np.testing.assert_array_equal(read.masks, added.masks)


def test_a_frame_with_some_of_its_tracks(spool):
    frame = spool.frame(2, {1, 7})
    assert (frame.index, frame.track_ids.tolist()) == (4, [1])
    np.testing.assert_array_equal(frame.masks, FRAMES[2].masks[1:])
    assert spool.frame(2, ()).masks.shape == (0, 12, 16)
    with pytest.raises(IndexError, match="frame 4 of 4"):
        spool.frame(4)


def test_a_frame_as_it_is_stored(spool):
    assert spool.coded(2).masks == {2: rle.encode(FRAMES[2].masks[0]), 1: rle.encode(FRAMES[2].masks[1])}
    assert list(spool.coded(2).masks) == [2, 1]
    frame = spool.coded(2, {1, 7})
    assert (frame.index, frame.time, list(frame.masks)) == (4, 4 / 25, [1])


def test_segmentations_have_one_entry_a_frame(spool):
    assert len(spool) == 4
    assert spool.track_ids() == (1, 2)
    assert spool.segmentations(1) == [None, None, rle.encode(FRAMES[2].masks[1]), rle.encode(FRAMES[3].masks[0])]
    assert [entry is not None for entry in spool.segmentations(2)] == [True, False, True, False]
    assert spool.segmentations(7) == [None] * 4


def test_file_is_gone_after_the_block(tmp_path):
    with Spool(tmp_path) as spool:
        spool.add(FRAMES[0])
        assert os.listdir(tmp_path)
    spool.close()
    assert not os.listdir(tmp_path)


def test_empty_spool():
    with Spool() as spool:
        assert len(spool) == 0
        assert list(spool) == []
        assert spool.track_ids() == ()
        assert spool.segmentations(1) == []


def test_refused_frames(spool):
    with pytest.raises(ValueError, match="frames before"):
        spool.add(result(8, {1: 0}, size=(16, 12)))
    assert len(list(spool)) == 4


def test_another_thread_may_read(spool):
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(spool))
    thread.start()
    thread.join()
    assert len(seen) == 4


def test_closing_while_another_thread_reads():
    """SQLite's own connection ends the process here, in one of a few tries."""
    for _ in range(20):
        spool, reading, errors = Spool(), threading.Event(), []
        spool.add(FRAMES[2])

        def read(spool=spool, reading=reading, errors=errors):
            try:
                while True:
                    spool[0]
                    reading.set()
            except Exception as error:
                errors.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        assert reading.wait(10)
        spool.close()
        thread.join(10)
        assert isinstance(errors[0], sqlite3.ProgrammingError)
        assert "closed database" in str(errors[0])


def test_adding_while_reading(spool):
    frames = iter(spool)
    next(frames)
    spool.add(result(8, {1: 0}))
    assert len(list(frames)) == 3
    assert len(spool) == 5


RUN = {"source": "a.mp4", "settings": {"overlap": 4}}


def test_a_kept_spool_holds_what_was_saved(tmp_path):
    path = tmp_path / "run.db"
    with KeptSpool(path, RUN) as spool:
        assert spool.snapshot is None
        for frame in FRAMES[:3]:
            spool.add(frame)
        spool.save(b"after three")
        spool.add(FRAMES[3])
        assert len(list(spool)) == 4
    with KeptSpool(path, RUN) as spool:
        assert spool.snapshot == b"after three"
        assert len(spool) == len(list(spool)) == 3
        assert spool.segmentations(1) == [None, None, rle.encode(FRAMES[2].masks[1])]
        with pytest.raises(ValueError, match="frames before"):
            spool.add(result(6, {1: 0}, size=(16, 12)))
        spool.add(FRAMES[3])
        spool.save(b"after four")
    with KeptSpool(path, RUN) as spool:
        assert spool.segmentations(1)[3] == rle.encode(FRAMES[3].masks[0])
    assert os.listdir(tmp_path) == ["run.db"]


def test_a_kept_spool_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.db"
    KeptSpool(path, RUN).close()
    with pytest.raises(InputError, match=r"run.db: the interrupted run had source 'a.mp4', this one has 'b.mp4'"):
        KeptSpool(path, {**RUN, "source": "b.mp4"})
    path.write_text("no database, but long enough to look like one " * 10)
    with pytest.raises(InputError, match="not usable as an interrupted run"):
        KeptSpool(path, RUN)


def test_no_byte_of_a_kept_spool_changes_unnoticed(tmp_path):
    path = tmp_path / "run.db"
    with KeptSpool(path, RUN) as spool:
        for frame in FRAMES:
            spool.add(frame)
        spool.save(b"after all of them")
        expected = [(frame.index, frame.time, frame.masks) for frame in map(spool.coded, range(len(FRAMES)))]
    whole, random, refused = path.read_bytes(), np.random.default_rng(0), 0
    for place in random.integers(0, len(whole), 150):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << int(random.integers(8))]) + whole[place + 1 :])
        try:
            with KeptSpool(path, RUN) as spool:
                found = [(frame.index, frame.time, frame.masks) for frame in map(spool.coded, range(len(spool)))]
                assert (found, spool.snapshot) == (expected, b"after all of them")
                assert spool.segmentations(1)[2] == expected[2][2][1]
        except InputError as error:
            assert "run.db: " in str(error)  # noqa: PT017  (most bytes of the file mean nothing)
            refused += 1
    assert refused > 5
    place = whole.index(expected[2][2][1]["counts"].encode())
    path.write_bytes(whole[: place + 1] + b"0" + whole[place + 2 :])
    with pytest.raises(InputError, match=r"run\.db: has changed since it was saved; start anew by --overwrite"):
        KeptSpool(path, RUN)


def test_what_cannot_be_opened_or_written_is_no_spool(tmp_path):
    folder, path = tmp_path / "folder.db", tmp_path / "spool.db"
    folder.mkdir()
    with pytest.raises(InputError, match=r"folder\.db: not usable as an interrupted run"):
        KeptSpool(folder, {})
    KeptSpool(path, {}).close()
    data = bytearray(path.read_bytes())
    data[18] = 9  # the version that a program must know to write into the file
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"spool\.db: not usable as an interrupted run"):
        KeptSpool(path, {})


def test_a_full_disk_is_named(spool):
    spool._database.execute("PRAGMA max_page_count = 1")  # as good as a disk without room
    many = frame_of(6, range(1, 193), np.eye(192, dtype=bool).reshape(192, 12, 16), (12, 16))
    with pytest.raises(OSError, match="no space left"):  # noqa: PT012  (there may be room for some)
        for _ in range(20):
            spool.add(many)
