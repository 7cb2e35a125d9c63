"""Projects in memory: one object each, however many others are opened meanwhile."""

from chronomask.web.limits import Limits
from chronomask.web.project import Project, State
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
