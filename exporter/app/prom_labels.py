"""Selectors of label and series queries: which series any of them names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from exporter.core.regex import Total
from exporter.core.selector import NAME, Matcher
from exporter.promql.meter import TEXT, Meter
from exporter.promql.parse import selector

_MATCHER = 1500
"""Bytes of a selector of a few matchers, besides its text: a compiled regular expression takes as
much."""


class Selectors:
    """Different selectors, of which a series has to meet one; without any, every series does."""

    def __init__(self, selectors: Iterable[Sequence[Matcher]], meter: Meter) -> None:
        self._meter = meter
        self._all = [
            (
                [m for m in matchers if m.label == NAME],
                [m for m in matchers if m.label != NAME],
            )
            for matchers in selectors
        ]
        self._by_name: dict[str, list[list[Matcher]]] = {}

    @classmethod
    def of(cls, texts: Sequence[str], meter: Meter) -> Selectors:
        """Read them. Raises `BadData` where one is no selector."""
        read, total = [], Total()
        # The same one a thousand times is one.
        for text in dict.fromkeys(texts):
            meter.take(_MATCHER + 4 * TEXT + 4 * len(text))
            read.append(selector(text, total))
        return cls(read or [()], meter)

    def fit(self, name: str) -> bool:
        """Whether one of them may name series of this name."""
        return any(all(m.matches(name) for m in names) for names, _ in self._all)

    def select(self, labels: Mapping[str, str]) -> bool:
        """Whether one of them names the series with these labels."""
        name = labels[NAME]
        others = self._by_name.get(name)
        if others is None:
            others = self._by_name[name] = [
                others
                for names, others in self._meter.each(self._all)
                if all(m.matches(name) for m in names)
            ]
        return any(all(m.matches(labels.get(m.label, "")) for m in matchers) for matchers in others)
