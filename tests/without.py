"""The command line as if some packages were not installed: `python without.py torch,onnx segment ...`."""

import sys
from importlib.machinery import PathFinder


class Without(PathFinder):
    """Finds everything else."""

    hidden: frozenset[str] = frozenset()

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        return None if fullname.split(".")[0] in cls.hidden else super().find_spec(fullname, path, target)


if __name__ == "__main__":
    Without.hidden = frozenset(sys.argv[1].split(","))
    sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]
    from chronomask.cli import main

    raise SystemExit(main(sys.argv[2:]))
