"""The replay beside a plain loop that feeds an account poll by poll and ticks it, as the daemon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.backtest.replay import replay
from exporter.backtest.result import Outcome
from exporter.backtest.variant import Variant
from exporter.backtest.whole import Whole
from exporter.core.account import Account
from exporter.core.sample import Batch, Series
from exporter.core.slo import SLO, Rule
from tests.backtest.histories import (
    INTERVAL,
    Samples,
    configured,
    cut,
    days,
    errors,
    plain,
    polls,
    whole,
)
from tests.core.builders import T, rule, show, workbook

Fires = tuple[str, str, float, float | None]

FAST = (rule("page", "20m", "5m", 2.0), rule("ticket", "2h", "10m", 1.0))
"""So short that histories of a few hours hold alerts of all kinds."""
CAREFUL = (
    rule("page", "20m", "5m", 2.0, min_events=10_000),
    rule("ticket", "2h", "10m", 1.0, min_bad_events=50.0, confidence=0.95),
)
LASTING = (
    rule("page", "20m", "5m", 2.0, hysteresis=0.3, keep_firing_for=400.0, min_coverage=0.6),
    rule("ticket", "2h", "10m", 1.0, hysteresis=0.0, keep_firing_for=90.0, min_coverage=0.0),
)


def naive(slo: SLO, batch: Batch, *, exact: bool) -> list[Fires]:
    """Every alert of an account that is fed a poll's samples at a time."""
    account = Account(slo)
    if exact:
        (instance,) = account.memory.instances.values()
        instance.ledger = Whole()
        instance.configure(slo)
    out: list[Fires] = []
    open_at: dict[str, int] = {}
    for part in cut(batch, polls(batch, slo.interval)):
        account.take(part)
        list(account.evaluate(part.at, show))
        for instance in account.memory.instances.values():
            seen = instance.as_of(part.at)
            for key, alert in instance.alerts.items():
                if alert.firing and key not in open_at:
                    open_at[key] = len(out)
                    labels = alert.labels
                    out.append((labels["severity"], labels["long_window"], alert.since, None))
                elif not alert.firing and key in open_at:
                    i = open_at.pop(key)
                    out[i] = (*out[i][:3], seen)
        account.memory.do("forget", part.at)
    return sorted(out, key=lambda fires: fires[:3])


def alerts(outcome: Outcome) -> list[Fires]:
    found = [(a.severity, a.long, a.start, a.end) for a in outcome.alerts]
    return sorted(found, key=lambda fires: fires[:3])


def by_pod(batch: Batch) -> None:
    """Give each series its target's name as a label."""
    for some in batch.readings.values():
        for i, reading in enumerate(some):
            target = reading.series.target
            some[i] = reading._replace(series=Series(reading.series.key, target, {"pod": target}))


def replayed(slo: SLO, batches: Sequence[Batch], *variants: Variant) -> tuple[Outcome, ...]:
    (found,) = replay(slo, batches, variants or [configured(slo)], significant=0.02, show=show)
    return found.outcomes


PIECE = st.tuples(
    st.integers(1, 60),
    st.sampled_from([0.0, 0.0, 0.0011, 0.00195, 0.0021, 0.003, 0.01, 0.3, 1.0]),
    st.sampled_from(["go on", "go on", "go on", "silence", "reset", "no traffic"]),
)
"""So many samples with such a share of errors; none burns at just the rate at which a rule begins
or ends, where the last bit of a sum decides."""


def played(pieces: Sequence[tuple[int, float, str]], phase: float = 0.0) -> tuple[Samples, Samples]:
    """The samples of one target."""
    now, bad, total = T + phase, 0.0, 1000.0
    bads: Samples = [(now, bad)]
    totals: Samples = [(now, total)]
    for count, share, how in pieces:
        if how == "reset":
            bad = total = 0.0
        for _ in range(count):
            now += INTERVAL
            events = 0.0 if how == "no traffic" else 3000.0
            total += events
            bad += events * share
            if how != "silence":
                bads.append((now, bad))
                totals.append((now, total))
    return bads, totals


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(PIECE, min_size=1, max_size=12), min_size=1, max_size=3),
    st.sampled_from([600.0, 3600.0, 86_400.0]),
    st.sampled_from([FAST, CAREFUL, LASTING]),
)
def test_alerts_are_those_of_an_account_that_is_polled_all_the_time(
    targets: list[list[tuple[int, float, str]]], length: float, rules: tuple[Rule, ...]
) -> None:
    slo = plain(rules=rules)
    pages = {f"t{i}": played(pieces, 7.0 * i) for i, pieces in enumerate(targets)}
    batch = whole(slo, pages)
    expected = naive(slo, batch, exact=True)
    moments = [T + 11.0 + length * k for k in range(1, 200)]
    (outcome,) = replayed(slo, list(cut(batch, moments)))
    assert alerts(outcome) == expected


