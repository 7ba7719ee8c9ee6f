from __future__ import annotations

import pytest

from exporter.config.detection import detections, highest_burn_rate
from exporter.config.load import parse
from exporter.core.outage import detection
from exporter.core.slo import SLO


def slo(objective: str = "99.9", interval: str = "15s") -> SLO:
    return parse(
        f"""
[source.s]
type = "scrape"
interval = "{interval}"
[slo.x]
objective = {objective}
sli = {{ gauge = "g", good = "> 0" }}
""",
        "c.toml",
    ).slos[0]


def test_the_workbooks_times_are_met() -> None:
    page, ticket = detections([slo()])
    assert (page.slo, page.severity, ticket.severity) == ("x", "page", "ticket")
    # All fail: 14.4 * 0.1% of an hour. A tenth: ten times as long. 1% is 10 times the allowed
    # ratio, so only the rule at 6 sees it: 6 * 0.1% of 6 h / 1%. Twice the allowed: never a page.
    assert page.seconds[:3] == pytest.approx((51.84, 518.4, 12960))
    assert page.seconds[3] is None
    assert ticket.seconds[3] == pytest.approx(129_600)


def test_nothing_is_noticed_before_the_next_poll() -> None:
    assert detections([slo(interval="2m")])[0].seconds[0] == 120


def test_a_rate_that_is_only_reached_is_never_passed() -> None:
    # 1/(1-0.9) is 10.000000000000002 in floats; a rule at 10 must not be thought to fire.
    (rule, *_) = slo("90").rules
    assert highest_burn_rate(0.9) == pytest.approx(10)
    assert detection(rule, 0.9, 1.0) is None
    rules = slo("99").rules
    assert detection(rules[3], 0.99, 1 - 0.99) is None
