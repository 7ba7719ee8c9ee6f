"""`./dev bench`: every benchmark, or those named; one table; exit code 1 where one fell behind.

Each benchmark runs in a process of its own, forked from one that knows the month of history.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import platform
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench import backfill, backtest, baseline, growth, history, ledger, table
from bench.measure import Row, yardstick
from bench.plot import svg
from bench.servers import PEERS, here

NAMES = (
    "tick",
    "parse",
    "matchers",
    "exposition",
    "sidecar",
    "detection",
    "restart",
    "ledger",
    "targets",
    "backfill",
    "backtest",
    "forecast",
    "look",
)
GROWTH = "growth"
_TITLE = "How slod's cost grows with SLOs and targets"


def main(arguments: list[str] | None = None) -> int:
    """0 when nothing fell by more than a third behind the baseline, 1 when something did."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in (*NAMES, GROWTH):
            parser.error(f"there is no {name}; there are {', '.join((*NAMES, GROWTH))}")
    missing = [p for p in (*PEERS, "promtool") if not here(p)]
    if missing:
        print(f"NOT HERE: {', '.join(missing)}; rows go without these peers\n", flush=True)
    old = baseline.load()
    result = baseline.Result(machine(), yardstick())
    failed = []
    for name in options.names or (*NAMES, GROWTH):
        begun = time.monotonic()
        try:
            found = apart(name, full=options.full)
        except Exception:  # noqa: BLE001 (one that fails must not hide the others)
            traceback.print_exc()
            failed.append(name)
            continue
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        if name == GROWTH:
            result.growth = found
        else:
            result.rows[name] = found
    worse = baseline.compare(result, old)
    print(report(result, worse))
    behind = [name for name, times in worse.items() if times > baseline.WORST]
    if failed:
        print(f"failed: {', '.join(failed)}")
        return 1
    if options.commit:
        commit(baseline.merged(old, result))
        return 0
    for name in behind:
        print(f"BEHIND the baseline by more than a third: {name}")
    return 1 if behind else 0


def report(result: baseline.Result, worse: Any) -> str:
    """The machine, and everything measured beside the baseline."""
    lines: list[tuple[str, ...]] = [(*table.HEAD, "baseline")]
    for rows in result.rows.values():
        for row in rows:
            times = worse.get(row.name)
            said = "new" if times is None else f"{1 / times:.2f} of its ratio"
            lines.append((*table.cells(row), said))
    shown = [result.machine, "", table.terminal(lines)]
    for name, points in result.growth.items():
        panel = growth.PANELS[name]
        each = ", ".join(f"{table.plain(x)}: {table.plain(y)}" for x, y in points)
        shown.append(f"{panel.title}, {panel.up} by {panel.across}: {each}")
    return "\n".join(shown)


def commit(result: baseline.Result) -> None:
    """Write all that is made from a result."""
    baseline.write(result, NAMES)
    (baseline.ROOT / "docs" / "growth.svg").write_text(picture(result), "utf-8")


def picture(result: baseline.Result) -> str:
    """How cost grows, as SVG."""
    return svg(_TITLE, growth.PANELS, result.growth)


def machine() -> str:
    """The machine in a line, with what matters for speed."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    isal = importlib.util.find_spec("isal") is not None
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} cores of {cpu}, {python}, isal {'here' if isal else 'not installed'}"


def measure(name: str, *, full: bool) -> list[Row] | dict[str, growth.Curve]:
    """What one benchmark finds."""
    if name == GROWTH:
        return growth.run()
    if name == "ledger" and full:
        return ledger.run(ledger.YEAR)
    if name == "backtest" and full:
        return backtest.run(*backtest.FULL)
    if name == "backfill" and full:
        return backfill.run(30.0)
    found: list[Row] = importlib.import_module(f"bench.{name}").run()
    return found


def apart(name: str, *, full: bool) -> Any:
    """The same in a process of its own, so that none finds the heap of another."""
    if name not in ("parse", "matchers", "ledger", "detection", "targets", "backfill", "backtest"):
        history.month()
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        return pool.submit(measure, name, full=full).result()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("./dev bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}, {GROWTH}")
    parser.add_argument("--commit", action="store_true", help="make this the baseline")
    parser.add_argument(
        "--full", action="store_true", help="the ledger over a year, the backtest of 100"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
