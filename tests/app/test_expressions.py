"""Every request that takes a regular expression: RE2's are answered, and others are refused in one
line. Expressions that keep a backtracking engine busy stand beside short texts only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exporter.app.daemon import Daemon
from tests.app import test_exclusions as exclusions
from tests.app.test_daemon import SLO, PageServer, page, write
from tests.app.test_exclusions import ask, running
from tests.config.test_expressions import REFUSED, TAKEN
from tests.support import ManualClock

__all__ = ["page"]

T = 1_700_000_000.0
NOW = {"time": str(T)}
SPAN = {"start": str(T - 60), "end": str(T), "step": "60"}


def chosen(expression: str) -> str:
    """A selector of slod's own series by the expression."""
    return f"slo_objective_ratio{{slo=~{json.dumps(expression)}}}"


PLACES: dict[str, Any] = {
    "query": lambda e: ("query", {"query": chosen(e), **NOW}),
    "query, not": lambda e: ("query", {"query": chosen(e).replace("=~", "!~"), **NOW}),
    "query_range": lambda e: ("query_range", {"query": chosen(e), **SPAN}),
    "subquery": lambda e: ("query", {"query": f"max_over_time({chosen(e)}[5m:1m])", **NOW}),
    "label_replace": lambda e: (
        "query",
        {"query": f'label_replace(slo_objective_ratio,"a","","slo",{json.dumps(e)})', **NOW},
    ),
    "format_query": lambda e: ("format_query", {"query": chosen(e)}),
    "series": lambda e: ("series", {"match[]": chosen(e)}),
    "labels": lambda e: ("labels", {"match[]": chosen(e)}),
    "label values": lambda e: ("label/slo/values", {"match[]": chosen(e)}),
}


@pytest.fixture
async def daemon(tmp_path: Path, page: PageServer) -> AsyncIterator[Daemon]:
    file = write(tmp_path, page, SLO.format(objective=90))
    async with running(file, ManualClock(T)) as running_:
        yield running_


@pytest.mark.parametrize("place", PLACES)
async def test_queries(daemon: Daemon, place: str) -> None:
    for expression in TAKEN:
        path, params = PLACES[place](expression)
        status, answer = await ask(daemon, "GET", f"/api/v1/{path}", params=params)
        assert (status, answer["status"]) == (200, "success"), answer
    for expression, reason in REFUSED.items():
        path, params = PLACES[place](expression)
        status, answer = await ask(daemon, "GET", f"/api/v1/{path}", params=params)
        assert status == (422 if place == "label_replace" else 400), answer
        assert reason in answer["error"]
        assert "\n" not in answer["error"]


async def test_exclusions(daemon: Daemon) -> None:
    clock = ManualClock(T)
    for expression in TAKEN:
        slos = f"{{slo=~{json.dumps(expression)}}}"
        status, made = await ask(daemon, "POST", json=exclusions.outage(clock, slos=slos))
        assert (status, made["slos"]) == (201, slos)
    for expression, reason in REFUSED.items():
        slos = f"{{slo=~{json.dumps(expression)}}}"
        status, answer = await ask(daemon, "POST", json=exclusions.outage(clock, slos=slos))
        assert status == 400
        assert reason in answer["error"]
        assert "\n" not in answer["error"]
    _, listed = await ask(daemon, "GET")
    assert len(listed["exclusions"]) == len(TAKEN), "what is refused is not kept"


async def test_the_expressions_of_one_request_have_a_total(daemon: Daemon) -> None:
    one = [("match[]", chosen(f"(s{i}|h+)+op")) for i in range(51)]
    assert (await ask(daemon, "GET", "/api/v1/series", params=one[:50]))[0] == 200
    status, answer = await ask(daemon, "GET", "/api/v1/series", params=one)
    assert (status, "together with those before it" in answer["error"]) == (400, True)
    many = " or ".join(selector for _, selector in one)
    status, answer = await ask(daemon, "GET", "/api/v1/query", params={"query": many, **NOW})
    assert (status, "together with those before it" in answer["error"]) == (400, True)
