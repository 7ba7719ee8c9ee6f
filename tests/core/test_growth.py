"""How work grows with SLOs, targets and alerts: counted in instructions, not in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exporter.core.engine import Engine
from exporter.core.outbox import Route
from exporter.core.selector import parse_selector
from exporter.core.slo import CounterSLI
from tests.core.builders import ERROR, LONG_AGO, OK, T, aged, batch, engine, feed, slo, workbook
from tests.support import instructions

TIMES = (T + 10, T + 20, T + 3600)
MANAGER = Route("am", "am c", (), 60.0)


def many(slos: int) -> Engine:
    """An engine with so many SLOs, each of two counters of its own."""
    return engine(
        *(
            slo(
                f"slo-{n}",
                CounterSLI(parse_selector(f"bad_{n}"), parse_selector(f"all_{n}")),
                rules=workbook(),
            )
            for n in range(slos)
        ),
        routes=[MANAGER],
    )


def page(slos: int, count: float, bad: float = 0.0) -> dict[str, dict[str, float]]:
    """What they ask for, at one target."""
    each = (("bad", bad), ("all", count))
    return {"a": {f"{name}_{n}": value for n in range(slos) for name, value in each}}


def polls(slos: int, own_clock: bool) -> int:
    """Three polls, the last one after an hour without any sample."""
    of = many(slos)
    of.ingest(batch(of, T, page(slos, 0.0), own_clock=own_clock))
    several = [(at, batch(of, at, page(slos, at - T), own_clock=own_clock)) for at in TIMES]

    def work() -> None:
        for at, one in several:
            assert len(of.ingest(one)) == slos
            of.tick(at)

    return instructions(work)


@pytest.mark.parametrize("own_clock", [True, False])
def test_a_poll_costs_as_much_for_each_of_many_slos_as_for_each_of_few(own_clock: bool) -> None:
    assert polls(100, own_clock) / 100 == pytest.approx(polls(20, own_clock) / 20, rel=0.1)


def tick_while_nobody_listens(slos: int) -> int:
    """A tick while an alert of every SLO fires, and an Alertmanager has not heard of any."""
    of = aged(many(slos))
    for at, count in ((T, 0.0), (T + 10, 1000.0), (T + 20, 2000.0)):
        of.ingest(batch(of, at, page(slos, count, count)))
        of.tick(at)
    assert of.outbox.waiting(MANAGER.endpoint) >= slos
    return instructions(lambda: of.tick(T + 21))


def test_a_receiver_that_is_away_costs_as_much_for_each_of_many_alerts_as_of_few() -> None:
    few, more = tick_while_nobody_listens(10), tick_while_nobody_listens(50)
    assert more / 50 == pytest.approx(few / 10, rel=0.1)


def first_errors(targets: int) -> int:
    """A poll in which every target shows a series that was not there before."""
    of = engine()
    names = [f"t{n}" for n in range(targets)]
    started = dict.fromkeys(names, LONG_AGO)
    of.ingest(batch(of, T, {name: {OK: 1.0} for name in names}, started=started))
    one = batch(of, T + 10, {name: {OK: 2.0, ERROR: 1.0} for name in names}, started=started)
    return instructions(lambda: of.ingest(one))


def test_a_new_series_costs_as_much_at_each_of_many_targets_as_of_few() -> None:
    assert first_errors(100) / 100 == pytest.approx(first_errors(20) / 20, rel=0.1)


# --- looks that have to be explained ------------------------------------------------------------


def series(count: int, value: float, version: str = "1") -> dict[str, float]:
    """So many series of one page."""
    return {f'http_requests_total{{path="/{k}",v="{version}"}}': value + k for k in range(count)}


def explained(count: int, known: int, shown: dict[str, float], **more: Any) -> int:
    """A look, after three usual ones at so many series."""
    of = engine()
    for k in range(3):
        feed(of, T + 10 * k, series(known, 1e6 + 100 * k))
    one = batch(of, T + 30, {"a": shown}, **more)
    return instructions(lambda: of.ingest(one)) // count


LOOKS: dict[str, Callable[[int], int]] = {
    "all are reset at once": lambda n: explained(n, n, series(n, 3.0)),
    "and the start time shows it": lambda n: explained(n, n, series(n, 3.0), started={"a": T + 25}),
    "all go on under other names": lambda n: explained(n, n, series(n, 1e6 + 300, "2")),
    "all but one are born": lambda n: explained(n, 1, series(n, 1e6 + 300)),
    "all but one are gone": lambda n: explained(n, n, series(1, 1e6 + 300)) + 1000,
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_costs_as_much_for_each_of_many_series_as_of_few(look: str) -> None:
    cost = LOOKS[look]
    assert cost(200) <= 1.2 * cost(50)


def met(targets: int, page: str) -> int:
    """A poll in which so many targets appear at once, in their own right or on another's page."""
    of = engine()
    for k in range(3):
        of.ingest(batch(of, T + 10 * k, {"old": {OK: 100.0 * k}}, page=page))
    pages = {f"t{n}": {OK: 50.0, ERROR: 2.0} for n in range(targets)}
    one = batch(of, T + 30, pages, started=dict.fromkeys(pages, T + 25), page=page)
    return instructions(lambda: of.ingest(one)) // targets


@pytest.mark.parametrize("page", ["", "relay"])
def test_a_new_target_costs_as_much_among_many_as_among_few(page: str) -> None:
    assert met(100, page) <= 1.2 * met(30, page)


def history(looks: int) -> int:
    """A history of so many looks, with a restart in every twentieth."""
    of = engine()
    feed(of, T, series(5, 1e6), own_clock=False)
    page = {
        key: [(T + 10 * k, value + 100 * (k % 20)) for k in range(1, looks)]
        for key, value in series(5, 50.0).items()
    }
    starts = [(T + 10 * k, T + 10 * k - 5) for k in range(20, looks, 20)]
    one = batch(of, T + 10 * looks, {"a": page}, started={"a": starts}, own_clock=False)
    return instructions(lambda: of.ingest(one)) // looks


def test_a_long_history_costs_as_much_for_each_look_as_a_short_one() -> None:
    assert history(1000) <= 1.2 * history(250)


@pytest.mark.parametrize("kind", ["one label for all", "each in its own way", "all but one new"])
def test_a_relabelling_costs_as_much_for_each_of_many_series_as_for_each_of_few(kind: str) -> None:
    def names(series: int, version: int) -> list[str]:
        own = version if kind == "each in its own way" else 0
        news = [k < series - 1 if kind == "all but one new" else True for k in range(series)]
        return [
            f'all_0{{path="/p/{k + own * (k % 7)}",version="v{version if news[k] else 0}"}}'
            for k in range(series)
        ]

    def relabelled(series: int) -> int:
        of = many(1)
        for poll in range(3):
            counts = dict.fromkeys(names(series, 0), 100.0 * (poll + 1))
            of.ingest(batch(of, T + 10 * poll, {"a": counts}))
        last = batch(of, T + 30, {"a": dict.fromkeys(names(series, 1), 400.0)})
        return instructions(lambda: of.ingest(last))

    # A logarithm may grow, not more: four times the series are at most five times the work.
    assert relabelled(400) < 5 * relabelled(100)
