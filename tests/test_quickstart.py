"""The notebook runs from its first cell to its last, and shows pictures."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(source, names):
    """As a notebook runs a cell: the value of the last line comes back."""
    *lines, last = ast.parse(source).body
    exec(compile(ast.Module(lines, []), "cell", "exec"), names)
    if not isinstance(last, ast.Expr):
        exec(compile(ast.Module([last], []), "cell", "exec"), names)
        return None
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@pytest.mark.network
def test_the_notebook_from_beginning_to_end(monkeypatch, capsys):
    monkeypatch.chdir(EXAMPLES)
    cells = json.loads((EXAMPLES / "quickstart.ipynb").read_text())["cells"]
    names, shown = {}, []
    for cell in cells:
        if cell["cell_type"] == "code":
            shown.append(run("".join(cell["source"]), names))
    assert shown[0]._repr_png_().startswith(b"\x89PNG")
    pictures = [value for value in shown if isinstance(value, Image.Image)]
    assert [picture.size for picture in pictures] == [(640, 360)] * 2
    assert all(np.asarray(picture).std() > 30 for picture in pictures)
    assert {"overlay.mp4", "cutouts", "background.mp4", "tracks.csv"} <= set(shown[-1])
    assert "cat" in capsys.readouterr().out
