"""A young SLO of every kind, from second 0 to hour 6: what is shown, told and gated.

`young.txt` holds all of it, and was read line by line. When something is meant to change, make it
anew and read what is different: `YOUNG=write ./dev test tests/cases/test_young.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exporter.config.duration import format_duration
from exporter.core import policy
from tests.cases.stage import Hook, Request, Stage, T, answer
from tests.cases.upstream import Upstream, series

GOLDEN = Path(__file__).with_name("young.txt")
DAY = 86_400.0
EVERY = 60
PACE = 100
"""Requests a second."""
MOMENTS = (0, 60, 120, 300, 360, 600, 1800, 3600, 7200, 10_800, 21_600)
KINDS = ("scrape", "calendar", "grouped", "composite", "prometheus", "backfilled")
SLI = """sli = { bad = 'req{code="500"}', total = 'req' }"""
CONFIG = f"""
[receiver.hook]
type = "webhook"
url = "http://hook"
[source.app]
type = "scrape"
targets = ["http://app/metrics"]
interval = "{EVERY}s"
[source.new]
type = "prometheus"
url = "http://new"
interval = "{EVERY}s"
[source.old]
type = "prometheus"
url = "http://old"
interval = "{EVERY}s"
backfill = "30d"
[slo.scrape]
objective = 99.9
source = "app"
{SLI}
[slo.calendar]
objective = 99.9
source = "app"
window = {{ calendar = "month" }}
{SLI}
[slo.grouped]
objective = 99.9
source = "app"
group_by = ["route"]
{SLI}
[slo.composite]
objective = 99.9
sli = {{ all = ["scrape", "calendar"] }}
[slo.prometheus]
objective = 99.9
source = "new"
{SLI}
[slo.backfilled]
objective = 99.9
source = "old"
{SLI}
"""


class Shop:
    """A shop that fails from `T` on, on a page and in two Prometheus, of which one is old."""

    def __init__(self, stage: Stage, share: float) -> None:
        self._stage, self._share = stage, share
        self.servers = {host: Upstream(stage.clock.now) for host in ("new", "old")}
        stage.network.hosts |= self.servers
        stage.network.hosts["app"] = self.page
        first = T - 30 * DAY
        for k in range(int(30 * DAY / 300)):
            self.write("old", first + 300 * k)
        for at in range(0, MOMENTS[-1] + EVERY, EVERY):
            for host in self.servers:
                self.write(host, T + at)

    def counts(self, at: float) -> dict[str, float]:
        """Good and bad requests by then."""
        before, after = 1e9 + PACE * min(at - T, 0.0), PACE * max(at - T, 0.0)
        return {"200": before + after * (1 - self._share), "500": after * self._share}

    def write(self, host: str, at: float) -> None:
        """Store what was scraped."""
        own = {"job": "shop", "instance": "a:1"}
        for code, value in self.counts(at).items():
            self.servers[host].write(series("req", code=code, **own), at, value, at)
        self.servers[host].write(series("up", **own), at, 1.0, at)

    def page(self, request: Request) -> Any:
        """What the shop shows now."""
        counts = self.counts(self._stage.now).items()
        return answer("".join(f'req{{code="{c}",route="/"}} {n}\n' for c, n in counts))


def shown(one: dict[str, Any]) -> str:
    """What the API says of an instance; `by definition` and `of all` are what is left."""
    firing = [f"{r['severity']} {r['long_window']}" for r in one["rules"] if r["firing"]] or ["-"]
    left = [
        "-" if one[k] is None else policy.shown(one[k])
        for k in ("budget_remaining", "whole_budget_remaining")
    ]
    gate = one["gate"]
    return (
        f"{left[0]:>11} {left[1]:>9}  {gate['verdict']:<8}{', '.join(firing):<42}"
        f"{gate['reason'].partition(': ')[2] or gate['reason'].partition(', ')[2]}"
    ).rstrip()


def told(alerts: list[dict[str, Any]]) -> Iterator[str]:
    """What was sent to the receiver."""
    for alert in alerts:
        labels = alert["labels"]
        which = labels.get("state") or f"{labels['severity']} {labels.get('long_window', '')}"
        yield f"{'':>8}{alert['status']} {labels['alertname']} {which}".rstrip()
        if alert["status"] == "firing":
            yield f"{'':>12}{alert['annotations']['description']}"


async def tell(stage: Stage, share: float) -> dict[str, list[str]]:
    """The story of each kind."""
    await stage.clear()
    hook = Hook()
    Shop(stage, share)
    stage.network.hosts["hook"] = hook
    await stage.start(CONFIG)
    lines: dict[str, list[str]] = {kind: [] for kind in KINDS}
    heard, now = 0, 0
    for moment in MOMENTS:
        while now < moment:
            await stage.advance(EVERY)
            now += EVERY
        new, heard = hook.alerts[heard:], len(hook.alerts)
        for kind in KINDS:
            (one,) = await stage.slos(kind)
            age = "-" if one["age"] is None else format_duration(one["age"])
            label = format_duration(moment) if moment else "0s"
            lines[kind].append(f"{label:>6} {age:>9} {shown(one)}")
            lines[kind] += told([a for a in new if a["labels"]["slo"] == kind])
    return lines


HEAD = f"{'at':>6} {'age':>9} {'definition':>11} {'of whole':>9}  {'gate':<8}{'firing':<42}reason"


async def test_a_young_slo_shows_tells_and_gates_what_is_so(stage: Stage) -> None:
    out = []
    for share in (0.0, 0.01, 0.05, 1.0):
        for kind, lines in (await tell(stage, share)).items():
            out += [f"{kind}, {share:.0%} of the requests fail", HEAD, *lines, ""]
    text = "\n".join(out)
    if os.environ.get("YOUNG") == "write":
        GOLDEN.write_text(text, "utf-8")
    assert text.splitlines() == GOLDEN.read_text("utf-8").splitlines()
