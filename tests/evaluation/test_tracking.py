from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console
from track_builders import annotation, mask, result, truth_file

from chronomask.errors import InputError
from chronomask.evaluation.tracking import tracking, tracking_table

A, B = mask((5, 5, 10, 10)), mask((30, 15, 10, 10))
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_perfect_tracks() -> None:
    pytest.importorskip("trackeval")
    true = [annotation([A] * 4), annotation([B, B, None, None]), annotation([A] * 4, 2, video_id=2)]
    results = [result([A] * 4), result([B, B, None, None]), result([A] * 4, 0.9, 2, 2), result([B] * 4, 0.2)]
    report = tracking(truth_file(true), results)
    assert pytest.approx(1) == report.scores.HOTA
    assert pytest.approx(1) == report.scores.IDF1
    assert set(report.per_category) == {"class1", "class2"}
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(tracking_table(report))
    assert "100.0" in console.export_text()


def test_a_switch_halves_association() -> None:
    pytest.importorskip("trackeval")
    true = [annotation([A] * 4), annotation([B] * 4)]
    swapped = [result([A, A, B, B]), result([B, B, A, A])]
    scores = tracking(truth_file(true), swapped).scores
    assert scores.DetA == pytest.approx(1)
    # Every pair of an object and a track agrees in 2 of the 6 frames that either has.
    assert scores.AssA == pytest.approx(1 / 3)
    assert pytest.approx((1 / 3) ** 0.5) == scores.HOTA
    assert pytest.approx(0.5) == scores.IDF1


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackeval", None)
    with pytest.raises(InputError, match=r"chronomask\[trackeval\]"):
        tracking(truth_file([annotation([A])]), [])
