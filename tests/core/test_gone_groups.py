"""A group that is gone from targets that answer: its alerts end, and its place is free."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from exporter.core.engine import Engine
from exporter.core.sample import Target
from exporter.core.selector import parse_selector
from exporter.core.slo import BudgetStep, GaugeSLI
from tests.core.builders import LONG_AGO, T, aged, batch, engine, packed, rule, said, show, slo

PAGE = rule("page", "1h", "5m", 14.4)
SLO = slo(group_by=("route",), rules=(PAGE,))
BURN = "ErrorBudgetBurn 1h"


class Fleet:
    """Targets that are polled by the clock, each with its groups: good and bad events so far."""

    def __init__(self, of: Engine, *, upstream: bool = False, every: float = 10.0) -> None:
        self.engine, self.now = of, T
        self.pages: dict[str, dict[str, list[float]]] = {}
        self.down: set[str] = set()
        self.log: list[tuple[float, str, str, str]] = []
        self._upstream = upstream
        self._every = every
        """Seconds from one look of the upstream to the next."""

    def serve(self, target: str, *groups: str, bad: str = "") -> None:
        """From now on a target has these groups, and all events of one of them are bad."""
        known = self.pages.get(target, {})
        self.pages[target] = {
            group: [*known.get(group, [0, 0])[:2], 10 * (group == bad)] for group in groups
        }

    def run(self, seconds: float) -> list[tuple[float, str, str, str]]:
        """Polls until then; what was said: when, why, of which route, and which alert."""
        before = len(self.log)
        end = self.now + seconds
        while self.now < end:
            self.now += 10
            pages = {t: self.page(p) for t, p in self.pages.items() if t not in self.down}
            if self._upstream:
                self._poll(pages)
            else:
                for target in self.pages.keys() - pages:
                    self.engine.failing("app", target)
                for target, page in pages.items():
                    self._poll({target: page})
            for n in self.engine.tick(self.now).said:
                name = f"{n.labels['alertname']} {n.labels.get('long_window', '')}".strip()
                route = n.labels.get("route", "")
                self.log.append((self.now - T, n.reason.value, route, name))
        return self.log[before:]

    def _poll(self, pages: dict[str, dict[str, float]]) -> None:
        one = batch(
            self.engine,
            self.now,
            pages,
            started=dict.fromkeys(pages, LONG_AGO),
            own_clock=not self._upstream,
        )
        if self._upstream:
            look = self.now - self.now % self._every
            one.targets = {t: Target(looks=[look - self._every, look]) for t in pages}
            one.targets |= {t: Target(down=True) for t in self.down}
        self.engine.ingest(one)

    @staticmethod
    def page(groups: dict[str, list[float]]) -> dict[str, float]:
        out = {}
        for route, counts in groups.items():
            counts[0] += 10 - counts[2]
            counts[1] += counts[2]
            out[f'http_requests_total{{code="200",route="{route}"}}'] = counts[0]
            out[f'http_requests_total{{code="500",route="{route}"}}'] = counts[1]
        return out

    def groups(self) -> set[str]:
        """Those that are known."""
        return {s.labels["route"] for s in self.engine.status(self.now).slos}


def fired(fleet: Fleet) -> list[tuple[str, str]]:
    """What fires by now."""
    alerts = fleet.engine.accounts["slo"].alerts()
    return [(a.labels.get("route", ""), a.labels["alertname"]) for a in alerts if a.firing]


def paging(*, upstream: bool = False, of: Engine | None = None) -> Fleet:
    """Route b of target 1 pages; route a, of two targets, is well."""
    fleet = Fleet(of or engine(SLO), upstream=upstream)
    fleet.serve("1", "a", "b")
    fleet.serve("2", "a")
    fleet.run(600)
    fleet.pages["1"]["b"][2] = 10
    assert [what[2:] for what in fleet.run(600)] == [("b", BURN)]
    return fleet


# --- alerts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("upstream", [False, True])
def test_alerts_of_a_group_end_once_its_targets_answered_without_it_for_patience(
    upstream: bool,
) -> None:
    fleet = paging(upstream=upstream)
    fleet.serve("1", "a")
    assert fleet.run(600) == [(1500, "resolved", "b", BURN)]
    (alert,) = (a for a in fleet.engine.accounts["slo"].alerts() if not a.firing)
    assert alert.annotations["description"].endswith(
        ". Note: the alert ends because its group is gone: its targets answer without it since "
        "2023-11-14T22:33:20Z."
    )
    assert "bad of" in alert.annotations["description"]


@pytest.mark.parametrize("upstream", [False, True])
def test_alerts_hold_while_the_target_that_had_the_group_fails(upstream: bool) -> None:
    fleet = paging(upstream=upstream)
    fleet.down.add("1")
    assert fleet.run(7200) == []
    assert fired(fleet) == [("b", "ErrorBudgetBurn")]
    # It is back without the group: silence begins to count with its first answer.
    fleet.down.clear()
    fleet.serve("1", "a")
    assert fleet.run(3600) == [(8400 + 310, "resolved", "b", BURN)]


@pytest.mark.parametrize("upstream", [False, True])
def test_a_group_that_is_back_before_is_not_gone(upstream: bool) -> None:
    fleet = paging(upstream=upstream)
    for _ in range(5):
        fleet.serve("1", "a")
        assert fleet.run(250) == []
        fleet.serve("1", "a", "b", bad="b")
        assert fleet.run(20) == []
    assert fired(fleet) == [("b", "ErrorBudgetBurn")]


def test_alerts_hold_while_the_group_is_on_another_target() -> None:
    fleet = paging()
    fleet.serve("2", "a", "b", bad="b")
    fleet.run(100)
    fleet.serve("1", "a")
    assert fleet.run(3600) == []
    fleet.serve("2", "a")
    assert [what[1:] for what in fleet.run(310)] == [("resolved", "b", BURN)]


def test_a_target_that_was_removed_is_no_reason_to_hold() -> None:
    fleet = paging()
    fleet.down.add("1")
    fleet.run(600)
    del fleet.pages["1"]
    fleet.engine.removed("app", "1")
    fleet.engine.removed("app", "that was never polled")
    fleet.engine.removed("other", "2")
    assert fleet.run(290) == []
    assert [what[1:] for what in fleet.run(20)] == [("resolved", "b", BURN)]


def test_a_target_that_an_upstream_does_not_name_any_more_is_removed_after_patience() -> None:
    fleet = paging(upstream=True)
    del fleet.pages["1"]
    assert fleet.run(300) == []
    assert [what[1:] for what in fleet.run(700)] == [("resolved", "b", BURN)]


def test_without_up_a_target_that_is_silent_may_fail_as_well() -> None:
    fleet = Fleet(engine(SLO), upstream=True)
    fleet.serve("1", "b", bad="b")
    fleet.serve("2", "a")

    def poll(one: Engine = fleet.engine, at: Iterable[float] = range(0, 600, 10)) -> None:
        for seconds in at:
            pages = {t: fleet.page(p) for t, p in fleet.pages.items()}
            one.ingest(batch(one, T + seconds, pages, own_clock=False))
            one.tick(T + seconds)

    poll()
    assert fired(fleet) == [("b", "ErrorBudgetBurn")]
    del fleet.pages["1"]
    poll(at=range(600, 7200, 10))
    assert fired(fleet) == [("b", "ErrorBudgetBurn")]


def test_alerts_hold_while_the_slo_as_a_whole_has_no_data() -> None:
    fleet = paging()
    fleet.pages = {"1": {}, "2": {}}
    assert fleet.run(7200) == [(1510, "firing", "", "SLIDataMissing")]
    assert fired(fleet) == [("b", "ErrorBudgetBurn"), ("", "SLIDataMissing")]
    # Data of the other group come back, so this one is gone.
    fleet.serve("2", "a")
    assert [what[1:] for what in fleet.run(20)] == [
        ("resolved", "b", BURN),
        ("resolved", "", "SLIDataMissing"),
    ]


def test_steps_of_a_group_that_is_gone_do_not_hold() -> None:
    step = BudgetStep(0.0, "exhausted", gate_open=False)
    fleet = Fleet(engine(slo(group_by=("route",), steps=(step,))))
    fleet.serve("1", "a", "b", bad="b")
    fleet.run(10)
    aged(fleet.engine)
    fleet.run(590)
    assert fired(fleet) == [("b", "ErrorBudgetPolicy")]
    fleet.serve("1", "a")
    assert [what[1:] for what in fleet.run(600)] == [("resolved", "b", "ErrorBudgetPolicy")]
    (gone,) = (s for s in fleet.engine.status(fleet.now).slos if s.labels["route"] == "b")
    assert (gone.policy_state, gone.gate_open) == ("ok", True)
    assert gone.budget_remaining is not None and gone.budget_remaining < 0
    # It is back: its budget is as it was.
    fleet.serve("1", "a", "b")
    assert [what[1:] for what in fleet.run(30)] == [("firing", "b", "ErrorBudgetPolicy")]


def restarted(fleet: Fleet) -> Fleet:
    """The same after a restart of slod."""
    dump = packed(fleet.engine.dump("slo"))
    logs = [packed(log) for log in fleet.engine.drain().values()]
    del logs
    again = Engine([a.slo for a in fleet.engine.accounts.values()], (), show)
    assert again.restore("slo", dump, []) is None
    fleet.engine = again
    return fleet


def test_after_a_restart_nothing_ends_earlier_than_patience_later() -> None:
    fleet = paging()
    fleet.serve("1", "a")
    fleet.run(290)
    assert restarted(fleet).run(300) == []
    assert [what[1:] for what in fleet.run(20)] == [("resolved", "b", BURN)]


def test_after_a_restart_it_may_have_been_on_any_target_that_fails() -> None:
    fleet = paging()
    fleet.serve("1", "a")
    restarted(fleet).down.add("2")
    assert fleet.run(3600) == []
    fleet.down.clear()
    assert [what[1:] for what in fleet.run(320)] == [("resolved", "b", BURN)]


def test_what_has_ended_stays_so_after_a_restart_until_the_group_is_back() -> None:
    fleet = paging()
    fleet.serve("1", "a")
    fleet.run(400)
    assert fired(fleet) == []
    assert restarted(fleet).run(600) == []
    fleet.serve("1", "a", "b", bad="b")
    assert [what[1:] for what in fleet.run(60)] == [("firing", "b", BURN)]
    # The operations say the same as the dump.
    logs = fleet.engine.drain()
    assert ("gone", ("b",), False) in logs["slo"]


def test_a_clock_that_is_set_back_makes_nobody_gone() -> None:
    fleet = paging()
    fleet.serve("1", "a")
    fleet.run(200)
    fleet.now -= 3600
    assert fleet.run(300) == []
    assert [what[1:] for what in fleet.run(40)] == [("resolved", "b", BURN)]


# --- places -------------------------------------------------------------------------------------


def test_the_place_of_a_group_is_free_after_four_polls_without_it() -> None:
    fleet = Fleet(engine(slo(group_by=("route",), max_groups=1, rules=(PAGE,))))
    fleet.serve("1", "v1")
    fleet.run(100)
    fleet.serve("1", "v2")
    fleet.run(40)
    assert fleet.groups() == {"v1"}
    fleet.run(10)
    assert fleet.groups() == {"v1", "v2"}
    # There is no place for the first one any more.
    fleet.serve("1", "v1", "v2")
    taken = fleet.engine.accounts["slo"].memory.instances[("v1",)].ledger.all
    fleet.run(100)
    assert fleet.engine.accounts["slo"].memory.instances[("v1",)].ledger.all == taken
    fleet.serve("1", "v1")
    fleet.run(60)
    assert fleet.engine.accounts["slo"].memory.instances[("v1",)].seen == fleet.now


def test_an_upstream_that_is_asked_more_often_than_it_looks_is_no_reason_to_hurry() -> None:
    fleet = Fleet(engine(slo(group_by=("route",), max_groups=1)), upstream=True, every=50.0)
    fleet.serve("1", "v1")
    fleet.run(100)
    # The target answers, and has no group at all: only its looks tell.
    fleet.serve("1")
    fleet.run(190)
    fleet.serve("1", "v2")
    fleet.run(10)
    assert fleet.groups() == {"v1"}
    fleet.run(20)
    assert fleet.groups() == {"v1", "v2"}


def test_a_target_whose_connection_was_refused_fails() -> None:
    fleet = paging()
    fleet.serve("1", "a")
    for k in range(1, 60):
        at = fleet.now + 10 * k
        refused = batch(fleet.engine, at, {})
        refused.targets = {"1": Target(down=True), "9": Target(down=True)}
        fleet.engine.ingest(refused)
        fleet.engine.ingest(batch(fleet.engine, at, {"2": {}}))
        fleet.engine.tick(at)
    assert ("b", "ErrorBudgetBurn") in fired(fleet)


def test_a_target_that_failed_last_and_is_not_named_any_more_has_not_answered() -> None:
    fleet = paging(upstream=True)
    fleet.down.add("1")
    fleet.run(600)
    fleet.down.clear()
    del fleet.pages["1"]
    assert fleet.run(300) == []
    assert [what[1:] for what in fleet.run(700)] == [("resolved", "b", BURN)]


def test_a_target_that_fails_keeps_the_places_of_its_groups() -> None:
    fleet = Fleet(engine(slo(group_by=("route",), max_groups=1)))
    fleet.serve("1", "v1")
    fleet.serve("2")
    fleet.run(100)
    fleet.down.add("1")
    fleet.serve("2", "v2")
    fleet.run(600)
    assert fleet.groups() == {"v1"}


def test_as_many_groups_as_there_are_places_are_kept_when_they_are_gone() -> None:
    fleet = Fleet(engine(slo(group_by=("route",), max_groups=3, rules=(PAGE,))))
    for k in range(30):
        fleet.serve("1", f"v{k}")
        fleet.run(60)
        assert len(fleet.groups()) <= 6
    assert fleet.groups() == {f"v{k}" for k in (26, 27, 28, 29)}


def test_a_group_whose_alert_holds_is_not_dropped_and_no_other_takes_more_than_there_is() -> None:
    fleet = Fleet(engine(slo(group_by=("route",), max_groups=2, rules=(PAGE,))))
    for k in range(9):
        fleet.serve("1", f"v{k}", bad=f"v{k}")
        fleet.run(60)
        assert len(fleet.groups()) <= 4
    # Of the first ones the alerts have ended by now; nobody has to be told of them any more.
    fleet.serve("1", "v9")
    fleet.run(1200)
    assert "v9" in fleet.groups() and len(fleet.groups()) <= 3


def test_after_a_restart_places_are_free_again_when_all_targets_answered() -> None:
    fleet = Fleet(engine(slo(group_by=("route",), max_groups=1)))
    fleet.serve("1", "v1")
    fleet.run(100)
    fleet.serve("1", "v2")
    restarted(fleet).run(40)
    assert fleet.groups() == {"v1"}
    fleet.run(20)
    assert fleet.groups() == {"v1", "v2"}


def test_a_page_that_passes_others_on_answers_for_them() -> None:
    gauge = GaugeSLI(parse_selector("up"), ">=", 1.0)
    e = engine(slo(sli=gauge, group_by=("instance",), rules=(PAGE,)))
    log = []
    for k in range(200):
        pages = {"page": {"up": 1.0}, "b": {"up": 0.0}} if k < 100 else {"page": {"up": 1.0}}
        one = batch(e, T + 10 * k, pages)
        for readings in one.readings.values():
            for i, reading in enumerate(readings):
                if reading.series.target == "b":
                    series = type(reading.series)("up", "page b", reading.series.labels, "page")
                    readings[i] = reading._replace(series=series)
        one.targets = {"page": Target()}
        e.ingest(one)
        log += [(10 * k, *what) for what in said(e, T + 10 * k)]
    assert [(when, what) for when, what, _ in log] == [(360, "firing"), (1290, "resolved")]
