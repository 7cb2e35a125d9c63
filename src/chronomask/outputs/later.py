"""How what was not asked for at first is drawn later, from the tracks that are there: the command to type."""

from __future__ import annotations

import shlex
from dataclasses import fields, replace
from pathlib import Path

from chronomask.outputs.choice import RECORDING, Outputs
from chronomask.video import VideoSource


def render_command(folder: Path, source: VideoSource, wanted: Outputs) -> str | None:
    """The `chronomask render` that draws the wanted outputs from `folder`/tracks.json.

    They lie in the same folder if nothing of theirs is there, else in one beside it, for nothing is replaced unasked.

    Args:
        folder: of a finished run.
        source: the video of that run.
        wanted: what it shall have; an overlay that is there already is left out.

    Returns:
        None where it writes nothing of it.
    """
    wanted = replace(wanted, overlay=wanted.overlay and not (folder / "overlay.mp4").exists())
    if not (wanted.drawn or wanted.csv):
        return None
    taken = any(_taken(path) for path in wanted.paths(folder, tracks=False))
    out = folder.with_name(f"{folder.name}-more") if taken else folder
    words = ["chronomask", "render", folder / "tracks.json", "--video", _video(folder, source), *_options(wanted)]
    return shlex.join(map(str, [*words, "--out", out]))


def _taken(path: Path) -> bool:
    """Whether there is a file, or a folder that is not empty."""
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _video(folder: Path, source: VideoSource) -> Path:
    """What to name as the video of the tracks."""
    if source.live:
        return folder / RECORDING
    return source.files[0] if source.file_names is None else source.files[0].parent


def _options(outputs: Outputs) -> list[str]:
    """As they are typed: those that differ from what is drawn where nothing is said."""
    typed = []
    for field in fields(outputs):
        name, value = field.name.replace("_", "-"), getattr(outputs, field.name)
        if value == field.default:
            continue
        if isinstance(value, bool):
            typed.append(f"--{name}" if value else f"--no-{name}")
        else:
            typed += [f"--{name}", str(value)]
    return typed