def test_a_month_has_the_alerts_of_a_daemon_whose_ledger_is_thinned() -> None:
    slo = plain()
    outages = [(40_000.0, 42_000.0, 0.05), (100_000.0, 150_000.0, 0.004), (2e5, 2.002e5, 1.0)]
    batch = whole(slo, {"a": errors(3 * 86_400, outages)})
    (outcome,) = replayed(slo, days(batch))
    expected = naive(slo, batch, exact=False)
    assert len(expected) >= 6
    found = alerts(outcome)
    assert [f[:2] for f in found] == [e[:2] for e in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert abs(ours[2] - theirs[2]) <= 2 * INTERVAL
        assert ours[3] is not None
        assert theirs[3] is not None
        assert abs(ours[3] - theirs[3]) <= 4 * INTERVAL


def test_a_variant_is_what_it_would_be_alone() -> None:
    slo = plain()
    batch = whole(slo, {"a": errors(5 * 86_400, [(86_400.0, 90_000.0, 0.05)])})
    others = [Variant(0.99, "configured", slo.rules), Variant(0.999, "fast", FAST)]
    together = replayed(slo, days(batch), configured(slo), *others)
    # What is configured is always there: the incidents are its own.
    alone = [replayed(slo, days(batch), configured(slo), *one)[-1] for one in ((), *zip(others))]
    assert list(together) == alone
    assert len({alerts(o)[0] if o.alerts else None for o in together}) == 3


def test_groups_are_replayed_apart() -> None:
    slo = plain(group_by=("pod",), rules=workbook())
    batch = whole(slo, {"a": errors(86_400, [(50_000.0, 54_000.0, 0.1)]), "b": errors(86_400, [])})
    by_pod(batch)
    found = replay(slo, days(batch), [configured(slo)], significant=0.02, show=show)
    by_group = {b.group["pod"]: b.outcomes[0] for b in found}
    assert by_group["a"].alerts
    assert not by_group["b"].alerts


def test_what_makes_the_numbers_doubtful_is_said() -> None:
    slo = plain(group_by=("pod",), max_groups=1)
    batch = whole(slo, {"a": errors(3600, []), "b": errors(3600, [])})
    by_pod(batch)
    odd = next(iter(batch.readings.values()))[0].samples
    odd[50] = (odd[50][0], -1.0)
    unanswered = replace(batch, at=batch.at + 60, failed=frozenset(batch.readings))
    found = replay(slo, [batch, unanswered], [configured(slo)], significant=0.02, show=show)
    (one,) = found
    assert one.notes[:3] == (
        "samples refused as negative: 1",
        "groups past max_groups, not counted: 1",
        "some selectors were not answered, or the threshold is no bucket bound",
    )


def test_without_a_sample_there_is_nothing_to_tell() -> None:
    slo = plain()
    empty = Batch(slo.source, T, own_clock=False, readings={w: [] for w in slo.sli.wants()})
    assert replay(slo, [empty], [configured(slo)], significant=0.02, show=show) == []


def test_a_series_born_late_counts_from_its_first_value_though_its_target_is_new_that_day() -> None:
    slo = plain()
    bad, total = errors(7200, [(3600.0, 7200.0, 0.01)])
    pages = {"old": errors(7200, []), "new": (bad[130:], total[10:])}
    (found,) = replay(slo, [whole(slo, pages)], [configured(slo)], significant=0.02, show=show)
    assert found.births == 1
    assert found.bad == bad[-1][1]
