"""The command that shows a page: web."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from chronomask.errors import InputError
from chronomask.terminal import begin


def web(
    source: Annotated[Positional[str], tyro.conf.arg(metavar="[VIDEO|FOLDER|TRACKS.json]")] = "",
    /,
    video: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8750,
    folder: Path | None = None,
    browser: bool = True,
    max_upload: float = 1024.0,
    keep_days: float = 30.0,
) -> None:
    """Look at tracks, correct them and understand them, in a browser.

    Serves a page on this machine alone, and prints its address; the token in it is needed. Videos are dropped there, or
    named here. Nothing leaves this machine, and nothing is loaded from elsewhere. Ctrl-C ends it; what the page shows
    as saved is there when it is started again.

    Args:
        source: a video, a folder of frames, what `segment` wrote, or tracks in any format that convert reads. Files
            that are named here are read where they lie, and not changed.
        video: the video that TRACKS are of, where it does not lie beside them under the name that they have for it.
        host: address to listen at. Any but this machine's own shows your videos to whoever has the token.
        port: of the server; 0 for any that is free.
        folder: for sessions, with uploads and corrections; by default among your application data.
        browser: open the page.
        max_upload: megabytes of an upload. Files that are named here may be of any size.
        keep_days: sessions that were not used for so many days are removed.
    """
    begin("starting the page")

    from chronomask.web.limits import Limits
    from chronomask.web.serving import Place, serve

    path = Path(source) if source else None
    if path is not None and (path / "tracks.json").is_file():
        path /= "tracks.json"
    tracks = path is not None and (video is not None or path.suffix.lower() in (".json", ".xml"))
    if video is not None and path is None:
        raise InputError("--video: is for TRACKS; name a video alone without it")
    limits = Limits(upload_bytes=round(max_upload * 2**20), keep_days=keep_days)
    place = Place(host, port, folder, video if tracks else path, path if tracks else None, limits=limits)

    def ready(address: str) -> None:
        print(f"chronomask: {address}", flush=True)
        print("chronomask: Ctrl-C ends; your work is kept", flush=True)

    serve(place, ready, browser)
