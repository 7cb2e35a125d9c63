import pytest

from chronomask.engines.description import FILE
from chronomask.engines.models import WEIGHTS, ModelFiles, bundled_weights, checkpoint_file, model_files
from chronomask.errors import InputError


def test_a_word_is_a_bundled_model_and_all_else_a_path(tmp_path, monkeypatch):
    path = tmp_path / "lite.safetensors"
    path.write_bytes(bytes(8) + b"{}")
    assert model_files(str(path)) == model_files(path) == ModelFiles(None, path)
    assert checkpoint_file("lite") == bundled_weights("lite") == WEIGHTS / "lite.safetensors"
    assert checkpoint_file(path) == path
    monkeypatch.chdir(tmp_path)
    assert model_files("lite").checkpoint == WEIGHTS / "lite.safetensors"
    assert model_files("lite.safetensors").checkpoint == path.relative_to(tmp_path)


def test_a_folder_is_an_exported_network(tmp_path, monkeypatch):
    folder = tmp_path / "lite"
    folder.mkdir()
    with pytest.raises(InputError, match=r"lite: holds no model\.json; .* `chronomask export` wrote"):
        model_files(folder)
    (folder / FILE).touch()
    assert model_files(str(folder)) == ModelFiles(folder, None)
    monkeypatch.chdir(tmp_path)
    assert model_files("lite").exported == folder.relative_to(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lit", r"model 'lit': no such model \(close ones are lite\)"),
        ("unicorn", r"model 'unicorn': no such model \(bundled: lite\)"),
        ("paper", r"model 'paper': its weights are not bundled; name a checkpoint file"),
        ("none.safetensors", r"none\.safetensors: no such checkpoint file"),
        ("film.mp4", r"film\.mp4: not a safetensors file"),
        ("runs/mine", r"runs/mine: is the folder of a training run; name runs/mine/model.safetensors"),
    ],
)
def test_what_is_not_there_is_named(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mp4").write_bytes(bytes(100))
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "model.safetensors").touch()
    with pytest.raises(InputError, match=message):
        model_files(name)
