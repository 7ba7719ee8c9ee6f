"""A selection of series in halves, for servers that refuse so many at once.

A shorter range is not always less: VictoriaMetrics counts whole blocks (up to 8,192 samples of a
series, however few of them are asked for), and Cortex and Mimir count series.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from exporter.core.selector import NAME, Matcher, Selector

Selection = tuple[Matcher, ...]
"""Conditions on labels, the metric's name among them."""


def selection(selector: Selector) -> Selection:
    """The conditions of a selector."""
    return (Matcher(NAME, "=", selector.name), *selector.matchers)


def text(matchers: Iterable[Matcher]) -> str:
    """A selection in PromQL."""
    return f"{{{','.join(map(str, matchers))}}}"


def halves(matchers: Selection, series: Sequence[Mapping[str, str]]) -> list[Selection]:
    """Two selections that have all of these series between them and none in common; none when the
    series do not differ in any label."""
    values: dict[str, set[str]] = {}
    for labels in series:
        for label in labels:
            values.setdefault(label, set())
    for label, found in values.items():
        found.update(labels.get(label, "") for labels in series)
    label = max(sorted(values), key=lambda name: len(values[name]), default="")
    if not label or len(values[label]) < 2:
        return []
    ordered = sorted(values[label])
    middle = len(ordered) // 2
    return [(*matchers, one_of(label, some)) for some in (ordered[:middle], ordered[middle:])]


def one_of(label: str, values: Iterable[str]) -> Matcher:
    """The condition that a label has any of these values."""
    return Matcher(label, "=~", "|".join(map(re.escape, values)))
