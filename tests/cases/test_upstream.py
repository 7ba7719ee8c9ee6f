"""The Prometheus in this process answers as real ones were seen to answer."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from tests.cases.stage import Request
from tests.cases.upstream import STALE, Flavour, Upstream, series


class Asked:
    """An upstream with one counter and a clock that is a number."""

    def __init__(self, flavour: Flavour | None = None) -> None:
        self.now = 1000.0
        self.upstream = Upstream(lambda: self.now, flavour)
        for index in range(10):
            at = 900.0 + 10 * index
            self.upstream.write(series("a_total", job="j", code="200"), at, 5.0 * index)
            self.upstream.write(series("up", job="j"), at, 1.0)
        self.upstream.write(series("a_total", job="j", code="200"), 995.0, STALE)

    def ask(self, path: str, **form: str) -> tuple[int, dict[str, Any]]:
        body = urlencode(form).encode()
        request = Request("POST", f"http://prom{path}", path, {}, form, body)
        found = self.upstream(request)
        return found.status, json.loads(found.body)

    def values(self, path: str, **form: str) -> list[list[Any]]:
        """The samples of the only series of an answer."""
        status, found = self.ask(path, **form)
        assert status == 200, found
        (row,) = found["data"]["result"]
        values: list[list[Any]] = row["values"]
        return values


def test_a_raw_range_is_open_at_its_left_end_and_has_stale_markers_by_flavour() -> None:
    query = {"query": "a_total[30s]", "time": "990"}
    assert Asked().values("/api/v1/query", **query) == [[970, "35"], [980, "40"], [990, "45"]]
    query = {"query": '{__name__=~"a_.*",job="j"}[10s]', "time": "1000"}
    assert Asked(Flavour(shows_stale_markers=True)).values("/api/v1/query", **query)[-1] == [
        995,
        "NaN",
    ]
    assert Asked().ask("/api/v1/query", **query)[1]["data"]["result"] == []


def test_samples_are_there_once_they_have_arrived_and_in_order() -> None:
    asked = Asked()
    asked.upstream.write(series("late"), 950.0, 2.0, 1010.0)
    asked.upstream.write(series("late"), 960.0, 3.0, 990.0)
    query = {"query": "late[5m]", "time": "1000"}
    assert asked.values("/api/v1/query", **query) == [[960, "3"]]
    asked.now = 1010.0
    assert asked.values("/api/v1/query", **query) == [[950, "2"], [960, "3"]]


def test_expressions_are_evaluated_and_what_is_wrong_is_refused() -> None:
    steps = {"start": "940", "end": "980", "step": "20"}
    asked = Asked()
    found = asked.values("/api/v1/query_range", query="sum(increase(a_total[20s]))", **steps)
    assert [value for _, value in found] == ["10", "10", "10"]
    status, wrong = asked.ask("/api/v1/query_range", query="sum(a_total", **steps)
    assert (status, wrong["errorType"]) == (400, "bad_data")


def test_a_range_query_leaves_out_what_is_held_back() -> None:
    steps = {"query": "up", "start": "930", "end": "1000", "step": "10"}
    asked = Asked(Flavour(holds_back=30.0, takes_offset=True))
    assert asked.values("/api/v1/query_range", **steps)[-1][0] == 970
    assert asked.values("/api/v1/query_range", latency_offset="1ms", **steps)[-1][0] == 990
    assert asked.values("/api/v1/query", query="a_total[30s]", time="990")[-1][0] == 990


def test_missing_parts_are_told_or_refused() -> None:
    asked = Asked()
    asked.upstream.hidden = lambda labels: labels["__name__"] == "up"
    assert asked.ask("/api/v1/query", query="a_total[1m]", time="990")[0] == 503
    form = {"query": "up or a_total", "time": "990"}
    status, found = asked.ask("/api/v1/query", **form)
    assert (status, found["isPartial"], len(found["data"]["result"])) == (200, True, 1)
    assert asked.ask("/api/v1/query", deny_partial_response="1", **form)[0] == 503
    asked.upstream.flavour = Flavour(partial="warnings")
    assert asked.ask("/api/v1/query", **form)[1]["warnings"]
    assert asked.ask("/api/v1/query", partial_response="false", **form)[0] == 422


def test_too_many_samples_are_refused_with_the_query_in_the_text() -> None:
    asked = Asked(Flavour(most_samples=3))
    status, found = asked.ask("/api/v1/query", query="a_total[1m]", time="990")
    assert (status, found["errorType"]) == (422, "422")
    assert "a_total[1m]" in found["error"] and "cannot select more than" in found["error"]
    assert asked.ask("/api/v1/query", query="a_total[30s]", time="990")[0] == 200
