"""What the site has beyond the pages of docs/: pages from elsewhere in the repository, and pages made from the code.

Links are written as they work in the repository. Here those between pages of the site are turned, and those to other
files of the repository become plain text; a link to a file that is not there ends the build. A link that is called by
its file's name gets the name that the page has in the menu, and a page with commands that need the repository says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

from command_pages import commands
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

ELSEWHERE = {
    "RESULTS.md": "results.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "src/chronomask/weights/MODEL_CARD.md": "model-card.md",
}
"""Files of the repository, and the pages that they become."""

MADE = {"reference/commands.md": commands, "findings.md": lambda: findings()}
"""Pages that are made from the code."""

OF_THE_REPOSITORY = re.compile(r"python (-m )?(benchmarks|examples|tests)\b|bash findings/")
HEADING, FENCE = re.compile(r"^#+ .+$", re.MULTILINE), re.compile(r"^```.*?(^```$|\Z)", re.MULTILINE | re.DOTALL)
CLONE = "*(Commands with `benchmarks/`, `examples/`, `findings/` or `tests` need a clone of the repository.)*"
"""Said on pages that tell to type such."""

LINK = re.compile(r"(?P<before>```.*?```|`[^`\n]+`)|(?P<mark>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)", re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    for source, page in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for page, make in MADE.items():
        files.append(File.generated(config, page, content=make()))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    here = next(
        (source for source, name in ELSEWHERE.items() if name == page.file.src_uri), f"docs/{page.file.src_uri}"
    )
    named = {page: title for title, page in _menu(config["nav"])}
    turned = LINK.sub(lambda link: link["before"] or _turned(link, here, page.file.src_uri, files, named), markdown)
    return _told_to_clone(turned)


def _told_to_clone(markdown: str) -> str:
    """With a sentence at the head of the section in which the first command stands that needs the repository."""
    if (first := OF_THE_REPOSITORY.search(markdown)) is None:
        return markdown
    # Lines of commands may begin like headings.
    plain = FENCE.sub(lambda block: " " * len(block[0]), markdown[: first.start()])
    end = max((heading.end() for heading in HEADING.finditer(plain)), default=0)
    return f"{markdown[:end]}\n\n{CLONE}\n{markdown[end:]}"


def _menu(entries: Any) -> Iterator[tuple[str, str]]:
    """Titles and pages of the menu, parts within parts."""
    for entry in entries:
        ((title, inner),) = entry.items()
        yield from [(title, inner)] if isinstance(inner, str) else _menu(inner)


def on_page_content(html: str, page: Page, config: Any, files: Files) -> str:
    """Options get an element of their own, for browsers would break lines behind their hyphens."""
    return re.sub(
        r"<[^>]*>|(?<=[\s>])--[a-z][\w.-]*",
        lambda found: found[0] if found[0].startswith("<") else f"<span class='option'>{found[0]}</span>",
        html,
    )


def _turned(link: re.Match[str], here: str, page: str, files: Files, named: Mapping[str, str]) -> str:
    """A link of a file of the repository as it is on a page of the site."""
    target, _, anchor = link["target"].partition("#")
    if not target or "://" in target or target.startswith("mailto:"):
        return link[0]
    place = normpath(join(dirname(here), target))
    on_site = {"README.md": "index.md", **ELSEWHERE}.get(place, place.removeprefix("docs/"))
    text = named.get(on_site, link["text"]) if link["text"].endswith(".md") else link["text"]
    if on_site != place and files.get_file_from_path(on_site) is not None:
        turned = relpath(on_site, dirname(page) or ".") + (f"#{anchor}" if anchor else "")
        return f"{link['mark']}[{text}]({turned})"
    if not (ROOT / place).exists():
        raise PluginError(f"{here}: {link['target']}: no such file")
    return text


def findings() -> str:
    """What the scripts of findings/ say in their first comment."""
    lines = [
        "# Surprises of other tools",
        "",
        "What we met in other tools on the way, and what an expert would not guess. Each is a script in `findings/`",
        "that installs the version named, shows what it does, and fails once that changes: `bash findings/NAME.sh`.",
    ]
    for script in sorted((ROOT / "findings").glob("*.sh")):
        comment = script.read_text().partition("set -euo pipefail")[0].splitlines()[1:]
        title, *rest = (line.removeprefix("#").strip() for line in comment)
        text = re.sub(r"(?m)^(Guess|Seen|Why it matters[^:]*):", r"\n**\1:**", "\n".join(rest))
        text = text.replace("<", "&lt;")
        lines += ["", f"## {title.rstrip('.')}", "", f"`findings/{script.name}`", "", text]
    return "\n".join(lines) + "\n"
