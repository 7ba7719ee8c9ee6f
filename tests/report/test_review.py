"""What a review finds in a month, and what it proposes."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from exporter.core.attribution import EXCLUSION, INCIDENT, Cause
from exporter.core.instance import Instance
from exporter.core.slo import Calendar
from exporter.report import words
from exporter.report.data import Forecast, SLOReview
from exporter.report.history import spans
from exporter.report.review import review
from tests.core.builders import slo
from tests.report.made_up import (
    DAY,
    END,
    HOUR,
    SPAN,
    START,
    at,
    burn,
    instance,
    one,
    said,
    whole,
)

MONTH = one()


def changes(of: SLOReview) -> list[str]:
    return [proposal.change for proposal in of.proposals]


def test_the_parts_sum_up_to_what_was_spent() -> None:
    parts = MONTH.spent_by.parts
    assert sum(part.share for part in parts) == pytest.approx(MONTH.counted.spent, abs=1e-9)
    assert parts[-1].cause is None
    kinds = [part.cause.kind for part in parts if part.cause]
    # The third one, that nobody reported, is within what a deploy is known to have changed.
    assert kinds.count(INCIDENT) == 2 and kinds[-1] == EXCLUSION
    assert "long ago" not in [part.cause.name for part in parts if part.cause]


def test_a_reported_incident_takes_the_place_of_what_the_ledger_shows() -> None:
    assert [i.reported for i in MONTH.incidents] == ["database full", None, None]
    alone = one(known=[])
    assert len(alone.incidents) == 4 and all(i.reported is None for i in alone.incidents)
    begins = [(i.start - START) / DAY for i in alone.incidents]
    assert begins == pytest.approx([3.5, 11.2, 20, 26.4], abs=0.01)


def test_alerts_belong_to_incidents_and_pages_are_judged() -> None:
    assert [a.incident for a in MONTH.alerts] == [0, 0, None, None, 1, 2]
    assert MONTH.precision == pytest.approx(3 / 5)
    assert [i.detected for i in MONTH.incidents] == [
        pytest.approx(0.015 * DAY, abs=301),
        None,
        pytest.approx(0.01 * DAY, abs=301),
    ]
    assert MONTH.alerts[4].end is None


def test_an_alert_of_which_few_were_worth_it_is_to_be_raised_or_dropped() -> None:
    idle = [n for day in (7, 8, 9) for n in burn("page", "1h", "5m", day, day + 0.01)]
    found = one(heard=[*idle, *burn("page", "1h", "5m", 26.41, 26.45)])
    assert "raise or drop the page over 1h/5m" in changes(found)
    evidence = next(p.evidence for p in found.proposals if "raise" in p.change)
    assert evidence == "1 of 4 alerts spent at least 1% of the budget"


def test_incidents_that_nobody_was_paged_for_need_an_alert() -> None:
    found = one(heard=[])
    [proposal] = [p for p in found.proposals if p.change.startswith("add a page")]
    assert proposal.evidence.startswith(
        "3 incidents over 2% of the budget never paged; the largest"
    )


def test_an_slo_that_was_never_in_danger_may_promise_more() -> None:
    calm = one(outages=False, known=[], heard=[])
    assert changes(calm) == ["tighten the objective to 99.98%"]
    assert "1 of 1 whole period of 30d; so few are an anecdote" in calm.proposals[0].evidence
    assert calm.lowest == pytest.approx(1 - 0.0002 / 0.001, abs=1e-4)


def test_a_calendar_period_that_is_not_over_proves_nothing_yet() -> None:
    of = instance(outages=False)
    spec = slo("checkout", objective=0.99, period=Calendar("month", "UTC"), interval=300.0)
    of.configure(spec)
    found = review(of, of.status(END), SPAN, [], [], START)
    [proposal] = found.proposals
    assert proposal.change == "tighten the objective, or take more risks"
    assert proposal.evidence == "never in danger: 98.0% left at the lowest in 30d"


def test_an_slo_that_broke_its_promise_may_promise_less() -> None:
    found = one(0.9999, outages=True, known=[], heard=[])
    assert "loosen the objective to 99.93%, or work on reliability first" in changes(found)
    assert found.lowest is not None and found.lowest < 0


def test_errors_of_every_day_are_told_apart_from_incidents() -> None:
    found = one(0.9998, outages=False, known=[], heard=[])
    assert "work on the errors of every day" in changes(found)


def test_states_and_what_else_was_said_to_receivers() -> None:
    assert [(s.state, s.until is None) for s in MONTH.states] == [
        ("warning", False),
        ("freeze_discussion", True),
    ]
    assert [t.what for t in MONTH.told] == ["GateOverride"]


def test_an_end_that_was_heard_without_its_beginning_is_an_alert_all_the_same() -> None:
    [first, last] = said({"alertname": "ErrorBudgetBurn"}, 3, 4)
    assert [(s.start, s.end) for s in spans([last])] == [(at(3), at(4))]
    assert [(s.start, s.end) for s in spans([first, first, last])] == [(at(3), at(4))]


def test_groups_hear_only_of_themselves() -> None:
    heard = [
        *said({"alertname": "ErrorBudgetBurn", "route": "/pay"}, 3, 4),
        *said({"alertname": "SLIDataMissing"}, 5, 6),
        *said({"alertname": "DeployBurn", "slo": "checkout", "route": "/other"}, 5, 6),
    ]
    of = instance()

    def reviewed(route: str) -> SLOReview:
        of.group = {"route": route}
        return review(of, of.status(END), SPAN, [], spans(heard), START)

    pay, other = reviewed("/pay"), reviewed("/x")
    of.group = {}
    assert (len(pay.alerts), len(other.alerts)) == (1, 0)
    assert [t.what for t in pay.told] == ["SLIDataMissing"]
    assert pay.name == "checkout{route=/pay}"
    # A label that is no duration says nothing of how far back it looked.
    assert pay.alerts[0].long == "" and pay.alerts[0].spent > 0.1


def test_what_was_before_slod_is_called_that_with_the_verdict_of_the_backtest_beside() -> None:
    found = one(known=[], heard=[], watched=at(21))
    assert [i.before_slod for i in found.incidents] == [True, True, True, False]
    assert [i.detected for i in found.incidents] == [None] * 4
    # The slow one, at four times what is allowed, pages nobody.
    assert [i.would_detect is None for i in found.incidents] == [False, False, True, True]
    said = [row[-1] for row in words.incidents(found)]
    assert said[0].startswith("before slod; backtest: paged after ")
    assert said[2:] == ["before slod; backtest: not paged", "not paged"]
    [proposal] = [p for p in found.proposals if p.change.startswith("add a page")]
    assert proposal.evidence.startswith("2 incidents over 2% of the budget never paged")
    assert found.detection is None
    # Never started: all of it was before.
    never = one(known=[], heard=[], watched=None)
    assert all(i.before_slod for i in never.incidents)
    # One that slod paged for all the same was not before it.
    mine = one(known=[], watched=at(3.51))
    assert not mine.incidents[0].before_slod and mine.incidents[0].detected is not None


def test_what_is_reported_where_nothing_is_found_is_listed_too() -> None:
    quiet = Cause(INCIDENT, "slow pages", at(8.0), at(8.1))
    outside = Cause(INCIDENT, "last year", at(-400), at(-399))
    found = one(known=[quiet, outside], heard=[])
    assert [i.reported for i in found.incidents] == [None, "slow pages", None, None, None]
    assert (found.incidents[1].start, found.incidents[1].end) == (at(8.0), at(8.1))


def test_a_time_without_events_is_unknown_and_not_good() -> None:
    empty = Instance(slo("new"), {}, 10.0)
    found = review(empty, instance().status(END), SPAN, [], [], None)
    assert found.counted.sli is None and found.counted.spent is None and found.lowest is None
    assert {share for _, share in found.burn_down} == {None}
    assert changes(found) == ["look after the source of the data"]
    assert dict(words.facts(found))["SLI"].startswith("-")
    assert words.summary(whole(found)) == "1 SLO reviewed; there were no events"
    long = review(empty, instance().status(END), (START - 30 * DAY, END), [], [], None)
    assert "longer than its ledger reaches back" in long.notes[0]


@pytest.mark.parametrize(
    ("forecast", "expected"),
    [
        (Forecast(None), "unknown: there are no events"),
        (Forecast(inf), "the budget does not burn just now"),
        (Forecast(0.0), "the budget is spent"),
        (Forecast(HOUR), "as it burns now, the budget is gone in 1h"),
        (
            Forecast(HOUR, 600, DAY),
            "by past days the budget lasts 1h (80% interval: 10m to 1d)",
        ),
        (
            Forecast(inf, DAY, inf),
            "lasts more than a period (80% interval: 1d to more than a period)",
        ),
    ],
)
def test_the_forecast_is_said_with_its_interval(forecast: Forecast, expected: str) -> None:
    assert expected in words.forecast(replace(MONTH, forecast=forecast))


def test_causes_of_the_same_name_and_time_are_not_counted_twice() -> None:
    twice = [Cause("deploy", "x", at(3.4), at(3.8))] * 2
    found = one(known=twice)
    assert sum(part.share for part in found.spent_by.parts) == pytest.approx(
        found.counted.spent, abs=1e-9
    )
