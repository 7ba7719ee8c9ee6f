"""Alerts of groups that were gone in the past end as they would have in the daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.backtest.dump import Dump
from exporter.backtest.replay import replay
from exporter.backtest.result import Backtest
from exporter.backtest.spool import Spool, batches
from exporter.core.account import Account
from exporter.core.sample import Batch, Reading, Series, Target
from exporter.core.slo import SLO
from tests.backtest.histories import INTERVAL, configured, cut, plain
from tests.core.builders import T, rule, show

SLO_ = plain(group_by=("tenant",), rules=(rule("page", "2h", "10m", 2.0),))
HOUR = 3600.0
Life = Mapping[tuple[str, str], Sequence[tuple[float, float]]]
"""By target and tenant, when its series are there, in seconds from T."""
Ups = Mapping[str, Sequence[tuple[float, float, bool]]]
"""By target, from when until when `up` is 1 (True) or 0."""


def history(slo: SLO, life: Life, hours: float, failing: str = "b") -> Batch:
    """Samples of all of it; every event of one tenant is bad."""
    out = Batch(slo.source, T + hours * HOUR, own_clock=False)
    out.readings = {want: [] for want in slo.sli.wants()}
    for (target, tenant), spans in life.items():
        labels = {"tenant": tenant, "instance": target}
        for want in slo.sli.wants():
            bad = "code" in str(want)
            samples = [
                (T + k * INTERVAL, 100.0 * k if not bad or tenant == failing else 0.0)
                for k in range(int(hours * HOUR / INTERVAL))
                if any(start <= k * INTERVAL < end for start, end in spans)
            ]
            key = f"{want}{tenant}"
            out.readings[want].append(Reading(Series(key, target, labels), samples))
    return out


def looks(batch: Batch, ups: Ups, start: float) -> Batch:
    """The same with what an upstream says of its targets since a moment."""
    targets = {}
    for target, spans in ups.items():
        times = [T + k * INTERVAL for k in range(int((batch.at - T) / INTERVAL) + 1)]
        known = [
            (when, up)
            for when in times
            if start < when <= batch.at
            for begin, end, up in spans
            if begin <= when - T < end
        ]
        if known:
            targets[target] = Target(
                looks=[when for when, up in known if up], down=not known[-1][1]
            )
    return replace(batch, targets=targets)


def ends(slo: SLO, batch: Batch, ups: Ups, every: float) -> dict[str, list[float | None]]:
    """When the pages of each tenant ended, in hours, played in batches of a length."""
    moments = [T + every * k for k in range(1, int((batch.at - T) / every) + 2)]
    parts, before = [], T - 1
    for part in cut(batch, moments):
        parts.append(looks(part, ups, before))
        before = part.at
    return _ends(replay(slo, parts, [configured(slo)], significant=0.02, show=show))


def _ends(found: Sequence[Backtest]) -> dict[str, list[float | None]]:
    return {
        one.group["tenant"]: [a.end and (a.end - T) / HOUR for a in one.outcomes[0].alerts]
        for one in found
    }


def naive(slo: SLO, batch: Batch, ups: Ups) -> dict[str, list[float | None]]:
    """The same of an account that is polled all the time."""
    account, before = Account(slo), T - 1
    out: dict[str, list[float | None]] = {}
    firing: set[str] = set()
    moments = [T + INTERVAL * (k + 0.5) for k in range(int((batch.at - T) / INTERVAL) + 1)]
    for part in cut(batch, moments):
        account.take(looks(part, ups, before))
        before = part.at
        list(account.evaluate(part.at, show))
        for (tenant,), instance in account.memory.instances.items():
            ends = out.setdefault(tenant, [])
            fires = any(a.firing for a in instance.alerts.values())
            if fires and tenant not in firing:
                firing.add(tenant)
                ends.append(None)
            elif not fires and tenant in firing:
                firing.discard(tenant)
                ends[-1] = (part.at - T) / HOUR
    return out


ALWAYS = [(0.0, 1e9)]
UP = [(0.0, 1e9, True)]
GONE = [(0.0, 2 * HOUR)]
SOON = [(0.0, 2 * HOUR, True)]
BOTH = {"1": UP, "2": UP}


@pytest.mark.parametrize(
    ("life", "ups", "end"),
    [
        # The target answers, with the other tenant or without any.
        ({("1", "a"): ALWAYS, ("1", "b"): GONE}, {}, 2 + 1 / 12),
        ({("1", "b"): GONE, ("2", "a"): ALWAYS}, BOTH, 2 + 1 / 12),
        # It fails, for good or for a while; without `up` it may.
        ({("1", "b"): GONE, ("2", "a"): ALWAYS}, {"1": [*SOON, (2 * HOUR, 1e9, False)]}, None),
        ({("1", "b"): GONE, ("2", "a"): ALWAYS}, {}, None),
        # It does not exist any more.
        ({("1", "b"): GONE, ("2", "a"): ALWAYS}, {"1": SOON, "2": UP}, 2 + 1 / 12),
        # Another target has the tenant.
        ({("1", "a"): ALWAYS, ("1", "b"): GONE, ("2", "b"): [(0, 3 * HOUR)]}, BOTH, 3 + 1 / 12),
        # The SLO as a whole has no data.
        ({("1", "a"): GONE, ("1", "b"): GONE}, {"1": UP}, None),
    ],
)  # fmt: skip
def test_pages_end_as_those_of_an_account_that_is_polled_all_the_time(
    life: Life, ups: Ups, end: float | None
) -> None:
    batch = history(SLO_, life, 6)
    expected = [end if end is None else pytest.approx(end, abs=0.2)]
    for every in (HOUR, 7000.0, 86_400.0):
        assert ends(SLO_, batch, ups, every)["b"] == expected
    assert naive(SLO_, batch, ups)["b"] == expected


def test_a_group_that_comes_back_pages_again() -> None:
    there = [(0.0, 3 * HOUR), (5 * HOUR, 6 * HOUR), (6 * HOUR + 200, 7 * HOUR)]
    batch = history(SLO_, {("1", "a"): ALWAYS, ("1", "b"): there}, 12)
    for every in (HOUR, 86_400.0):
        assert ends(SLO_, batch, {}, every)["b"] == pytest.approx([3 + 1 / 12, 7 + 1 / 12], abs=0.1)
    assert naive(SLO_, batch, {})["b"] == pytest.approx([3 + 1 / 12, 7 + 1 / 12], abs=0.1)


def test_a_group_that_is_gone_leaves_its_place_to_another() -> None:
    slo = plain(group_by=("tenant",), max_groups=2)
    life = {("1", f"v{k}"): [(k * 20 * HOUR, (k + 1) * 20 * HOUR)] for k in range(6)}
    batch = history(slo, {**life, ("1", "a"): ALWAYS}, 120, failing="v5")
    found = ends(slo, batch, {"1": UP}, 10 * HOUR)
    assert found.keys() == {"a", *(f"v{k}" for k in range(6))}
    assert found["v5"] and not found["v4"]


def test_a_file_says_by_up_whether_a_target_fails(tmp_path: Path) -> None:
    lines = []
    for k in range(20 * 60):
        at = int(T) + 60 * k
        lines.append(f'up{{job="x",instance="1"}} {int(k < 360)} {at}')
        for tenant, instance in (("a", "2"), ("b", "1")):
            if tenant == "a" or k < 360:
                bad = 100 * k if tenant == "b" else 0
                of = f'job="x",instance="{instance}",tenant="{tenant}"'
                lines.append(f'http_requests_total{{code="200",{of}}} {100 * k} {at}')
                lines.append(f'http_requests_total{{code="500",{of}}} {bad} {at}')
    for text, end in ((lines, None), ([x for x in lines if " 0 " not in x or "up" not in x], 6.1)):
        (tmp_path / "file.om").write_text(
            "\n".join(sorted(text, key=lambda line: line.partition("}")[0])) + "\n# EOF\n"
        )
        slo = plain(group_by=("tenant",), rules=SLO_.rules, interval=60.0)
        with Spool(tmp_path / "spool") as spool:
            spool.expect("slo", slo.source, slo.sli.wants())
            Dump(tmp_path / "file.om", spool).read(lambda _: None)
        parts = batches(spool.path, spool.indexes["slo"])
        found = _ends(replay(slo, parts, [configured(slo)], significant=0.02, show=show))
        assert found["b"] == [end and pytest.approx(end, abs=0.1)]
