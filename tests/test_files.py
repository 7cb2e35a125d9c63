import os
import stat

import pytest

from chronomask.errors import InputError
from chronomask.files import written_aside


def test_file_appears_only_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "out.json"
    with written_aside(path) as aside:
        aside.write_text("whole")
        assert not path.exists()
        assert aside.parent == path.parent
        assert aside.suffix == ".json"
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["out.json"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path, error):
    path = tmp_path / "out.json"
    path.write_text("old")

    def write_half():
        with written_aside(path) as aside:
            aside.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.json"]


def test_permissions_are_those_of_an_ordinary_file(tmp_path):
    (tmp_path / "plain").write_text("")
    with written_aside(tmp_path / "aside") as aside:
        aside.write_text("")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "aside")]
    assert modes[0] == modes[1]


def test_folder_as_target(tmp_path):
    with pytest.raises(InputError, match="is a folder"), written_aside(tmp_path):
        pass


def test_parent_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"), written_aside(tmp_path / "file" / "out.json"):
        pass
