"""Another configuration while slod runs: what is kept, what begins anew, what is resolved."""

from __future__ import annotations

import pytest

from exporter.core.slo import SLO
from tests.core.builders import (
    OK,
    STEPS,
    Traffic,
    counted,
    engine,
    feed,
    histogram,
    packed,
    rule,
    said,
    slo,
    status,
)

BURN = "ErrorBudgetBurn"
RULES = (rule("page", "5m", "1m", 5.0), rule("ticket", "10m", "2m", 2.0))


def test_another_objective_policy_interval_or_labels_keep_the_history() -> None:
    t = Traffic(engine())
    t.run(600, good=99, bad=1)
    new = slo(objective=0.99, period="1h", interval=60.0, rules=RULES, labels={"team": "red"})
    change = t.engine.configure([new], [])
    assert (change.added, change.restarted, change.removed) == ([], [], [])
    s = status(t.engine, t.now)
    assert (s.good_total, s.bad_total, s.labels) == (5940, 60, {"team": "red"})
    assert s.budget_remaining == pytest.approx(0)
    assert [w.label for w in s.windows] == ["1m", "2m", "5m", "10m", "1h"]


def test_another_interval_reads_old_points_as_they_were_packed() -> None:
    rules = (rule("page", "2h", "1h", 5.0),)
    t = Traffic(engine(slo(objective=0.9, rules=rules)))
    for _ in range(150):
        t.run(100, good=10, bad=0)
        t.run(10, good=9, bad=1)
    was = t.engine.status(t.now).slos[0].windows
    again = engine(slo(objective=0.9, rules=rules, interval=60.0))
    assert again.restore("slo", packed(t.engine.dump("slo")), []) is None
    assert again.status(t.now).slos[0].windows == was


@pytest.mark.parametrize(
    "new", [slo(source="prom"), slo(sli=histogram()), slo(group_by=("instance",))]
)
def test_another_source_sli_or_grouping_begins_anew(new: SLO) -> None:
    t = Traffic(engine())
    t.run(100, good=1)
    change = t.engine.configure([new, slo("more")], [])
    assert (change.added, change.restarted, change.removed) == (["more"], ["slo"], [])
    assert counted(t.engine) == (0, 0)
    assert engine(new).restore("slo", {"identity": "?"}, []) == "its SLI was changed"


def test_what_the_configuration_no_longer_has_is_resolved() -> None:
    one = slo(objective=0.9, period="1h", rules=(rule("page", "10m", "1m", 2.0),), steps=STEPS)
    t = Traffic(engine(one))
    t.run(600, good=0, bad=10)
    t.log.clear()
    change = t.engine.configure([slo(objective=0.9, period="1h")], [])
    assert (change.added, change.restarted, change.removed) == ([], [], [])
    assert sorted(t.run(10, good=0, bad=10)) == [
        (610, "resolved", f"{BURN} 10m"),
        *(
            (610, "resolved", f"ErrorBudgetPolicy {state}")
            for state in ("exhausted", "freeze_discussion", "warning")
        ),
    ]


@pytest.mark.parametrize("others", [[], [slo("other")], [slo(source="prom")]])
def test_an_slo_that_is_removed_or_measured_anew_resolves_its_alerts(others: list[SLO]) -> None:
    t = Traffic(engine(slo(rules=(rule("page", "10m", "1m", 14.4),))))
    t.run(60, good=0, bad=10)
    t.engine.configure(others, [])
    assert said(t.engine, t.now) == [("resolved", f"{BURN} 10m")]
    assert said(t.engine, t.now) == []


def test_new_labels_stand_on_the_next_alert_and_the_old_one_resolves_under_its_own() -> None:
    def labelled(team: str) -> list[SLO]:
        return [slo(rules=(rule("page", "10m", "1m", 14.4),), labels={"team": team})]

    t = Traffic(engine(*labelled("red")))
    t.run(60, good=0, bad=10)
    t.silence(400)
    t.engine.configure(labelled("blue"), [])
    t.now += 10
    feed(t.engine, t.now, {OK: 1e6})
    assert [n.labels["team"] for n in t.engine.tick(t.now).said] == ["red", "red"]
    t.good = 1e6
    t.run(600, good=100)
    t.now += 10
    feed(t.engine, t.now, {OK: 1e6, 'http_requests_total{code="500"}': 1e6})
    assert [n.labels["team"] for n in t.engine.tick(t.now).said] == ["blue"]
    assert t.engine.tick(t.now + 50).said == []
    (silent,) = [n for i in range(2, 9) for n in t.engine.tick(t.now + 50 * i).said]
    assert silent.labels["alertname"] == "SLIDataMissing" and silent.labels["team"] == "blue"
