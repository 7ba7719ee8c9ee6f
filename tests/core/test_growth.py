"""How work grows with SLOs: counted in steps of Python's machine, not in seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from exporter.core.selector import parse_selector
from exporter.core.slo import CounterSLI
from tests.core.builders import T, batch, engine, slo, workbook


def steps(work: Callable[[], object]) -> int:
    """How many instructions some work takes."""
    many = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal many
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        many += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return many


def polls(slos: int, own_clock: bool) -> int:
    """How many instructions three polls of a page for so many SLOs take, the last one after an
    hour without any sample."""
    of = engine(
        *(
            slo(
                f"slo-{n}",
                CounterSLI(parse_selector(f"bad_{n}"), parse_selector(f"all_{n}")),
                rules=workbook(),
            )
            for n in range(slos)
        )
    )
    of.ingest(batch(of, T, pages(slos, 0.0), own_clock=own_clock))
    several = [(at, batch(of, at, pages(slos, at - T), own_clock=own_clock)) for at in TIMES]

    def work() -> None:
        for at, one in several:
            assert len(of.ingest(one)) == slos
            of.tick(at)

    return steps(work)


TIMES = (T + 10, T + 20, T + 3600)


def pages(slos: int, count: float) -> dict[str, dict[str, float]]:
    return {"a": {name: count for n in range(slos) for name in (f"bad_{n}", f"all_{n}")}}


@pytest.mark.parametrize("own_clock", [True, False])
def test_a_poll_costs_as_much_for_each_of_many_slos_as_for_each_of_few(own_clock: bool) -> None:
    few, many = polls(20, own_clock), polls(100, own_clock)
    assert many / 100 == pytest.approx(few / 20, rel=0.1)
