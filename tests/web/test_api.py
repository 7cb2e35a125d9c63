"""From a video to corrected tracks, as the page does it."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from http.client import HTTPException

import numpy as np
from tests.web.served import CHILD, Client

from chronomask import rle
from chronomask.commands.page import web
from chronomask.formats.ytvis import read_tracks, write_tracks
from films import film


def test_a_video_becomes_tracks(found):
    client, project, _place = found
    shown = client.json("GET", project)
    assert (shown["width"], shown["height"], shown["length"], shown["plays"]) == (64, 48, 20, "source")
    assert [track["spans"] for track in shown["tracks"]] == [[[0, 19]], [[0, 19]], [[4, 16]]]
    assert {track["name"] for track in shown["tracks"]} == {"person", "cat", "dog"}
    status, headers, content = client.request("GET", f"{project}/pictures/{shown['tracks'][0]['picture']}")
    assert (status, headers["content-type"], content[:2]) == (200, "image/jpeg", b"\xff\xd8")


def test_masks_are_those_of_the_file(found):
    client, project, place = found
    tracks = read_tracks(place / "run-1" / "tracks.json").tracks
    answer = client.json("GET", f"{project}/masks?first=3&count=4")
    assert (answer["first"], len(answer["frames"])) == (3, 4)
    for frame, masks in enumerate(answer["frames"], 3):
        true = {str(track.id): mask["counts"] for track in tracks if (mask := track.segmentations[frame])}
        assert masks == true
    assert len(client.json("GET", f"{project}/masks?first=16&count=900")["frames"]) == 4
    assert client.status("GET", f"{project}/masks?first=-1&count=4")[0] == 400


def test_parts_of_the_video_are_served(found, video):
    client, project, _place = found
    whole = video.read_bytes()
    status, headers, content = client.request("GET", f"{project}/media/source", range="bytes=100-299")
    assert (status, headers["content-range"]) == (206, f"bytes 100-299/{len(whole)}")
    assert content == whole[100:300]
    assert client.status("GET", f"{project}/media/source", range=f"bytes={len(whole)}-")[0] == 416
    table = np.frombuffer(client.request("GET", f"{project}/times/source")[2], "<f8").reshape(2, -1)
    np.testing.assert_allclose(table[0], np.arange(20) / 25, atol=1e-6)
    np.testing.assert_allclose(table[1, :-1], (np.arange(19) + 0.5) / 25, atol=1e-6)


def test_every_correction_is_saved_undone_and_done_again(found):
    client, project, _place = found
    before = client.json("GET", project)
    first, second, third = (track["id"] for track in before["tracks"])
    square = np.zeros((48, 64), bool)
    square[5:9, 6:12] = True
    steps = [
        [f"relabel:{first}=dog"],
        ["class:robot", f"relabel:{second}=robot"],
        [f"split:{first}@6"],
        [f"swap:{first}+{second}@3"],
        [f"merge:{second}+{third}"],
        [f"paint:{first}@2={rle.encode(square)['counts']}"],
        ["add:cat"],
        [f"delete:{second}"],
    ]
    states = [before]
    for step in steps:
        states.append(client.json("POST", f"{project}/steps", {"step": step}))
        assert states[-1]["undo"].partition("=")[0] == step[-1].partition("=")[0]
    masks = client.json("GET", f"{project}/masks?first=2&count=1")["frames"][0]
    assert masks[str(first)] == rle.encode(square)["counts"]
    assert client.status("POST", f"{project}/steps", {"step": [f"delete:{second}"]}) == (
        422,
        f"delete:{second}: there is no track {second}; the file's are "
        + ", ".join(str(track["id"]) for track in states[-1]["tracks"]),
    )
    for state in reversed(states[:-1]):
        assert client.json("POST", f"{project}/undo")["tracks"] == state["tracks"]
    assert client.json("POST", f"{project}/undo")["undo"] is None
    for state in states[1:]:
        assert client.json("POST", f"{project}/redo")["tracks"] == state["tracks"]
    for _ in steps:
        client.json("POST", f"{project}/undo")


def test_corrected_tracks_are_exported(found, tmp_path):
    client, project, _place = found
    shown = client.json("GET", project)
    ids = [track["id"] for track in shown["tracks"]]
    client.json("POST", f"{project}/steps", {"step": [f"delete:{ids[0]}"]})
    for choice in (
        {"picture": "x"},
        {"background": "/etc/passwd"},
        {"feather": "wide"},
        {"masks": "jpg"},
        {"csv": True},
    ):
        status, sentence = client.status("POST", f"{project}/export", {"choice": choice, "tracks": ids})
        assert (status, sentence.startswith("choice: ")) == (422, True)
    client.json("POST", f"{project}/export", {"choice": {"overlay": False, "masks": "png"}, "tracks": ids[:2]})
    job = next(job for job in reversed(client.settled()["jobs"]) if job["kind"] == "draw")
    assert [file["name"] for file in job["result"]["files"]] == ["tracks.json", "masks.zip"]
    _, _, content = client.request("GET", f"{project}/export/tracks.json")
    (tmp_path / "tracks.json").write_bytes(content)
    file = read_tracks(tmp_path / "tracks.json")
    assert [track.id for track in file.tracks] == [ids[1]]
    assert file.info["edits"] == [f"delete:{ids[0]}"]
    assert client.status("GET", f"{project}/export/..%2fproject.json")[0] == 404
    client.json("POST", f"{project}/undo")
    _status, headers, content = client.request("GET", f"{project}/tracks.json")
    assert len(json.loads(content)["annotations"]) == 3
    assert "colours-tracks.json" in headers["content-disposition"]


def test_tracks_are_scored_against_the_truth(found, tmp_path):
    client, project, place = found
    file = read_tracks(place / "run-1" / "tracks.json")
    write_tracks(tmp_path / "truth.json", file.videos, file.categories, file.tracks[:2], {})
    ids = [track.id for track in file.tracks[:2]]
    assert client.status("POST", f"{project}/score", {"tracks": ids})[1].startswith("ground truth: give a file")
    truth = (tmp_path / "truth.json").read_bytes()
    assert client.json("POST", f"{project}/truth?name=truth.json", truth)["truth"]
    client.json("POST", f"{project}/score", {"tracks": ids})
    job = next(job for job in reversed(client.settled()["jobs"]) if job["kind"] == "score")
    assert job["result"]["named"]["AP"] == 1
    status, headers, content = client.request("GET", f"{project}/report")
    assert (status, b"Where average precision is lost" in content) == (200, True)
    assert "script-src" not in headers["content-security-policy"]


def test_how_the_page_was_left_is_kept(found):
    client, project, _ = found
    client.json("PUT", f"{project}/view", {"hidden": [2], "opacity": 0.3})
    assert client.json("GET", project)["view"] == {"hidden": [2], "opacity": 0.3}
    assert client.status("PUT", f"{project}/view", b"[1]") == (400, "the request is no object")
    assert client.status("PUT", f"{project}/view", b"[" * 100_000)[0] == 400


def test_a_session_sees_only_its_own(found, served):
    client, project, _ = found
    other = Client(served[0])
    assert other.json("GET", "/api/session")["projects"] == []
    assert other.json("GET", "/api/session")["jobs"] == []
    for method, path in (
        ("GET", project),
        ("GET", f"{project}/media/source"),
        ("GET", f"{project}/masks?first=0&count=1"),
        ("GET", f"{project}/tracks.json"),
        ("POST", f"{project}/undo"),
        ("DELETE", project),
    ):
        assert other.status(method, path) == (404, "project: there is none of this id")
    job = client.json("GET", "/api/session")["jobs"][0]
    assert other.status("DELETE", f"/api/jobs/{job['id']}")[0] == 404


def test_a_killed_server_loses_nothing_that_was_saved(tmp_path, video):
    tracks = tmp_path / "tracks.json"
    from tests.formats.tubes import plain_file  # a file of two tracks

    file = plain_file()
    write_tracks(tracks, file.videos, file.categories, file.tracks, {})
    frames = film(tmp_path / "frames.mkv", [np.zeros((7, 9, 3), np.uint8)] * file.videos[0].length, "ffv1", "bgr0")
    script = (
        "import sys; from pathlib import Path; from chronomask.web.serving import Place, serve\n"
        f"serve(Place(port=0, folder=Path({str(tmp_path / 'kept')!r}), source=Path({str(frames)!r}),"
        f" tracks=Path({str(tracks)!r}), token='t', child={CHILD!r}), lambda address: print(address, flush=True))"
    )

    def started():
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        return process, int(process.stdout.readline().split(":")[2].partition("/")[0])

    process, port = started()
    try:
        client = Client(port, "t")
        (project,) = client.settled()["projects"]
        path = f"/api/projects/{project['id']}"
        ids = [track["id"] for track in client.json("GET", path)["tracks"]]
        saved, count = client.json("POST", f"{path}/steps", {"step": [f"relabel:{ids[0]}=cat"]}), 0
        threading.Timer(0.5, os.kill, (process.pid, signal.SIGKILL)).start()
        with suppress(OSError, HTTPException):  # it is killed in the middle of one of these
            while True:
                step = [f"class:robot {count + 1}", f"relabel:{ids[1]}=robot {count + 1}"]
                saved, count = client.json("POST", f"{path}/steps", {"step": step}), count + 1
        process.wait()
        assert count > 3
        process.stdout.close()
        (journal,) = (tmp_path / "kept").glob("*/projects/*/run-0/journal.jsonl")
        with journal.open("ab") as half:
            half.write(b'{"step": ["del')  # which was being written
        secret = next(value for name, value in client.cookies.items() if "session" in name)
        process, port = started()
        again = Client(port, token=None)
        again.cookies[f"chronomask-session-{port}"] = secret
        again.status("GET", "/?token=t")
        again.status("GET", "/")
        assert [one["id"] for one in again.json("GET", "/api/session")["projects"]] == [project["id"]]
        shown = again.json("GET", path)
        if shown["undo"] == f"relabel:{ids[1]}=robot {count + 1}":  # that was written, and not yet answered
            shown = again.json("POST", f"{path}/undo")
        assert shown["undo"] == f"relabel:{ids[1]}=robot {count}"
        keys = ("name", "score", "spans", "id")
        assert [[track[key] for key in keys] for track in shown["tracks"]] == [
            [track[key] for key in keys] for track in saved["tracks"]
        ]
        assert again.json("POST", f"{path}/steps", {"step": [f"delete:{ids[0]}"]})["undo"] == f"delete:{ids[0]}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_folder_of_a_run_stands_for_its_tracks(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("chronomask.web.serving.serve", lambda place, *_: shown.append((place.source, place.tracks)))
    (tmp_path / "tracks.json").touch()
    web(str(tmp_path))
    web(str(tmp_path), video=tmp_path / "a.mp4")
    web(str(tmp_path / "tracks.json"))
    tracks = tmp_path / "tracks.json"
    assert shown == [(None, tracks), (tmp_path / "a.mp4", tracks), (None, tracks)]
