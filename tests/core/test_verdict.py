"""What the rules of now would have said of an incident that nobody watched."""

from __future__ import annotations

import pytest

from exporter.core.instance import Instance
from exporter.core.slo import Rule
from exporter.core.verdict import verdict
from tests.core.builders import T, rule, slo

MINUTE, HOUR = 60.0, 3600.0
PAGE = rule("page", "1h", "5m", 14.4)


def instance(*rules: Rule, share: float = 0.5, after: float = 6.0) -> Instance:
    """Six hours of calm, half an hour in which a share fails, and calm again for some hours."""
    of = Instance(slo(objective=0.99, rules=rules, interval=MINUTE), {}, MINUTE)
    for k in range(-6 * 60, round(30 + after * 60)):
        bad = 1000 * share if 0 <= k < 30 else 0.0
        of.ledger.add(T + k * MINUTE, T + (k + 1) * MINUTE, 1000 - bad, bad)
        of.ledger.cover(T + k * MINUTE, T + (k + 1) * MINUTE)
        of.seen = T + (k + 1) * MINUTE
    return of


def said(of: Instance) -> tuple[float | None, float | None]:
    """In minutes."""
    found = verdict(of, T, T + 30 * MINUTE)
    return tuple(None if one is None else one / MINUTE for one in found)  # type: ignore[return-value]


def test_the_first_page_and_the_end_of_the_last_one_are_told() -> None:
    # 14.4% of an hour are 18 minutes of half of its events; then the last 5 minutes must be calm.
    detected, reset = said(instance(PAGE))
    assert detected == 18 and reset is not None and 3 <= reset <= 5
    faster = rule("page", "10m", "1m", 10.0)
    assert said(instance(PAGE, faster))[0] == 3


def test_a_page_that_is_to_fire_on_for_a_while_is_over_later() -> None:
    first = said(instance(PAGE))[1]
    later = said(instance(rule("page", "1h", "5m", 14.4, keep_firing_for=600.0)))[1]
    assert first is not None and later == pytest.approx(first + 10)


def test_what_nobody_would_have_been_paged_for_is_told_as_that() -> None:
    assert said(instance(PAGE, share=0.1)) == (None, None)
    assert said(instance(rule("ticket", "1h", "5m", 14.4))) == (None, None)
    assert said(instance()) == (None, None)


def test_a_page_that_has_not_ended_has_no_end() -> None:
    assert said(instance(PAGE, after=0.0)) == (18, None)
    silent = instance(PAGE, after=0.0)
    silent.seen = None
    assert said(silent) == (18, None)


def test_too_little_data_pages_nobody() -> None:
    of = instance(rule("page", "1h", "5m", 14.4, min_coverage=0.5))
    assert said(of)[0] == 18
    of.ledger.load([*of.ledger.dump()[:2], Instance(of.slo, {}, MINUTE).ledger.dump()[2]])
    assert said(of) == (None, None)
