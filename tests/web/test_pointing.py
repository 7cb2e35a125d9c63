"""What the network says of a frame, and objects that a user points at."""

import base64

import numpy as np
import pytest

from chronomask import rle
from segmenter.colour import CATEGORIES, COLOURS, moving_objects

RED = (10, 30)
"""(x, y) of an object that stays."""


def test_a_frame_is_explained(found):
    client, project, _ = found
    told = client.json("POST", f"{project}/explain", {"frame": 9})
    assert told["frame"] == 9
    assert {one["name"] for one in told["instances"]} == {category.name for category in CATEGORIES}
    members = [told["layers"][f"member-{place}"] for place in range(3)]
    owners = np.frombuffer(base64.b64decode(told["owners"]["bytes"]), np.uint8).reshape(12, 16)
    truth = moving_objects(20)[9][2::4, 2::4]
    for place, one in enumerate(told["instances"]):
        colour = list(COLOURS.values())[[category.name for category in CATEGORIES].index(one["name"])]
        inside = (truth == colour).all(2)
        assert ((owners == place + 1) == inside).mean() > 0.95  # the film has lost some of its colours
        share = np.frombuffer(base64.b64decode(members[place]["bytes"]), np.uint8).reshape(12, 16)
        assert share[owners == place + 1].min() > 127
    assert client.status("POST", f"{project}/explain", {"frame": 20})[0] == 422
    assert client.status("POST", f"{project}/explain", {"frame": "1"})[0] == 400


@pytest.mark.parametrize("frame", [0, 11, 19])
def test_what_is_pointed_at_is_cut_out_at_once(found, frame):
    client, project, _ = found
    prompts = [{"x": RED[0], "y": RED[1], "frame": frame, "positive": True}]
    masks = client.json("POST", f"{project}/point", {"frame": frame, "prompts": prompts})["masks"]
    mask = rle.decode({"size": [48, 64], "counts": masks["1"]})
    truth = (moving_objects(20)[frame] == COLOURS["red"]).all(2)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9
    refused = client.status("POST", f"{project}/point", {"frame": frame, "prompts": [{"x": 1, "path": "/etc"}]})
    assert (refused[0], refused[1].startswith("point: ")) == (422, True)
    huge = {"frame": frame, "prompts": [{"x": 10**400, "y": 1}]}
    assert client.status("POST", f"{project}/point", huge)[0] in (400, 422)
    many = {"frame": frame, "prompts": prompts * 201}
    assert client.status("POST", f"{project}/point", many) == (400, "prompts: 201; at most 200 are taken")


def test_it_is_followed_as_a_step_that_can_be_undone(found):
    client, project, _ = found
    before = client.json("GET", project)
    box = {"left": 4, "top": 24, "right": 28, "bottom": 44, "frame": 7}
    assert client.status("POST", f"{project}/follow", {"prompts": []})[0] == 422
    assert client.status("POST", f"{project}/steps", {"step": ["file:points-0.json"]})[0] == 422
    client.json("POST", f"{project}/follow", {"prompts": [box]})
    assert [job["error"] for job in client.settled()["jobs"] if job["kind"] == "follow"] == [""]
    after = client.json("GET", project)
    new = after["tracks"][-1]
    assert (len(after["tracks"]), new["id"], new["spans"], after["undo"]) == (4, before["nextId"], [[0, 19]], "points")
    assert client.json("POST", f"{project}/undo")["tracks"] == before["tracks"]
    assert client.json("POST", f"{project}/redo")["tracks"] == after["tracks"]


def test_the_model_is_asked_for_names(found):
    client, project, _ = found
    for track in client.json("GET", project)["tracks"][:3]:
        names = client.json("POST", f"{project}/names", {"track": track["id"], "frame": 9})["names"]
        assert names[0]["name"] == track["name"]
        assert sorted(one["name"] for one in names) == ["cat", "dog", "person"]
        assert sum(one["probability"] for one in names) == pytest.approx(1, abs=1e-3)
    last = client.json("GET", project)["tracks"][2]  # is not seen in the first frames
    for track, frame, sentence in (
        (last["id"], 0, "it is too small here for the model to name it"),
        (77, 0, "track 77: there is none"),
        (1, 20, "frame 20: the video has 20, counted from 0"),
    ):
        asked = {"track": track, "frame": frame}
        assert client.status("POST", f"{project}/names", asked) == (422, sentence)
