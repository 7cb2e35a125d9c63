"""A report on results as one html file that opens anywhere: numbers, curves, errors, and the worst videos in pictures.

Legend: D results of one video.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from chronomask.annotations.records import Track
from chronomask.evaluation.ap import HEADLINE, THRESHOLDS, Evaluation, percent, score
from chronomask.evaluation.error_analysis import Breakdown, Fault, break_down
from chronomask.evaluation.figures import class_bars, curves, loss_bar, loss_table
from chronomask.evaluation.filmstrip import Drawn, film_strip
from chronomask.evaluation.matching import Matches, match
from chronomask.evaluation.records import GroundTruth
from chronomask.files import written_aside
from chronomask.render import track_colour

SURPLUS = 3
"""False positives that a strip shows beside the hits, those with the highest scores."""

WORST = 30
"""Videos that are shown in pictures, those with the fewest objects found."""

_OTHERS = 30
"""Colours of false positives start here, away from those of objects."""


@dataclass(frozen=True)
class Report:
    """What `draw_report` wrote.

    Attributes:
        path: the html file.
        evaluation: the numbers in it.
        breakdown: the errors in it.
        videos: how many videos it shows in pictures.
    """

    path: Path
    evaluation: Evaluation
    breakdown: Breakdown
    videos: int


def draw_report(
    path: str | Path,
    names: tuple[str, str],
    truth: GroundTruth,
    found: Sequence[Track],
    frames: str | Path | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Writes a report on results.

    Args:
        path: the html file to write.
        names: those of the files, results first.
        truth: the objects.
        found: the results.
        frames: folder that the `file_names` of the annotation file lie in or, where there are none, folders with the
            names of the videos; without it masks are shown on grey.
        notes: what the page says of how they were read.

    Raises:
        InputError: a frame is missing.
    """
    evaluation = score(truth, found)
    matches = match(truth, found)
    breakdown = break_down(matches)
    root = None if frames is None else Path(frames)
    faults = defaultdict(list)
    for fault in breakdown.faults:
        faults[fault.video_id].append(fault)
    recalls = _video_recalls(matches)
    # Videos without objects have no recall: they come last, those with most errors first.
    worst = sorted(recalls, key=lambda number: (recalls[number] < 0, recalls[number], -len(faults[number])))[:WORST]
    shown = [_video_section(matches, number, recalls[number], faults[number], root) for number in worst]
    page = _page(*names, evaluation, breakdown, shown, len(truth.videos), notes)
    with written_aside(path) as aside:
        aside.write_text(page, encoding="utf-8")
    return Report(Path(path), evaluation, breakdown, len(shown))


def _video_recalls(matches: Matches) -> dict[int, float]:
    """Share of a video's objects that were found, mean over the IoU thresholds; -1 without objects."""
    recalls = {}
    for number, overlap in matches.overlaps.items():
        objects = sum(not matches.truth.tracks[g].crowd for g in overlap.true)
        hits = (matches.hits[:, overlap.found] >= 0).sum()
        recalls[number] = float(hits / (objects * len(THRESHOLDS))) if objects else -1.0
    return recalls


def _video_section(matches: Matches, number: int, recall: float, faults: Sequence[Fault], root: Path | None) -> str:
    overlap, video = matches.overlaps[number], matches.truth.videos[number]
    colours = {int(g): place for place, g in enumerate(overlap.true)}
    true = [Drawn(matches.truth.tracks[g].masks, colour) for g, colour in colours.items()]
    objects = [_dot(colour) + _object_name(matches, g) for g, colour in colours.items()]
    fault_of = {fault.result: fault for fault in faults}
    drawn, legend = [], []
    for place, d in enumerate(_shown_results(matches, number)):
        hit, fault = int(matches.hits[0, d]), fault_of.get(d)
        concerned = [hit] if hit >= 0 else list(fault.objects) if fault else []
        colour = colours[concerned[0]] if len(concerned) == 1 else _OTHERS + place
        drawn.append(Drawn(matches.found[d].masks, colour))
        verdict = f"hit, IoU {_iou(matches, number, d, hit):.2f}" if hit >= 0 else fault.kind if fault else "on a crowd"
        name = escape(matches.truth.categories[matches.found[d].category_id])
        legend.append(f"{_dot(colour)}{name} {matches.found[d].score:.2f}: {verdict}")
    counts = Counter(fault.kind for fault in faults)
    summary = ", ".join(f"{count} {kind}" for kind, count in counts.most_common()) or "no errors"
    share = "no objects" if recall < 0 else f"{percent(recall)} % of its objects found, mean over the IoUs 0.50 to 0.95"
    name = escape(video.name)
    return (
        f"<section class='video'><h3>{name} <small>{share}; at IoU 0.50: {summary}</small></h3><div class='strip'>"
        f"<img alt='frames of {name}: truth above, results below' src='{film_strip(video, true, drawn, root)}'></div>"
        f"<p><b>truth:</b> {' '.join(objects) or 'nothing'}</p>"
        f"<p><b>results:</b> {' '.join(legend) or 'none'}</p></section>"
    )


