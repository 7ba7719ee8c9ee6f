"""What slod says of alerts and of the far past, as somebody who asks it hears it."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from tests.cases.service import QUICK, SOURCE, Service
from tests.cases.stage import Hook, Stage

CONFIG = f"""{SOURCE}{QUICK}
[slo.case]
objective = 99
window = "1h"
source = "x"
alert_policy = "quick"
sli = {{ bad = 'bad_total', total = 'all_total' }}
"""


async def test_the_value_of_an_alert_is_its_burn_rate(stage: Stage) -> None:
    service = Service(stage)
    await stage.start(CONFIG)
    await service.run(900, 0.17)
    [burns] = await stage.query('slo_burn_rate{window="10m"}')
    alerts = [a for a in await stage.fetch_alerts() if "long_window" in a["labels"]]
    _, found = await stage.fetch("/api/v1/rules")
    rules = [r for group in json.loads(found)["data"]["groups"] for r in group["rules"]]
    alerts += [a for r in rules for a in r.get("alerts", ()) if "long_window" in a["labels"]]
    assert len(alerts) == 2
    for alert in alerts:
        assert float(alert["value"]) == pytest.approx(float(burns["value"][1]))
        assert float(alert["value"]) == pytest.approx(17, rel=0.01)


@pytest.mark.parametrize("window", ["10m", "1h"])
async def test_of_what_the_ledger_has_forgotten_nothing_is_said(stage: Stage, window: str) -> None:
    """A hundredth of all events was bad at any time, so nobody may hear of a better past."""
    service = Service(stage, every=60)
    await stage.start(CONFIG.replace('"10s"', '"1m"'))
    began = stage.now
    await service.run(4 * 3600, 0.01)
    known = 0
    for back in range(0, 6 * 3600, 1800):
        when = stage.now - back
        rows = await stage.query(f'slo_sli_ratio{{window="{window}"}} @ {when}')
        known += len(rows)
        for row in rows:
            assert when > began
            assert float(row["value"][1]) == pytest.approx(0.99, abs=0.001), back
        for row in await stage.query(f"slo_error_budget_remaining_ratio @ {when}"):
            assert float(row["value"][1]) == pytest.approx(0, abs=0.1), back
        for row in await stage.query(f'slo_coverage_ratio{{window="{window}"}} @ {when}'):
            assert when > began or float(row["value"][1]) == 0
    assert known >= 4


async def test_what_gets_worse_is_not_resolved_and_texts_have_the_numbers_of_their_moment(
    stage: Stage,
) -> None:
    service, hook = Service(stage, every=60), Hook()
    stage.network.hosts["hook"] = hook
    receiver = '[receiver.hook]\ntype = "webhook"\nurl = "http://hook"\n'
    await stage.start(CONFIG.replace('"10s"', '"1m"') + receiver)
    await service.run(3600)
    begun = stage.now
    await service.run(1800, 0.03)
    await service.run(1200, 0.2)
    await service.run(5400)
    states = [a for a in hook.alerts if a["labels"]["alertname"] == "ErrorBudgetPolicy"]
    levels = {"warning": 0.5, "freeze_discussion": 0.25, "exhausted": 0.0}
    assert [a["status"] for a in states] == ["firing"] * 3 + ["resolved"] * 3
    assert [a["labels"]["state"] for a in states[:3]] == list(levels)
    assert {a["labels"]["state"] for a in states[3:]} == set(levels)
    for alert in states:
        left, over = float(alert["annotations"]["budget_remaining"]), alert["status"] == "resolved"
        level, text = levels[alert["labels"]["state"]], alert["annotations"]["description"]
        assert (left >= level) is over and ("no longer under" in text) is over
    [fired, over] = [a for a in hook.alerts if a["labels"]["alertname"] == "ErrorBudgetBurn"]
    assert "both above 10x" in fired["annotations"]["description"]
    assert "and 0.0x over 1m, so it is over" in over["annotations"]["description"]
    # One state at a time, also of the past.
    for at in range(int(begun), int(stage.now), 300):
        rows = await stage.query(f"sum(slo_budget_policy_state @ {at})")
        assert [row["value"][1] for row in rows] == ["1"], at
    _, report = await stage.fetch("/api/slo/v1/report?period=1d")
    [one] = json.loads(report)["slos"]
    passed = [(s["state"], s["since"], s["until"]) for s in one["states"]]
    assert [state for state, _, _ in passed][:3] == list(levels)
    assert all(until == since for (*_, until), (_, since, _) in pairwise(passed))
