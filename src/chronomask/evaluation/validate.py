"""Annotation and result files: read so that they can be scored, or told what is wrong with them.

Every command reads files alike (`annotations.reader`); a second look at the records (`evaluation.strict`) warns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table
from rich.text import Text

from chronomask.annotations.content import Content, Source, no_truth
from chronomask.annotations.listing import STILLS, Listing, read_listing
from chronomask.annotations.problems import Problem, Problems
from chronomask.annotations.reader import Reading, form_of, opened_annotations, read
from chronomask.annotations.records import Track
from chronomask.errors import InputError, counted
from chronomask.evaluation.coverage import of_unseen_classes, without_results
from chronomask.evaluation.records import GroundTruth
from chronomask.evaluation.strict import StrictLook
from chronomask.formats.against import Against
from chronomask.formats.reading import Note, opened_or_recognised, read_any, unheard


def read_truth(source: Source, note: Note = unheard) -> GroundTruth:
    """Read annotations, in any format; `note` is told what that takes for granted.

    Raises:
        InputError: naming the file and, one a line, the place and value of its errors; or it holds no ground truth.
    """
    reading = _sound(read_any(source, "collect", masks="edges", note=note))
    if reading.content.held_back:
        raise no_truth(reading.content.file)
    return GroundTruth(reading.listing.videos, reading.listing.categories, list(reading.tracks.values()))


def read_results(source: Source, truth: GroundTruth, note: Note = unheard, any_class: bool = False) -> list[Track]:
    """Read results, in any format, for the videos and categories of annotations.

    Args:
        source: a file or folder, or what a json holds.
        truth: the annotations.
        note: is told what reading takes for granted or leaves out.
        any_class: whether results of categories that the annotations do not have are kept (`without_classes`).

    Raises:
        InputError: naming the file and, one a line, the place and value of its errors.
    """
    against = Against(truth.listing, any_class)
    reading = _sound(read_any(source, "collect", against=against, masks="edges", note=note))
    for problem in reading.problems.found:
        note(f"{reading.content.file}: {problem.message}")
    return list(reading.tracks.values())


def _sound(reading: Reading) -> Reading:
    reading.problems.raise_errors()
    return reading


@dataclass(frozen=True)
class Validation:
    """What `validate` found.

    Attributes:
        file: the file that was looked at.
        kind: "annotations" or "results".
        problems: all faults, in the order of the file.
        entries: how many annotations or results it holds.
        crowds: how many of the annotations are no single objects.
        left_out: how many of the results the annotations have no place for.
        videos: how many there are; with `against`, those of the annotations.
        frames: of all these.
        format: that the file was read as.
    """

    file: str
    kind: Literal["annotations", "results"]
    problems: tuple[Problem, ...]
    entries: int
    crowds: int
    left_out: int
    videos: int
    frames: int
    format: str

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Faults that cannot be meant: every command refuses the file."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What the official evaluator is strict about, and what is probably a mistake."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")


def validate(file: Source, against: Source | None = None, note: Note = unheard) -> Validation:
    """Finds every fault of an annotation or result file, each with its place.

    Of formats other than YouTube-VIS and COCO, the first fault is raised.

    Examples:
        >>> chronomask.validate("results.json", "instances.json").errors
        ()

    Args:
        file: annotations, or results (a list, or annotations with a `score`).
        against: the annotations that the results belong to; only videos and categories must be there, since test sets
            come without annotations. Without it, masks of one video must only agree in size and number.
        note: called with what reading other formats assumes or leaves out, a sentence each.

    Raises:
        InputError: a file is missing or is no json, or the videos or categories of `against` have faults of their own.
    """
    return validated(file, against, note)[0]


def validated(file: Source, against: Source | None = None, note: Note = unheard) -> tuple[Validation, Sequence[Track]]:
    """As `validate`, with what was read: the sound part, joined to the videos and categories of `against`."""
    content = opened_or_recognised(file)
    listing, present = (None, None) if against is None else _listing(against)
    if isinstance(content, Content):
        scored = _are_results(content, against is not None)
        if not scored and against is not None:
            raise InputError(f"{content.file}: annotations without scores; only results are validated against a file")
        if listing is None:
            reading = read(content, "collect", results=scored)
        else:
            reading = read_any(content, "collect", against=Against(listing), note=note)
    else:
        scored = against is not None
        reading = read_any(file, "collect", against=None if listing is None else Against(listing), note=note)
    StrictLook(reading, scored).warn()
    tracks, videos, entries = list(reading.tracks.values()), reading.listing.videos, reading.content.entries
    if listing is not None:
        unseen = () if present is None else of_unseen_classes(tracks, present, listing.categories)
        for text in (*unseen, *without_results(tracks, listing.videos)):
            reading.problems.warn("file", text)
    validation = Validation(
        reading.content.file,
        "results" if scored else "annotations",
        tuple(reading.problems.found),
        len(entries) if isinstance(entries, list) else len(tracks) + reading.left_out,
        sum(track.crowd for track in tracks),
        reading.left_out,
        len(videos),
        sum(video.length for video in videos.values()),
        _format_of(content) if isinstance(content, Content) else content,
    )
    return validation, tracks


def _format_of(content: Content) -> str:
    if content.listed == "results":
        return "a list of results"
    return "coco" if form_of(content) is STILLS else "youtube-vis"


def _are_results(content: Content, if_empty: bool) -> bool:
    """Whether a file holds results rather than truth; without annotations it could be either."""
    if content.listed == "results":
        return True
    if not content.entries:
        return if_empty and not content.held_back
    rows = content.rows("annotations", Problems(content.file, "collect"))
    scores = [row.fields["score"] for _, row in rows if "score" in row]
    return any(score != 1 for score in scores) or (if_empty and bool(scores))  # converted annotations are all sure


def _listing(source: Source) -> tuple[Listing, set[int] | None]:
    """Videos and categories of an annotation file, and ids of the categories with annotations.

    These are None where they may be held back, as those of test sets are.
    """
    found = opened_or_recognised(source)
    if not isinstance(found, Content):
        reading = read_any(source)
        return reading.listing, {track.category_id for track in reading.tracks.values()}
    content = opened_annotations(found)
    problems = Problems(content.file, "collect")
    listing = read_listing(content, problems, form_of(content))
    problems.raise_errors()
    if not content.entries:
        return listing, None
    used = {row.fields.get("category_id") for _, row in content.rows("annotations", problems)}
    return listing, {number for number in listing.categories if number in used}


def validation_table(validation: Validation) -> Table | Text:
    """The problems as a table for the terminal, errors first; a line where there is none."""
    errors, warnings = len(validation.errors), len(validation.warnings)
    faults = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    title = f"{validation.file}: {_counts(validation)}, read as {validation.format}: {faults}"
    if not validation.problems:
        return Text(title)
    table = Table("", "place", "problem", title=title, title_justify="left")
    for problem in (*validation.errors, *validation.warnings):
        style = "red" if problem.severity == "error" else "yellow"
        table.add_row(problem.severity, problem.place, problem.message, style=style)
    return table


def _counts(validation: Validation) -> str:
    """What a file holds, such as "5 objects, 2 crowds in 3 videos of 24 frames"."""
    if validation.kind == "results":
        held = counted(validation.entries, "result") + (
            f" ({validation.left_out} left out)" if validation.left_out else ""
        )
    else:
        crowds = f", {counted(validation.crowds, 'crowd')}" if validation.crowds else ""
        held = counted(validation.entries - validation.crowds, "object") + crowds
    return f"{held} in {counted(validation.videos, 'video')} of {counted(validation.frames, 'frame')}"
