"""The axes that plots of shares are drawn on, as SVG."""

from __future__ import annotations

SIDE, LEFT, TOP = 360, 50, 20
"""Of the square from 0 to 1: its side, and where it begins, in units of the picture."""


def place(across: float, up: float) -> tuple[int, int]:
    """Where a point of the square lies in the picture."""
    return round(LEFT + SIDE * across), round(TOP + SIDE * (1 - up))


def plotted(marks: str, below: str, beside: str) -> str:
    """A picture of marks over the axes and the diagonal, where a probability means what it says.

    Args:
        marks: SVG elements.
        below: what the horizontal axis shows.
        beside: what the vertical one shows.
    """
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 430 450" font-family="sans-serif" font-size="11"'
        f' text-anchor="middle"><rect width="430" height="450" fill="white"/>{marks}'
        '<path d="M50 380L410 20M50 20V380H410" fill="none" stroke="#333"/>'
        f'<text x="230" y="436">{below}</text>'
        f'<text x="14" y="200" transform="rotate(-90 14 200)">{beside}</text></svg>'
    )
