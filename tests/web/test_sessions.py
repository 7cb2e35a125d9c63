"""Projects in memory: one object each, however many others are opened meanwhile."""

from chronomask.annotations.records import VideoEntry
from chronomask.categories import Category
from chronomask.formats.ytvis import write_tracks
from chronomask.web.limits import Limits
from chronomask.web.project import KEPT, Project, State
from chronomask.web.sessions import OPENED, Sessions


def test_a_project_that_a_job_holds_is_the_one_that_the_page_sees(tmp_path):
    sessions = Sessions(tmp_path, Limits())
    _, session = sessions.begun()
    ids = [Project.begun(session.new_folder(), State(f"video {n}")).id for n in range(OPENED + 3)]
    held = sessions.project(session, ids[0])
    for number in ids[1:]:
        sessions.project(session, number)
    assert held is not None
    held.change(run="run-1", length=7)
    assert sessions.project(session, ids[0]) is held
    states = sessions.states(session)
    assert sorted(state.name for state in states.values()) == [f"video {n}" for n in range(OPENED + 3)]
    assert states[ids[0]].length == 7
    del held
    sessions.remove_project(session, sessions.project(session, ids[0]))
    assert ids[0] not in sessions.states(session)


def test_few_stages_of_many_corrections_are_kept_and_all_can_be_taken_back(tmp_path):
    (tmp_path / "run-0").mkdir()
    video, dog = VideoEntry(1, "v", 8, 8, 2, 25.0, None), Category(1, "dog")
    write_tracks(tmp_path / "run-0" / "tracks.json", [video], [dog], [], {})
    opened = Project.begun(tmp_path, State("v", run="run-0"))
    for _ in range(KEPT + 20):
        opened.do(["add:dog"])
    assert len(opened.corrections.stages) == KEPT + 1
    for left in reversed(range(KEPT + 20)):
        opened.undo()
        assert len(opened.corrections.now.tracks) == left
    opened.undo()
    opened.redo()
    assert [track.id for track in opened.corrections.now.tracks] == [1]
