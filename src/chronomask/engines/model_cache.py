"""Networks that were converted for OpenVINO, kept in the user's cache folder, for converting takes seconds.

Each is a folder as `OpenVinoEngine.save` writes it, named by what it depends on. It may be deleted at any time.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import platformdirs

from chronomask.engines.description import read_description
from chronomask.engines.openvino import OpenVinoEngine
from chronomask.errors import InputError
from chronomask.files import folder_written_aside, remove_unfinished

MOST = 4
"""Networks that are kept, those that were used last: each takes the space of its weights in float32."""

_ROOM = Path(__file__).parents[1]


def place(checkpoint_sha256: str, clip_length: int) -> Path:
    """Where the converted network of a checkpoint lies, if it is kept."""
    # What the network is made of by these lines of code and these packages.
    sources = [*sorted((_ROOM / "model").glob("*.py")), _ROOM / "engines/conversion.py"]
    digest = sha256(f"{checkpoint_sha256} {clip_length} {version('openvino')} {version('torch')}".encode())
    for source in sources:
        digest.update(source.read_bytes())
    return platformdirs.user_cache_path("chronomask") / "converted" / digest.hexdigest()


def kept(folder: Path, precision: str) -> OpenVinoEngine | None:
    """The engine of a network that is kept; None where there is none, or where it is damaged."""
    try:
        engine = OpenVinoEngine.read(folder, read_description(folder), precision)
        os.utime(folder)
    except (InputError, OSError):
        return None
    return engine


def keep(engine: OpenVinoEngine, folder: Path) -> OpenVinoEngine:
    """Keeps a network, and no more than MOST, unless the cache folder cannot be written.

    Returns:
        The engine as the next start will read it: what was not written and read differs from it in the last digits.
    """
    with TemporaryDirectory(prefix="chronomask-", ignore_cleanup_errors=True) as own:
        engine.save(Path(own))
        with suppress(InputError, OSError):
            with folder_written_aside(folder) as aside:
                shutil.copytree(own, aside, dirs_exist_ok=True)
            networks = sorted(folder.parent.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
            for old in networks[MOST:]:
                shutil.rmtree(old, ignore_errors=True)
                remove_unfinished(old)
        return OpenVinoEngine.read(Path(own), engine.description, engine.info.precision)
