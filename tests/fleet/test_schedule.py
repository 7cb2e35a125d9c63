"""Who does what next, with workers that do nothing but report what they are told to."""

import errno
import sys
from collections import deque

import pytest

from chronomask.errors import InputError
from chronomask.fleet.cluster import ClusterWorkers
from chronomask.fleet.manifest import FOLDER, Manifest, Row, read_rows
from chronomask.fleet.schedule import Schedule, Standing
from chronomask.fleet.task import Job, Outcome, Task
from chronomask.fleet.workers import Report
from chronomask.segmenter.pieces import Piece


class Crew:
    """Workers whose tasks wait until somebody says what came of them."""

    def __init__(self, count):
        self.count, self.tasks = count, []

    def free(self):
        return self.count - len(self.tasks)

    def give(self, task):
        self.tasks.append(task)

    def reports(self, seconds):
        return []

    def end(self, task):
        self.tasks.remove(task)

    def close(self):
        self.tasks.clear()

    def ended(self, **outcome):
        """Of the task that was given first."""
        return Report(self.tasks.pop(0), outcome=Outcome(**outcome))


@pytest.fixture
def schedule(tmp_path):
    (tmp_path / FOLDER).mkdir()
    manifest = Manifest(tmp_path / FOLDER, {}, overwrite=False)
    rows = [Row(name, f"{name}.mp4", "") for name in "ab"]
    yield Schedule(manifest, Standing(2), deque(rows), 2, lambda *_: None)
    manifest.close()


CUT = (Piece(0, 0, 4), Piece(1, 4, None))


def test_pieces_go_before_other_videos_and_are_joined_in_the_end(schedule, tmp_path):
    crew = Crew(1)
    assert schedule.goes_on(crew)
    schedule.take(crew.ended(pieces=CUT, seconds=1.0, hash="h"))
    for piece in CUT:
        assert schedule.goes_on(crew)
        assert crew.tasks == [Task("a", "a.mp4", piece)]
        schedule.take(Report(crew.tasks[0], frames=7))
        schedule.take(crew.ended(seconds=2.0))
    assert schedule.standing.running == {"a": 14}
    schedule.goes_on(crew)
    assert crew.tasks == [Task("a", "a.mp4", join=CUT)]
    schedule.take(crew.ended(frames=30, tracks=2, seconds=0.5))
    assert (schedule.standing.done, schedule.standing.frames) == (1, 30)
    schedule.goes_on(crew)
    assert crew.tasks == [Task("b", "b.mp4")]
    schedule.take(crew.ended(error="bad"))
    assert not schedule.goes_on(crew)
    assert read_rows(tmp_path) == [
        Row("a", "a.mp4", "", "done", "h", 1, 5.5, 30, 2),
        Row("b", "b.mp4", "", "failed", attempts=1, error="bad"),
    ]


def test_a_piece_that_fails_for_good_ends_its_video_alone(schedule):
    crew = Crew(2)
    schedule.goes_on(crew)
    assert [task.name for task in crew.tasks] == ["a", "b"]
    schedule.take(crew.ended(pieces=CUT))
    schedule.goes_on(crew)
    schedule.take(crew.ended(frames=5))  # b
    schedule.goes_on(crew)
    assert [task.piece for task in crew.tasks] == list(CUT)
    schedule.take(crew.ended(error="lost", again=True))
    schedule.goes_on(crew)
    assert [task.piece for task in crew.tasks] == [CUT[1], CUT[0]]  # once more
    crew.tasks.reverse()
    schedule.take(crew.ended(error="lost", again=True))
    assert (schedule.standing.done, schedule.standing.failed) == (1, 1)
    schedule.take(crew.ended())  # the other piece comes too late
    assert not schedule.goes_on(crew)
    assert schedule.manifest.rows["a.mp4"].attempts == 2


def test_a_lost_video_is_tried_again_behind_the_others(schedule):
    crew = Crew(1)
    schedule.goes_on(crew)
    schedule.take(crew.ended(error="lost", again=True))
    schedule.goes_on(crew)
    assert crew.tasks[0].name == "b"
    schedule.take(crew.ended())
    schedule.goes_on(crew)
    assert crew.tasks[0].name == "a"


def test_who_is_silent_too_long_is_ended(schedule, monkeypatch):
    clock, crew = [0.0], Crew(2)
    monkeypatch.setattr("chronomask.fleet.schedule.time.monotonic", lambda: clock[0])
    schedule.stall = 10.0
    schedule.goes_on(crew)
    clock[0] = 100.0
    schedule.end_silent(crew)  # who has not begun yet opens the model
    assert len(crew.tasks) == 2
    for task in crew.tasks:
        schedule.take(Report(task))
    clock[0] = 108.0
    schedule.take(Report(crew.tasks[1]))  # a sign of life, though nothing has come on
    clock[0] = 110.5
    schedule.end_silent(crew)
    assert [task.name for task in crew.tasks] == ["b"]
    assert (schedule.standing.failed, schedule.manifest.rows["a.mp4"].state) == (1, "failed")
    clock[0] = 118.5
    schedule.end_silent(crew)
    assert not crew.tasks
    assert not schedule.goes_on(crew)
    schedule.end_silent(crew)


def test_a_full_disk_is_full_for_all(schedule):
    crew = Crew(1)
    schedule.goes_on(crew)
    with pytest.raises(OSError, match="no room") as raised:
        schedule.take(crew.ended(error="no room", full=True))
    assert raised.value.errno == errno.ENOSPC


def test_a_cluster_needs_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'chronomask\[cluster\]'"):
        ClusterWorkers(Job(tmp_path, dict), "auto", None, 1)
