"""The table of `slod status`: which columns fit, and what stands in them.

What does not fit is left out by importance, nothing wraps, and colours never say what the text does
not say too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from exporter.cli.status_cells import (
    BAD,
    GOOD,
    POOR,
    alerts,
    bar,
    budget,
    burn,
    firing,
    gate,
    is_unknown,
    lasts,
    state,
    title,
)
from exporter.core.alert import PAGE
from exporter.printable import printable
from exporter.web.slos_api_said import SLOSaid

_GAP = "  "
_INDENT, _PAGES = "  ", "! "
_LOUD = {0: BAD, 1: BAD, 2: POOR}
"""The colour of a name by its urgency; these are for somebody now."""


class Column:
    """`importance`: 0 is the most important. `cells` stand in the order of the SLOs. `width` is in
    cells of the terminal."""

    def __init__(
        self, heading: str, importance: float, cells: Sequence[Text], *, right: bool = False
    ) -> None:
        self.heading = heading
        self.importance = importance
        self.cells = cells
        self.right = right
        self.width = max(cell_len(heading), *(cell.cell_len for cell in cells))


def urgent(slo: SLOSaid) -> tuple[int, float, str]:
    """What sorts the most urgent first: pages, spent budgets, other alerts and closed gates, what
    nobody knows, then by what is left."""
    left = slo.whole_budget_remaining
    found = firing(slo)
    if found and found[0].severity == PAGE:
        rank = 0
    elif left is not None and left <= 0:
        rank = 1
    elif found or slo.gate.verdict == "closed":
        rank = 2
    elif is_unknown(slo):
        rank = 3
    else:
        rank = 4
    return rank, left if left is not None else 1.0, title(slo)


def lines(
    slos: Iterable[SLOSaid], now: float, width: int, height: int, *, ascii_only: bool
) -> Iterator[Text]:
    """The table, no line wider and not more lines than that (at least its head and one more)."""
    ordered = _by_service(slos)
    if not ordered:
        yield Text("no SLOs")
        return
    height = max(2, height)
    count, ordered = len(ordered), ordered[:height]  # Each takes a line at least.
    names = [(_INDENT if urgent(slo)[0] else _PAGES) + title(slo) for slo in ordered]
    widest = max(map(cell_len, names))
    columns = _fitting(_columns(ordered, now, ascii_only), width - min(widest, width // 2))
    room = width - sum(len(_GAP) + c.width for c in columns)
    name_width = max(1, min(max(widest, len("SLO")), room))
    rows = list(_rows(ordered, names, columns, name_width))
    yield _line(Text(set_cell_size("SLO", name_width), style="bold"), columns, None)
    yield from _cut(rows, height - 1, count)


def _by_service(slos: Iterable[SLOSaid]) -> list[SLOSaid]:
    """What is for somebody now, then all others; in both the most urgent service first."""
    best: dict[tuple[bool, str], tuple[int, float, str]] = {}
    for slo in (ordered := sorted(slos, key=urgent)):
        best.setdefault((urgent(slo)[0] not in _LOUD, slo.service), urgent(slo))

    def key(slo: SLOSaid) -> tuple[bool, tuple[int, float, str], str]:
        calm = urgent(slo)[0] not in _LOUD
        return calm, best[calm, slo.service], slo.service

    return sorted(ordered, key=key)  # Stable: within a service by urgency.


def _rows(
    slos: Sequence[SLOSaid], names: Sequence[str], columns: Sequence[Column], name_width: int
) -> Iterator[tuple[Text, bool]]:
    """Each line, and whether it begins an SLO."""
    at = 0
    for service, group in groupby(slos, key=lambda s: s.service):
        yield Text(printable(service), style="bold"), False
        for slo in group:
            name = Text(names[at], style=_LOUD.get(urgent(slo)[0], ""))
            name.truncate(name_width, overflow="ellipsis", pad=True)
            yield _line(name, columns, at), True
            if slo.unknown is not None:
                yield Text(f"{_INDENT}  {printable(slo.unknown)}", style="dim"), False
            at += 1


def _cut(rows: Sequence[tuple[Text, bool]], most: int, count: int) -> Iterator[Text]:
    if sum(begins for _, begins in rows) == count and len(rows) <= most:
        yield from (line for line, _ in rows)
        return
    shown = rows[: max(0, most - 1)]
    yield from (line for line, _ in shown)
    yield Text(f"and {count - sum(begins for _, begins in shown)} more", style="dim")


def _line(name: Text, columns: Sequence[Column], at: int | None) -> Text:
    line = Text().append_text(name)
    for column in columns:
        cell = Text(column.heading, style="bold") if at is None else column.cells[at]
        space = " " * (column.width - cell.cell_len)
        line.append(_GAP + (space if column.right else ""))
        line.append_text(cell)
        line.append("" if column.right else space)
    line.rstrip()
    return line


def _columns(slos: Sequence[SLOSaid], now: float, ascii_only: bool) -> list[Column]:
    """All there are, as they stand from left to right."""
    return [
        Column(
            "OBJECTIVE", 8, [Text(f"{_percent(s.objective)} {printable(s.window)}") for s in slos]
        ),
        Column("BUDGET", 4, [bar(s, ascii_only=ascii_only) for s in slos]),
        Column("LEFT", 0, [budget(s) for s in slos], right=True),
        *_burns(slos),
        Column("LASTS", 6, [lasts(s) for s in slos], right=True),
        Column("STATE", 2, [state(s) for s in slos]),
        Column("GATE", 5, [gate(s) for s in slos]),
        Column("ALERTS", 1, [alerts(s, now) for s in slos]),
    ]


def _burns(slos: Sequence[SLOSaid]) -> Iterator[Column]:
    """One column for each window of a rule, shortest first; those of the fastest rules matter
    most."""
    importance: dict[str, float] = {}
    for slo in slos:
        for at, rule in enumerate(slo.rules):
            for label, less in ((rule.long_window, 0.0), (rule.short_window, 0.5)):
                most = 3 + 3 * at + less
                importance[label] = min(most, importance.get(label, most))
    seconds = {w.window: w.seconds for s in slos for w in s.windows[:-1]}
    for label in sorted(seconds.keys() & importance.keys(), key=lambda w: seconds[w]):
        cells = [burn(s, label) for s in slos]
        yield Column(printable(label), importance[label], cells, right=True)


def _fitting(columns: Sequence[Column], room: int) -> list[Column]:
    """Those that fit, the most important first."""
    kept: list[Column] = []
    for column in sorted(columns, key=lambda c: c.importance):
        if (width := len(_GAP) + column.width) <= room:
            room -= width
            kept.append(column)
    return [column for column in columns if column in kept]


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.10g}%"


def summary(slos: Sequence[SLOSaid]) -> Text:
    """How they are as a whole, in a line."""
    spent = sum(
        s.whole_budget_remaining is not None and s.whole_budget_remaining <= 0 for s in slos
    )
    fire = sum(len(firing(s)) for s in slos)
    closed = sum(s.gate.verdict == "closed" for s in slos)
    unknown = sum(map(is_unknown, slos))
    line = Text().append(f"{len(slos)} SLO{'' if len(slos) == 1 else 's'}")
    for count, word, style in (
        (spent, "exhausted", "red"),
        (fire, "alert" + ("" if fire == 1 else "s"), "red"),
        (closed, "gate" + ("" if closed == 1 else "s") + " closed", "red"),
        (unknown, "unknown", "yellow"),
    ):
        if count:
            line.append(", ").append(f"{count} {word}", style=style)
    if not (spent or fire or closed or unknown) and slos:
        line.append(", all fine", style=GOOD)
    return line
