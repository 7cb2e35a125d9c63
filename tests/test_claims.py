"""Nothing that a user has is lost: what may be written, decided before anything is read."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys

import pytest

from chronomask.claims import Output, check_frames, check_outputs, claimed, only_endings
from chronomask.errors import InputError

PICTURES = only_endings((".png",))


def refused(outputs, match, **options):
    with pytest.raises(InputError, match=match):
        check_outputs(outputs, **options)


def test_what_is_there_is_replaced_only_if_asked_for(tmp_path):
    (tmp_path / "a.json").write_text("mine")
    refused([Output(tmp_path / "a.json")], r"a\.json: exists already; name another file, or say --overwrite")
    refused([Output(tmp_path / "a.json", inside=True)], r"a\.json: exists already; name another folder, or say")
    check_outputs([Output(tmp_path / "a.json")], overwrite=True)
    check_outputs([Output(tmp_path / "b.json")])
    (tmp_path / "empty").mkdir()
    check_outputs([Output(tmp_path / "empty", PICTURES)])


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_output_is_no_input(tmp_path, overwrite):
    (tmp_path / "frames").mkdir()
    picture = tmp_path / "frames/1.png"
    picture.write_text("a picture")
    (tmp_path / "link").symlink_to(tmp_path / "frames")
    options = {"overwrite": overwrite}
    refused([Output(picture)], "is read too", reads=[picture], **options)
    refused([Output(picture)], "is read too", reads=[tmp_path / "link/1.png"], **options)
    refused([Output(tmp_path / "link/1.png")], "is read too", reads=[picture], **options)
    refused([Output(picture)], "lies in .*frames, which is read", reads=[tmp_path / "frames"], **options)
    refused([Output(tmp_path / "frames", PICTURES)], "holds .*1.png, which is read", reads=[picture], **options)
    refused([Output(tmp_path, PICTURES)], "holds .*frames, which is read", roots=[tmp_path / "frames"], **options)
    check_outputs([Output(tmp_path / "frames/2.json")], [], [tmp_path / "frames"], overwrite)


def test_the_other_names_of_an_input_are_seen_through(tmp_path):
    (tmp_path / "a.json").write_text("mine")
    os.link(tmp_path / "a.json", tmp_path / "b.json")
    refused([Output(tmp_path / "b.json")], "is read too", reads=[tmp_path / "a.json"], overwrite=True)
    refused([Output(tmp_path / "x/../a.json")], "is read too", reads=[tmp_path / "a.json"], overwrite=True)


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_links_are_left_alone(tmp_path, target):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / target)
    for output in (Output(tmp_path / "link"), Output(tmp_path / "link", PICTURES)):
        refused([output], f"link: is a link to .*{target}; name the (file|folder) itself", overwrite=True)


def test_what_is_of_another_kind_is_never_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    refused([Output(tmp_path / "folder", PICTURES)], r"folder: holds notes\.txt, .*; name another", overwrite=True)
    refused([Output(tmp_path / "folder")], "cannot write .*folder: it is a folder", overwrite=True)
    refused([Output(tmp_path / "file", PICTURES)], "it is a file, a folder is to be made there", overwrite=True)
    refused([Output(tmp_path / "file/a.json")], "cannot make the folder", overwrite=True)
    os.mkfifo(tmp_path / "pipe")
    refused([Output(tmp_path / "pipe")], "no ordinary file", overwrite=True)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/1.png").symlink_to(tmp_path / "file")
    refused([Output(tmp_path / "pictures", PICTURES)], r"holds 1\.png", overwrite=True)


def test_names_that_cannot_be_are_refused(tmp_path):
    refused([Output(tmp_path / ("a" * 300))], "this name has 300 bytes; 235 are possible")
    refused([Output(tmp_path / ("a" * 300) / "b.json")], "this name has 300 bytes")
    refused([Output(tmp_path / "a.json"), Output(tmp_path / "b/../a.json")], "two outputs would lie there")
    longest = tmp_path / ("a" * 230 + ".json")
    with claimed([Output(longest)]):
        longest.write_text("")
    assert os.listdir(tmp_path) == [longest.name]


def test_new_folders_go_again_if_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match="bad input"), claimed([Output(tmp_path / "a/b/c.json")]):
        raise InputError("bad input")
    assert os.listdir(tmp_path) == []


def test_a_second_run_is_told_at_once_and_a_killed_one_keeps_nobody_out(tmp_path):
    output, lock = Output(tmp_path / "a.json"), tmp_path / ".a.json.lock"
    second = pytest.raises(InputError, match=rf"a\.json: another run is writing there \(process {os.getpid()}\)")
    with claimed([output]), second, claimed([output]):
        pytest.fail("two runs at one place")
    assert os.listdir(tmp_path) == []
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom chronomask.claims import Output, claimed\n"
        "from chronomask.files import written_aside\n"
        "with claimed([Output(Path(sys.argv[1]))]), written_aside(sys.argv[1]) as aside:\n"
        "    aside.write_text('half')\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(output.path)], check=False)
    assert lock.exists()
    assert len(os.listdir(tmp_path)) == 2
    with claimed([output]):
        assert os.listdir(tmp_path) == [lock.name]  # half a file is gone
    assert os.listdir(tmp_path) == []


def test_what_appears_between_two_looks_is_not_replaced(tmp_path, monkeypatch):
    def slow(place):
        place.write_text("of another run")

    monkeypatch.setattr("chronomask.claims.remove_unfinished", slow)
    with pytest.raises(InputError, match="exists already"), claimed([Output(tmp_path / "a.json")]):
        pytest.fail("the work has begun")
    assert (tmp_path / "a.json").read_text() == "of another run"


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), r"a\.json: the disk is full, .*; make room and start again"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (OSError(errno.EFBIG, "File too large"), "the disk is full"),
        (
            RuntimeError("[enforce fail at inline_container.cc:783] . PytorchStreamWriter failed writing file data/2"),
            "full",
        ),
    ],
)
def test_a_full_disk_is_said(tmp_path, error, named):
    with pytest.raises(InputError, match=named), claimed([Output(tmp_path / "a.json")]):
        raise error


def test_a_folder_taken_away_is_said(tmp_path):
    def take_away_and_write(path):
        shutil.rmtree(path.parent)
        path.write_text("lost")

    path = tmp_path / "new/a.json"
    with pytest.raises(InputError, match=r"new/\S+: No such file or directory: the results"), claimed([Output(path)]):
        take_away_and_write(path)
    with pytest.raises(ZeroDivisionError), claimed([Output(path)]):
        print(1 / 0)


def test_frames_of_a_data_set_are_no_outputs_whatever_links_lead_to_them(tmp_path):
    frame = tmp_path / "real/a/0.jpg"
    frame.parent.mkdir(parents=True)
    frame.write_bytes(b"0")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/JPEGImages").symlink_to("../real")
    for output in (frame, tmp_path / "set/JPEGImages/a/0.jpg"):
        for folder, name in (("set", "JPEGImages/a/0.jpg"), ("set/JPEGImages", "a/0.jpg"), ("real", "a/../a/0.jpg")):
            with pytest.raises(InputError, match="is read too"):
                check_frames([output], tmp_path / folder, [name])
    check_frames([frame, tmp_path / "real/a/1.jpg"], tmp_path / "real", ["b/0.jpg", "a/1.jpg"])
