"""How rows are shown: for a terminal, for Markdown, and one figure by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.measure import Row, Unit

HEAD = ("what", "slod", "goal", "peer", "ratio")

_SCALES: dict[Unit, Sequence[tuple[float, str]]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "B": ((2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "share": ((0.01, "%"),),
}


def figure(value: float, unit: Unit) -> str:
    """Three digits, in the unit that suits: `2.41 ms`."""
    scales = _SCALES[unit]
    size, name = next((s for s in scales if value >= s[0]), scales[-1])
    return f"{plain(value / size)}{'' if name == '%' else ' '}{name}"


def plain(value: float) -> str:
    """Three digits without an exponent, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):.10f}".rstrip("0").rstrip(".") or "0"


def cells(row: Row) -> tuple[str, ...]:
    """A row under `HEAD`."""
    goal = "" if row.goal is None else figure(row.goal, row.unit)
    if row.met is False:
        goal += " (not met)"
    peer = row.peer or ""
    if row.peer and row.theirs is None:
        peer = f"{row.peer}: NOT HERE"
    elif row.peer and row.theirs is not None:
        peer = f"{row.peer}: {figure(row.theirs, row.unit)}{' (cited)' if row.cited else ''}"
    ratio = "" if row.ratio is None else f"{_two(row.ratio)}x{'' if row.theirs else ' (goal)'}"
    return (row.name, figure(row.ours, row.unit), goal, peer, ratio)


def _two(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def terminal(rows: Iterable[Sequence[str]]) -> str:
    """Lines with aligned columns."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in table)
    return "\n".join(line.rstrip() for line in lines)


def markdown(rows: Iterable[Row]) -> str:
    """A Markdown table."""
    lines = [HEAD, tuple("---" for _ in HEAD), *map(cells, rows)]
    return "\n".join("| " + " | ".join(c or " " for c in line) + " |" for line in lines) + "\n"
