"""What survives a restart, a reload, and a fault: the same numbers and the same words after it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.engine import Engine
from exporter.core.sample import Batch, NativeHistogram
from exporter.core.selector import parse_selector
from exporter.core.slo import GaugeSLI
from tests.core.builders import (
    ERROR,
    OK,
    STEPS,
    T,
    Traffic,
    aged,
    batch,
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

RULES = (rule("page", "5m", "1m", 5.0), rule("ticket", "10m", "2m", 2.0))
SLOS = (
    slo(objective=0.9, period="1h", rules=RULES, steps=STEPS),
    # A period that outlasts the test: when a process forgets is a matter of its own hours.
    slo("grouped", objective=0.9, period="3d", rules=RULES, group_by=("instance",), max_groups=2),
    slo("latency", histogram(0.5, 'code!~"5.."'), objective=0.9, period="1h", rules=RULES),
    slo("gauge", GaugeSLI(parse_selector("up"), ">=", 1.0), objective=0.9, period="1h"),
)


def restored(of: Engine, dumps: dict[str, Any], logs: list[dict[str, Any]]) -> Engine:
    """A new engine from what the state file has."""
    out = engine(*(account.slo for account in of.accounts.values()))
    for name, dumped in dumps.items():
        some = [log[name] for log in logs if name in log]
        assert out.restore(name, packed(dumped), packed(some)) is None
    return out


def everything(of: Engine, now: float) -> Any:
    """All that is known: the numbers, and what else decides about the future.

    Left out: an alert's text, which is as old as its last change of state, how long data has been
    missing, which begins anew with the process, and alerts that are over, which are dropped within
    the hour.
    """
    dumps = {name: packed(of.dump(name)["state"]) for name in of.accounts}
    for dump in dumps.values():
        del dump["missing"]
        for *_, alerts in dump["instances"]:
            alerts[:] = sorted([a for a in alerts if a[4] == "firing" or a[6]], key=lambda a: a[0])
            for alert in alerts:
                alert[2] = None
    return of.status(now), dumps


def words(of: Engine, now: float) -> list[Any]:
    """What a tick says, as above."""
    said_now = [n for n in of.tick(now).said if n.labels["alertname"] != "SLIDataMissing"]
    return sorted((n.key, n.reason.value, sorted(n.labels.items())) for n in said_now)


STEP = st.fixed_dictionaries(
    {
        "seconds": st.sampled_from([10.0, 10.0, 30.0, 400.0, 4000.0, -100.0]),
        "targets": st.sets(st.sampled_from("abc"), max_size=3),
        "good": st.integers(0, 50),
        "bad": st.integers(0, 50),
        "restart": st.booleans(),
        "up": st.sampled_from([1.0, 0.0, float("nan")]),
        "codes": st.sets(st.sampled_from(["200", "500"]), min_size=1),
    }
)


def batches(steps: list[dict[str, Any]], of: Engine) -> list[Batch]:
    out, now = [], T
    ok: dict[str, float] = {}
    bad: dict[str, float] = {}
    for step in steps:
        now += step["seconds"]
        pages: dict[str, dict[str, Any]] = {}
        for name in step["targets"]:
            anew = step["restart"]
            ok[name] = step["good"] + (0 if anew else ok.get(name, 0))
            bad[name] = step["bad"] + (0 if anew else bad.get(name, 0))
            page: dict[str, Any] = {"up": step["up"], OK: ok[name], ERROR: bad[name]}
            for code in step["codes"]:
                page[f'latency_count{{code="{code}"}}'] = ok[name] + bad[name]
                page[f'latency_bucket{{code="{code}",le="0.5"}}'] = ok[name]
            buckets = ((0.0, 0.5, ok[name]), (0.5, 1.0, bad[name]))
            page["latency"] = NativeHistogram(ok[name] + bad[name], buckets)
            pages[name] = page
        out.append(batch(of, now, pages))
    return out


@pytest.mark.long
@settings(max_examples=80, deadline=None)
@given(st.lists(STEP, max_size=16), st.lists(STEP, max_size=8), st.data())
def test_a_dump_and_the_operations_since_are_the_engine_itself(
    steps: list[dict[str, Any]], more: list[dict[str, Any]], data: st.DataObject
) -> None:
    live = engine(*SLOS)
    before, after = batches(steps, live), batches(more, live)
    dump_at = data.draw(st.integers(0, len(before)))
    logs: list[dict[str, Any]] = []
    dumps = {name: live.dump(name) for name in live.accounts}
    now = T
    for i, one in enumerate(before):
        if i == dump_at:
            live.drain()
            dumps, logs = {name: live.dump(name) for name in live.accounts}, []
        now = one.at
        live.ingest(one)
        live.tick(now)
        logs.append(live.drain())
    again = restored(live, dumps, logs)
    # What was learnt of how late samples come, and of who answers, is not kept.
    other = restored(live, {name: live.dump(name) for name in live.accounts}, [])
    assert everything(again, now) == everything(other, now)
    assert everything(again, now)[1] == everything(live, now)[1]
    assert again.drain() == {}
    for one in after:
        facts = [
            [(t.samples, t.readings, t.refused) for t in of.ingest(one).values()]
            for of in (again, other, live)
        ]
        assert facts[0] == facts[1] == facts[2]
        assert words(again, one.at) == words(other, one.at)
        assert everything(again, one.at) == everything(other, one.at)


def test_a_long_history_survives_to_the_last_event() -> None:
    t = Traffic(engine(slo(rules=RULES)))
    for i in range(300):
        t.run(50, good=i % 7, bad=i % 5 == 0)
    again = restored(t.engine, {"slo": t.engine.dump("slo")}, [])
    assert again.status(t.now) == t.engine.status(t.now)
    assert counted(again) == (t.good, t.bad)


def test_the_next_sample_bridges_the_time_between_two_lives() -> None:
    t = Traffic(engine())
    t.run(100, good=5, bad=1)
    again = restored(t.engine, {"slo": t.engine.dump("slo")}, [])
    feed(again, t.now + 7200, {OK: t.good + 70, ERROR: t.bad + 7})
    assert counted(again) == (t.good + 70, t.bad + 7)


def test_a_missing_data_alert_holds_through_a_restart_until_data_comes() -> None:
    t = Traffic(engine())
    t.run(20, good=1)
    t.silence(400)
    t.engine.drain()
    again = restored(t.engine, {"slo": t.engine.dump("slo")}, [])
    assert said(again, t.now + 5) == [] == said(again, t.now + 1000)
    feed(again, t.now + 1010, {OK: t.good, ERROR: t.bad})
    assert said(again, t.now + 1010) == [("resolved", "SLIDataMissing")]


def test_the_gate_is_closed_from_the_first_moment_after_a_restart() -> None:
    t = Traffic(aged(engine(SLOS[0])))
    t.run(100, good=0, bad=5)
    again = restored(t.engine, {"slo": t.engine.dump("slo")}, [])
    assert not status(again, t.now).gate_open
    assert status(again, t.now).policy_state == "exhausted"


def test_a_restored_alert_is_not_said_again() -> None:
    t = Traffic(aged(engine(SLOS[0])))
    t.run(100, good=0, bad=5)
    again = restored(t.engine, {"slo": t.engine.dump("slo")}, [])
    t.engine = again
    assert t.run(100, good=0, bad=5) == []
    assert t.run(600, good=50)[0][1] == "resolved"


@pytest.mark.parametrize("break_it", [{"polled": "x"}, {"targets": 5}, {"instances": [[1]]}])
def test_a_state_that_cannot_be_used_says_why_and_leaves_a_fresh_slo(break_it: Any) -> None:
    e = engine()
    feed(e, T, {OK: 1.0})
    good = packed(e.dump("slo"))
    damaged = {**good, "state": {**good["state"], **break_it}}
    fresh = engine()
    reason = fresh.restore("slo", damaged, [])
    assert (reason is None) is ("polled" in break_it) or reason
    assert fresh.restore("slo", {"identity": good["identity"]}, []) == "KeyError: 'state'"
    assert fresh.restore("slo", good, [[("no such operation",)]]) is not None
    assert fresh.status(T).slos[0].good_total == 0


# --- what sources ask ---------------------------------------------------------------------------


def test_a_source_learns_what_each_slo_wants_and_since_when() -> None:
    e = engine(slo(), slo("same"), slo("other", histogram(), source="prom"))
    assert [(a.slo, len(a.wants), a.since) for a in e.asks("app")] == [
        ("slo", 2, None),
        ("same", 2, None),
    ]
    assert [len(a.wants) for a in e.asks("prom")] == [3] and e.asks("nobody") == []
    feed(e, T, {OK: 1.0}, "a")
    feed(e, T + 10, {OK: 1.0}, "b")
    assert [a.since for a in e.asks("app")] == [T + 10, T + 10]
    e.configure([slo(), slo("same"), slo("new")], [])
    assert [a.since for a in e.asks("app")] == [T + 10, T + 10, None]


def test_a_batch_is_for_the_slos_of_its_source_alone() -> None:
    e = engine(slo(), slo("other", source="prom"))
    assert set(e.ingest(batch(e, T, {"a": {OK: 1.0}}))) == {"slo"}


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize("nonsense", ["seven", None, [1]])
def test_a_fault_stays_in_its_slo_is_shown_and_ends_with_the_next_good_batch(nonsense: Any) -> None:
    e = engine(slo(), slo("other", histogram()))
    page = {OK: 1.0, "latency_count": 1.0, 'latency_bucket{le="0.5"}': 1.0}
    feed(e, T, page)
    assert set(e.ingest(batch(e, T + 10, {"a": {**page, OK: [(T + 10, nonsense)]}}))) == {"other"}
    assert "Error" in (e.accounts["slo"].fault or "") and e.accounts["other"].fault is None
    assert len(e.status(T + 10).slos) == 2 and e.tick(T + 10).said == []
    feed(e, T + 20, {OK: 3.0})
    assert e.accounts["slo"].fault is None and counted(e) == (2, 0)


def test_a_fault_while_deciding_stays_in_its_slo_too() -> None:
    broken = rule("page", "5m", "1m", 1.0, confidence="sure")
    t = Traffic(engine(slo(rules=(broken,)), slo("other", rules=RULES)))
    t.run(60, good=0, bad=5)
    assert (t.engine.accounts["slo"].fault or "").startswith("TypeError")
    assert [what for _, _, what in t.log] == ["ErrorBudgetBurn 5m"]


def test_what_is_too_old_is_dropped_once_an_hour_even_after_the_clock_was_set_back() -> None:
    e = engine()

    def forgets(now: float) -> bool:
        e.drain()
        e.tick(now)
        return any(op[0] == "forget" for op in e.drain().get("slo", ()))

    assert [forgets(T + s) for s in (0, 1800, 3601, 3700, -90_000)] == [
        True, False, True, False, True,
    ]  # fmt: skip


def test_an_slo_is_worth_dumping_again_once_its_ledger_was_sealed() -> None:
    t = Traffic(engine(slo()))
    seals = t.engine.seals("slo")
    for i in range(70):
        t.run(10, good=i % 7)
    assert t.engine.seals("slo") > seals


def test_a_fault_stays_in_its_slo_whatever_is_asked() -> None:
    e = engine(slo("broken"), slo("sound"))
    feed(e, T, {OK: 1.0, ERROR: 0.0})
    feed(e, T + 10, {OK: 2.0, ERROR: 0.0})
    e.accounts["broken"].memory.polled = "never"  # type: ignore[assignment]
    e.accounts["broken"].memory.instance(()).seen = "never"  # type: ignore[assignment]
    e.tick(T + 10)
    assert [s.slo.name for s in e.status(T + 10).slos] == ["sound"]
    assert e.accounts["broken"].fault is not None
    assert e.accounts["sound"].fault is None


def test_a_series_that_changed_its_name_before_a_restart_goes_on_after_it() -> None:
    e = engine()
    red, blue = (f'http_requests_total{{team="{team}"}}' for team in ("red", "blue"))
    feed(e, T, {red: 100.0})
    dumps = {"slo": e.dump("slo")}
    e.drain()
    feed(e, T + 10, {blue: 103.0})
    again = restored(e, dumps, [e.drain()])
    feed(again, T + 20, {blue: 105.0})
    assert counted(again) == (5, 0)
