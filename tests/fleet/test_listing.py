"""Which videos a batch is about, and what their folders are called."""

import json
import sys

import pytest

from chronomask.errors import InputError
from chronomask.fleet.listing import Entry, is_fetched, listed, named


@pytest.fixture
def archive(tmp_path):
    for name in (
        "a/clip10.mp4",
        "a/clip2.MKV",
        "b/clip2.mp4",
        "b/frames/1.png",
        "b/.hidden.mp4",
        ".cache/x.mp4",
        "n.txt",
    ):
        path = tmp_path / "archive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "archive"


def names_of(entries):
    return list(named(entries, {}, lambda source: None))


def sources_of(*given, root):
    return [entry.source.removeprefix(f"{root}/") for entry in listed([str(source) for source in given])]


def test_a_folder_is_all_videos_below_it(archive):
    entries = listed([str(archive)])
    assert sources_of(archive, root=archive) == ["a/clip2.MKV", "a/clip10.mp4", "b/clip2.mp4", "b/frames"]
    assert names_of(entries) == ["clip2", "clip10", "b-clip2", "frames"]
    size, changed = entries[0].stamp.split()
    assert (int(size), int(changed)) == (11, (archive / "a/clip2.MKV").stat().st_mtime_ns)


def test_a_frame_that_is_replaced_changes_the_stamp_of_its_folder(archive):
    frames = archive / "b/frames"
    before, [entry] = frames.stat().st_mtime_ns, listed([str(frames)])
    assert listed([str(frames)]) == [entry]
    (frames / "1.png").write_text("another")
    assert frames.stat().st_mtime_ns == before
    assert listed([str(frames)]) != [entry]


def test_patterns_do_not_find_what_the_last_call_wrote(archive):
    for pattern in (f"{archive}/**/*.m*", f"{archive}/*"):
        there = listed([pattern], archive / "results")
        assert there
        (archive / "results/clip2").mkdir(parents=True, exist_ok=True)
        (archive / "results/clip2/overlay.mp4").touch()
        assert listed([pattern], archive / "results") == there
        assert len(listed([pattern])) == len(there) + 1


def test_every_video_is_listed_once(archive):
    given = [archive / "a/clip10.mp4", f"{archive}/*/*.mp4", archive / "a"]
    assert sources_of(*given, root=archive) == ["a/clip10.mp4", "b/clip2.mp4", "a/clip2.MKV"]


LISTS = {
    "list.csv": "name,source\nfirst,a/clip10.mp4\n,http://host/b.mp4\n\n",
    "plain.csv": "a/clip10.mp4\nhttp://host/b.mp4\n",
    "list.json": json.dumps([{"source": "a/clip10.mp4", "name": "first"}, "http://host/b.mp4"]),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists(archive, name):
    (archive / name).write_text(LISTS[name])
    entries = listed([str(archive / name)])
    assert [entry.source for entry in entries] == [f"{archive}/a/clip10.mp4", "http://host/b.mp4"]
    assert names_of(entries) == ["clip10" if name == "plain.csv" else "first", "b"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list.json", '{"a": 1}', r"list\.json: is no list"),
        ("list.json", '[{"source": 5}]', "entry 0: source and name must be texts"),
        ("list.csv", "name,source\nx,\n", "line 2: names no source"),
        ("list.csv", "\xff", r"list\.csv: no video|is no list"),
        ("list.json", '[{"source": "a.mp4", "name": "../x"}]', r"name '\.\./x': must be the name of a folder"),
        ("list.json", "[]", "no video is there"),
    ],
)
def test_lists_that_cannot_be_meant(tmp_path, name, text, message):
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=message):
        names_of(listed([str(tmp_path / name)]))


def test_names_stay_and_never_meet():
    entries = [Entry("x/a.mp4"), Entry("y/a.mkv"), Entry("y/A.mp4"), Entry("a.avi"), Entry("s3://k/x/a.mp4")]
    assert names_of(entries) == ["a", "y-a", "y-A-2", "a-2", "x-a"]
    # A video that came later takes nobody's name, wherever it stands in the list.
    taken = {"a": "x/a.mp4"}
    assert list(named([Entry("b/a.mp4"), entries[0]], taken, {"x/a.mp4": "a"}.get)) == ["b-a", "a"]


def test_addresses_that_only_fsspec_reads_are_listed_by_it(archive):
    found = listed([f"local://{archive}/*/*.mp4", f"local://{archive}/a"])
    assert [entry.source.removeprefix(f"local://{archive}/") for entry in found] == [
        "a/clip10.mp4",
        "b/clip2.mp4",
        "a/clip2.MKV",
    ]
    assert found[0].stamp.startswith("12 ")
    assert is_fetched("s3://k/a.mp4")
    assert not any(is_fetched(place) for place in ("a.mp4", "http://h/a.mp4", "rtsp://h/a", "C:\\a.mp4"))


def test_what_an_address_needs_is_said(monkeypatch):
    with pytest.raises(InputError, match="nonsense://x: nonsense:// cannot be used"):
        listed(["nonsense://x"])
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(InputError, match=r"s3://k/x: .*s3fs"):
        listed(["s3://k/x"])
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(InputError, match=r"s3:// needs the package fsspec: pip install 'chronomask\[batch\]'"):
        listed(["s3://k/x"])


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match=r"gone\.mp4: no such file or folder"):
        listed([str(tmp_path / "gone.mp4")])
    for source in (tmp_path, f"{tmp_path}/*.mp4"):
        with pytest.raises(InputError, match="no video is there"):
            listed([str(source)])
    with pytest.raises(InputError, match="no source: no video is there"):
        listed([])


def test_many_of_one_name_are_numbered_on():
    entries, asked = [Entry(f"https://x.org/video?id={n}") for n in range(100)], []

    class Taken(dict):
        def __contains__(self, name):
            asked.append(name)
            return super().__contains__(name)

    names = list(named(entries, Taken(), lambda source: None))
    assert names == ["video", *(f"video-{n}" for n in range(2, 101))]
    assert len(asked) < 3 * len(entries)
