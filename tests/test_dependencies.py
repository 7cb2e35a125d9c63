"""What the package imports is what pyproject.toml says that it needs; without extras, what comes without extras."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from graphlib import TopologicalSorter
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FOR_DEVELOPERS = ("test", "web-test", "docs")


def named(requirements):
    """The distributions of requirements, by their normal names."""
    return {re.match(r"[\w.-]+", text)[0].lower().replace("_", "-") for text in requirements} - {"chronomask"}


def imported():
    """Top-level modules of others that the package imports, and a file that does."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            found |= {name.split(".")[0]: path.name for name in names}
    return {name: file for name, file in found.items() if name not in {*sys.stdlib_module_names, "chronomask"}}


def without_extras():
    """All distributions that `pip install chronomask` brings."""
    todo, known = named(PROJECT["dependencies"]), set()
    while todo:
        known.add(name := todo.pop())
        needed = [text for text in distribution(name).requires or () if "extra ==" not in text]
        needed = [text for text in needed if "win32" not in text and "python_version <" not in text]
        todo |= named(needed) - known
    return known


def test_everything_imported_is_declared():
    extras = PROJECT["optional-dependencies"]
    declared = named(PROJECT["dependencies"]).union(
        *(named(some) for extra, some in extras.items() if extra not in FOR_DEVELOPERS)
    )
    modules = packages_distributions()
    undeclared = {
        f"{file}: {name}"
        for name, file in imported().items()
        if not declared & {of.lower().replace("_", "-") for of in modules.get(name, [name])}
    }
    assert not undeclared


def needs(room_of):
    """Which modules, or rooms of such, need which others."""
    found = defaultdict(set)
    for path in (ROOT / "src/chronomask").rglob("*.py"):
        own = path.relative_to(ROOT / "src").with_suffix("").parts
        here = room_of(own[:-1] if own[-1] == "__init__" else own)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "chronomask":
                for name in node.names:  # which may be a module itself
                    there = [*node.module.split("."), name.name]
                    is_module = (ROOT / "src").joinpath(*there).with_suffix(".py").is_file()
                    found[here].add(room_of(tuple(there if is_module else there[:-1])))
        found[here].discard(here)
    del found[room_of(("chronomask",))]  # lists what is public, without importing it
    return found


def test_imports_point_one_way():
    for room_of in (lambda parts: parts, lambda parts: parts[1] if len(parts) > 1 else ""):
        TopologicalSorter(needs(room_of)).prepare()  # which names a circle


@pytest.mark.network
@pytest.mark.parametrize(
    "command",
    [
        "segment VIDEO --end 0.4 --out OUT --point 0.1:200,150 --negative 0.1:5,5 --box 0.1:180,110,300,235",
        "segment VIDEO --end 0.4 --out OUT --cutout webm --background blur --masks png --csv",
        "explain VIDEO --time 0.2 --out OUT.png",
    ],
)
def test_a_plain_installation_is_enough(command, tmp_path):
    plain = without_extras() | {"chronomask"}
    hidden = {
        name
        for name, of in packages_distributions().items()
        if not plain & {one.lower().replace("_", "-") for one in of} and name not in sys.stdlib_module_names
    }
    assert {"scipy", "torch", "cv2"} <= hidden
    words = command.replace("VIDEO", str(ROOT / "examples" / "sample.mp4")).replace("OUT", str(tmp_path / "out"))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "without.py"), ",".join(hidden), *words.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
