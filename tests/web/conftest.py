"""One server and one video for all tests that leave them as they found them."""

import pytest
from tests.web.served import Client, serving

from films import film
from segmenter.colour import moving_objects

LENGTH = 20


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """Three coloured objects, with B-frames."""
    return film(tmp_path_factory.mktemp("films") / "colours.mp4", list(moving_objects(LENGTH)), bf="2")


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The port of a server, and its folder."""
    folder = tmp_path_factory.mktemp("sessions")
    with serving(folder) as port:
        yield port, folder


@pytest.fixture(scope="session")
def found(served, video):
    """A client, the path of its project, and the folder of that."""
    port, folder = served
    client = Client(port)
    project, session = client.upload(video)
    assert [(job["state"], job["error"]) for job in session["jobs"]] == [("done", "")] * 3
    (place,) = folder.glob(f"*/projects/{project}")
    return client, f"/api/projects/{project}", place
