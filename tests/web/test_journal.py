"""What is written down stays, and what was half written is nowhere."""

import pytest

from chronomask.web.journal import Journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_steps_are_undone_and_done_again(path):
    journal = Journal(path)
    journal.add(["delete:3"])
    journal.add(["class:robot", "relabel:1=robot"])
    journal.undo()
    assert (journal.done, journal.revision) == (1, 3)
    journal.redo()
    journal.undo()
    journal.add(["split:1@4"])
    assert journal.steps == [("delete:3",), ("split:1@4",)]
    again = Journal.opened(path)
    assert (again.steps, again.done, again.revision) == (journal.steps, 2, 6)


def test_half_a_line_is_dropped(path):
    journal = Journal(path)
    journal.add(["delete:3"])
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut])
        assert Journal.opened(path).steps == [("delete:3",)]
        assert path.read_bytes() == whole


def test_a_full_disk_leaves_the_journal_as_it_was(path, monkeypatch):
    journal = Journal(path)
    journal.add(["delete:3"])
    before = path.read_bytes()
    monkeypatch.setattr("os.write", lambda handle, line: len(line) - 3)
    with pytest.raises(OSError, match="No space left"):
        journal.add(["delete:4"])
    monkeypatch.undo()
    assert (path.read_bytes(), journal.steps) == (before, [("delete:3",)])
