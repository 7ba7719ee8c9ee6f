"""Work in steps: done at once it is as if there were no steps, failures included."""

from __future__ import annotations

import pytest

from exporter.core.counters import Counters
from exporter.core.long_work import Step, Steps, at_once
from tests.core.builders import engine, feed, slo


def steps(*numbers: int) -> Steps[list[float]]:
    """Divide by each number, and go on where that cannot be."""
    found: list[float] = []
    for number in numbers:
        try:
            yield Step(lambda n=number: found.append(12 / n), 1)
        except ZeroDivisionError:
            found.append(0.0)
    return found


def test_each_step_is_done_in_its_place_and_fails_there() -> None:
    assert at_once(steps(3, 0, 4)) == [4.0, 0.0, 3.0]
    assert at_once(steps()) == []


def test_what_nobody_catches_ends_it() -> None:
    def fails() -> Steps[None]:
        yield Step(lambda: int("none"), 1)

    with pytest.raises(ValueError, match="none"):
        at_once(fails())


def test_a_long_step_that_fails_is_a_failure_of_its_slo(monkeypatch: pytest.MonkeyPatch) -> None:
    of = engine(slo(), slo("other"))
    process = Counters.process

    def broken(counters: Counters, target: str, wanted: list) -> list:
        if counters.memory.slo.name == "slo":
            raise RuntimeError("not now")
        return process(counters, target, wanted)

    monkeypatch.setattr(Counters, "process", broken)
    feed(of, 1e9, {'http_requests_total{code="200"}': 1.0})
    assert of.accounts["slo"].fault == "RuntimeError: not now"
    assert of.accounts["other"].fault is None
