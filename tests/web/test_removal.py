"""What is removed, and when."""

import os
import time

from tests.web.served import Client, files_below, serving

from chronomask.web.limits import Limits
from chronomask.web.project import Project, State
from chronomask.web.sessions import Sessions


def test_a_project_is_removed_with_all_its_files(tmp_path):
    with serving(tmp_path) as port:
        client = Client(port)
        session = Sessions(tmp_path, Limits()).of(next(v for k, v in client.cookies.items() if "session" in k))
        project = Project.begun(session.new_folder(), State("holiday"))
        assert [one["name"] for one in client.json("GET", "/api/session")["projects"]] == ["holiday"]
        client.json("DELETE", f"/api/projects/{project.id}")
        assert client.json("GET", "/api/session")["projects"] == []
    assert [name for name in files_below(tmp_path) if not name.endswith("used")] == []


def test_old_sessions_are_cleaned_away(tmp_path):
    with serving(tmp_path, Limits(keep_days=1.0)) as port:
        client = Client(port)
        client.json("GET", "/api/session")
    (session,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    (session / "projects" / "0123456789abcdef").mkdir()
    with serving(tmp_path, Limits(keep_days=1.0)):
        assert session.exists()
        assert list((session / "projects").iterdir()) == []  # what a killed server left of an upload
    long_ago = time.time() - 2 * 86400
    os.utime(session / "used", (long_ago, long_ago))
    with serving(tmp_path, Limits(keep_days=1.0)):
        for _ in range(100):
            if not session.exists():
                break
            time.sleep(0.02)
    assert not session.exists()