def _object_name(matches: Matches, g: int) -> str:
    track = matches.truth.tracks[g]
    return escape(matches.truth.categories[track.category_id]) + (" (crowd: need not be found)" if track.crowd else "")


def _shown_results(matches: Matches, number: int) -> list[int]:
    """The hits at IoU 0.50 and the best of the rest, by descending score."""
    ranked = sorted(matches.overlaps[number].found.tolist(), key=lambda d: -matches.found[d].score)
    rest = [d for d in ranked if matches.hits[0, d] < 0][:SURPLUS]
    return [d for d in ranked if matches.hits[0, d] >= 0 or d in rest]


def _iou(matches: Matches, number: int, d: int, g: int) -> float:
    overlap = matches.overlaps[number]
    return float(overlap.iou[overlap.found.tolist().index(d), overlap.true.tolist().index(g)])


def _dot(colour_id: int) -> str:
    return f"<i class='dot' style='background:rgb{track_colour(colour_id)}'></i>"


def _page(
    results: str,
    truth: str,
    evaluation: Evaluation,
    breakdown: Breakdown,
    videos: Sequence[str],
    count: int,
    notes: Sequence[str],
) -> str:
    scores = evaluation.scores
    cards = "".join(f"<div><b>{percent(getattr(scores, key))}</b>{key}</div>" for key in HEADLINE)
    others = ("AR100", "APs", "APm", "APl", "ARs", "ARm", "ARl")
    rest = " &nbsp; ".join(f"{key} {percent(getattr(scores, key))}" for key in others)
    shown = f"{len(videos)} of {count} videos, those with the fewest objects found first. Upper row: truth, lower row: "
    shown += f"hits and the best {SURPLUS} other results; one colour is one object."
    said = "".join(f"<p class='note'>{escape(text)}</p>" for text in notes)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(Path(results).name)}: evaluation</title><style>{_STYLE}</style></head><body><main>
<h1>{escape(Path(results).name)}</h1><p>against {escape(Path(truth).name)}, in percent, as YouTube-VIS scores</p>
<div class="cards">{cards}</div><p class="rest">{rest}</p>{said}
<h2>Where average precision is lost</h2>{loss_bar(breakdown)}<div class="wide">{loss_table(breakdown)}</div>
<p class="note">Gain: that kind mended alone. After: mended together with all kinds above it; the bar shows these steps.
Counts and AP50 are those at IoU
0.50, AP is over all thresholds; kinds stand in the order in which they are mended.</p>
<div class="pair"><section><h2>Precision over recall</h2>{curves(evaluation)}</section>
<section><h2>Classes</h2><p class="note">AP / AP50</p>{class_bars(evaluation)}</section></div>
<h2>Videos</h2><p class="note">{shown}</p>{"".join(videos)}
</main></body></html>
"""


_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#777}
*{box-sizing:border-box}
body{margin:0;font:15px/1.45 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:20px 16px 60px}
h1{font-size:24px;margin:0;overflow-wrap:anywhere}
h2{font-size:18px;margin:32px 0 8px}h3{font-size:15px;margin:22px 0 6px}
small,.note,.rest{color:var(--soft);font-weight:normal;font-size:13px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(90px,1fr));gap:10px;margin:16px 0 8px}
.cards div{border:1px solid var(--line);border-radius:8px;padding:8px 12px;color:var(--soft)}
.cards b{display:block;font-size:24px;color:CanvasText}
.bar{display:flex;height:18px;background:#8883;border-radius:3px;overflow:hidden}
.bars{display:grid;grid-template-columns:minmax(80px,auto) 1fr auto;gap:6px 10px;align-items:center}
.bar-name small{display:block;font-size:11px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:0 36px}
.plot{width:100%;max-width:520px}.plot text{font-size:12px;fill:CanvasText}.plot .grid{stroke:var(--line);fill:none}
.wide,.strip{overflow-x:auto}.strip img{display:block;width:100%;min-width:900px}
table{border-collapse:collapse;margin:10px 0}td,th{padding:3px 12px 3px 0;text-align:right;white-space:nowrap}
td:first-child,th:first-child{text-align:left}tr+tr{border-top:1px solid var(--line)}
.dot{display:inline-block;width:10px;height:10px;border-radius:5px;margin:0 5px 0 8px}td .dot{margin-left:0}
.video p{margin:4px 0;font-size:13px}
@media(max-width:480px){table{font-size:13px}td,th{padding-right:7px}}
"""
