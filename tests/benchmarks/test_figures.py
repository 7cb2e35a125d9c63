"""README.md and RESULTS.md say what the benchmarks have written to `figures.json`, of the bundled weights."""

import hashlib
import json
import re

import figures
import pytest

from chronomask.engines.models import bundled_weights

KEPT = json.loads(figures.FILE.read_text())


@pytest.mark.parametrize("page", figures.PAGES)
def test_every_cell_of_a_table_is_what_a_benchmark_wrote(page):
    text = (figures.ROOT / page).read_text()
    assert text == figures.up_to_date(text, KEPT), "run benchmarks/figures.py"


def test_figures_that_depend_on_weights_are_of_the_bundled_ones():
    bundled = hashlib.sha256(bundled_weights("lite").read_bytes()).hexdigest()
    for name, entry in KEPT.items():
        assert entry["weights"] in (None, bundled), f"{name}: run again: {entry['command']}"
        assert re.fullmatch(r"[0-9a-f]{7,40}", entry["commit"]), f"{name}: of {entry['commit']!r}, which is no commit"
        assert entry["command"]
        assert entry["machine"]


FIGURES = {"one": {"rows": {"a": {"AP": 27.749, "n": 31000}}}, "two": {"rows": {"a": {"AP": 1.0, "name": "dog"}}}}


def page(comment, *rows):
    return f"Text\n\n{comment}\n| | AP | n | name |\n|---|---|---|---|\n{''.join(rows)}\nText | 7\n"


def test_cells_keep_their_digits_and_come_from_the_first_entry_that_has_them():
    found = figures.up_to_date(
        page("<!-- figures: one two -->", "| **a** | **1.00** | 5 | cat |\n", "| b | | | |\n"), FIGURES
    )
    assert found == page("<!-- figures: one two -->", "| **a** | **27.75** | 31,000 | dog |\n", "| b | | | |\n")


def test_words_of_another_language_are_looked_up():
    comment = "<!-- figures: one; 甲=a, AP=AP -->"
    assert figures.up_to_date(page(comment, "| 甲 | 2.0 | 5 | |\n"), FIGURES) == page(
        comment, "| 甲 | 27.7 | 31,000 | |\n"
    )


@pytest.mark.parametrize("comment", ["", "<!-- figures: two -->"])
def test_a_number_that_nobody_measured_is_refused(comment):
    with pytest.raises(ValueError, match="is in no figure"):
        figures.up_to_date(page(comment, "| a | 1.0 | 5 | dog |\n"), FIGURES)


def test_an_entry_replaces_the_one_before_and_keeps_the_others(tmp_path):
    file, weights = tmp_path / "figures.json", tmp_path / "weights"
    weights.write_bytes(b"abc")
    figures.record("one", {"a": {"b": 1.25}}, command="run one", file=file)
    figures.record("two", {"a": {"b": 2.0}}, command="run two", weights=weights, file=file)
    figures.record("one", {"c": {"d": "e"}}, command="run one", file=file)
    kept = json.loads(file.read_text())
    assert {name: entry["rows"] for name, entry in kept.items()} == {"one": {"c": {"d": "e"}}, "two": {"a": {"b": 2.0}}}
    assert kept["two"]["weights"] == hashlib.sha256(b"abc").hexdigest()
    assert {file, weights} == set(tmp_path.iterdir())
