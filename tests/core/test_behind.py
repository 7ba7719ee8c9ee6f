"""SLOs whose history is being fetched: they count, and decide nothing before it is there."""

from __future__ import annotations

from exporter.core.engine import Engine
from tests.core.builders import ERROR, OK, T, batch, counted, engine, slo, workbook


def names(of: Engine, now: float) -> list[str]:
    return [n.labels["alertname"] for n in of.tick(now).said]


def test_a_batch_is_counted_for_those_it_was_asked_for() -> None:
    e = engine(slo(), slo("other"))
    for at, count in ((T, 1.0), (T + 10, 3.0)):
        pages = {"a": {OK: count, ERROR: 0.0}}
        taken = e.ingest(batch(e, at, pages, own_clock=False, slos=frozenset({"slo"})))
        assert list(taken) == ["slo"]
    assert (counted(e), counted(e, "other")) == ((2, 0), (0, 0))
    assert [ask.since for ask in e.asks("app")] == [T + 10, None]


def test_one_that_is_behind_decides_nothing_and_misses_no_data_as_long_as_it_gets_on() -> None:
    e = engine(slo(rules=workbook()))
    e.behind("app", {"slo"}, T)
    long_ago = T - 86_400.0
    for i in range(360):
        pages = {"a": {OK: 0.0, ERROR: 5.0 * i}}
        at = long_ago + 10 * i
        e.ingest(batch(e, at, pages, own_clock=False, complete=False))
        e.behind("app", {"slo"}, T + 5 * i)
        assert names(e, T + 5 * i) == []
    # The server is gone: that is told, and still nothing is decided by half a history.
    gone = T + 5 * 359
    assert [name for i in range(0, 300, 5) for name in names(e, gone + i)] == []
    assert names(e, gone + 301) == ["SLIDataMissing"]


def test_when_the_history_is_there_the_alerts_are_what_it_says() -> None:
    e = engine(slo(rules=workbook()))
    e.behind("app", {"slo"}, T)
    for i in range(360):
        pages = {"a": {OK: 0.0, ERROR: 5.0 * i}}
        done = i == 359
        e.ingest(batch(e, T - 3590 + 10 * i, pages, own_clock=False, complete=done))
        e.behind("app", set() if done else {"slo"}, T)
        assert ("ErrorBudgetBurn" in names(e, T)) is done


def test_a_look_before_the_samples_that_were_asked_for_tells_of_no_birth() -> None:
    e = engine(slo())
    samples = [(T - 25 + 5 * k, 41_000.0 + 90 * k) for k in range(5)]
    # `up` is known from a little earlier on than the series.
    looks = [T - 35, T - 30, *(time for time, _ in samples)]
    found = batch(e, T, {"a": {OK: samples}}, own_clock=False, observed={"a": looks})
    found.asked = dict.fromkeys(found.readings, T - 30)
    e.ingest(found)
    assert counted(e) == (360, 0)
