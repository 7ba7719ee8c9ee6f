"""The committed figures: kept in baseline.json, compared with, shown in the README and in docs/.

Two machines are compared by ratios: with the peer that was measured in the same run; without one,
by our own figure, corrected for the machine's speed (see `yardstick`) where speed matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench import table
from bench.measure import Row

ROOT = Path(__file__).parent.parent
FILE = "bench/baseline.json"
BEGIN, END = "<!-- ./dev bench --commit writes from here -->", "<!-- to here -->"
WORST = 1.5
"""A ratio that fell by more than a third is a benchmark that failed."""


@dataclass(slots=True)
class Result:
    """What a run found: `machine` in words, rows by benchmark, `growth` by panel of the plot."""

    machine: str
    yardstick: float
    rows: dict[str, list[Row]] = field(default_factory=dict)
    growth: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


def load() -> Result | None:
    """The committed result; None before the first."""
    file = ROOT / FILE
    return msgspec.json.decode(file.read_bytes(), type=Result) if file.exists() else None


def merged(old: Result | None, new: Result) -> Result:
    """The old result with all that was measured anew."""
    if old is None:
        return new
    growth = new.growth or old.growth
    # Figures of two machines, or of two speeds of one, do not mix; ratios with a peer do.
    return Result(new.machine, new.yardstick, {**old.rows, **new.rows}, growth)


def slower(row: Row, base: Row, speed: float) -> float:
    """How many times worse than the baseline. `speed`: of this machine over the baseline's."""
    if row.measured and base.measured and row.ratio and base.ratio:
        return base.ratio / row.ratio
    ours = row.ours * speed if row.scales else row.ours
    return max(ours, 1e-12) / max(base.ours, 1e-12)


def compare(new: Result, old: Result | None) -> Mapping[str, float]:
    """By row name, how many times worse than the baseline; rows that are new are left out."""
    if old is None:
        return {}
    before = {row.name: row for rows in old.rows.values() for row in rows}
    speed = old.yardstick / new.yardstick
    return {
        row.name: slower(row, before[row.name], speed)
        for rows in new.rows.values()
        for row in rows
        if row.name in before
    }


def write(result: Result, order: Sequence[str]) -> None:
    """Commit a result: the file, and the tables that are made from it."""
    result.rows = {name: result.rows[name] for name in order if name in result.rows}
    text = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (ROOT / FILE).write_bytes(text + b"\n")
    for name, made in pages(result).items():
        page = ROOT / name
        page.write_text(_replaced(page.read_text("utf-8"), made), "utf-8")


def pages(result: Result) -> Mapping[str, str]:
    """By file, what stands between its markers."""
    rows = [row for rows in result.rows.values() for row in rows]
    missed = [
        f"- {row.name}: {table.figure(row.ours, row.unit)}, goal {table.figure(row.goal, row.unit)}"
        for row in rows
        if row.goal is not None and not row.met
    ]
    more = "What each line means, and on which machine: [docs/benchmarks.md](docs/benchmarks.md).\n"
    return {
        "README.md": f"{table.markdown(rows)}\n{more}",
        "docs/benchmarks.md": "\n".join(
            [f"Measured on {result.machine}. Goals that are not met:", "", *(missed or ["- none"])]
        )
        + "\n",
    }


def between(text: str) -> str:
    """What stands between the markers of a page."""
    return text.partition(BEGIN + "\n")[2].partition(END)[0]


def _replaced(text: str, made: str) -> str:
    assert BEGIN in text
    assert END in text
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{made}{END}{rest.partition(END)[2]}"
