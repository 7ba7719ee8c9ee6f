"""The chart of lines over time: what its heights and its labels say."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from exporter.charts.plot import Level, Line, Plot
from exporter.charts.plotted import draw

PLOT = Plot(
    ident="it",
    title="It",
    description="it is",
    start=0.0,
    end=86_400.0,
    moments=[0.0, 43_200.0, 86_400.0],
    lines=[Line("left", "left", [1.0, 0.5, None])],
    low=0.0,
    high=1.0,
    unit="",
)


def labels(drawn: str, kind: str) -> dict[str, float]:
    """Where each stands."""
    found = re.findall(rf'<text class="{kind}" x="[^"]+" y="([^"]+)"[^>]*>([^<]+)<', drawn)
    return {text: float(y) for y, text in found}


def heights(plot: Plot) -> dict[str, float]:
    """What stands at the left."""
    [axis] = re.findall(r'<g class="axis">.*?</g>', draw(plot))
    return labels(axis, "tick")


@pytest.mark.parametrize(
    ("log", "low", "lowest", "said"),
    [
        (False, 0.0, 0.5, "0"),
        (False, -2.0, -2.0, "-2"),
        (False, -2.0, -298.9, "≤ -2"),
        # Not at -0.5, where nothing of this picture is.
        (False, -0.3, -0.3, "-0.25"),
        (True, 0.01, 0.02, "0.01"),
        (True, 0.01, 0.0, "≤ 0.01"),
    ],
)
def test_the_lowest_height_says_when_there_is_less(
    log: bool, low: float, lowest: float, said: str
) -> None:
    line = Line("left", "left", [1.0, lowest, None])
    found = heights(replace(PLOT, lines=[line], low=low, log=log))
    lowest_label = max(found, key=lambda text: found[text])
    assert lowest_label == said


def test_every_height_stands_where_its_value_is() -> None:
    for low, high in ((-0.07, 1.0), (-2.0, 1.0), (0.0, 1.3)):
        plot = replace(PLOT, low=low, high=high)
        for text, y in heights(plot).items():
            assert y - 4 == pytest.approx(plot.y(float(text)), abs=0.06)
            assert low <= float(text) <= high


def test_labels_of_levels_are_all_there_and_none_lies_on_another() -> None:
    levels = [Level(v, f"state {v}", "soft") for v in (0.5, 0.25, 0.24, 0.23, 0.01, 0.0, 1.0)]
    plot = replace(PLOT, levels=levels)
    found = labels(draw(plot), "level soft")
    assert len(found) == len(levels)
    ys = list(found.values())
    assert all(b - a >= 12.9 for a, b in pairwise(ys))
    # Where there is room, beside their line.
    assert found["state 0.5"] - 4 == pytest.approx(plot.y(0.5), abs=0.06)
    assert max(ys) - 4 <= plot.y(0.0) + 0.06
