"""Answers that are none, or only a part of one, and what is asked instead."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from exporter.config.settings import Duration
from exporter.core.sample import Ask
from exporter.core.selector import Query, parse_selector
from exporter.http import Response
from exporter.sources.asker import Asker
from exporter.sources.base import Poll
from exporter.sources.promapi import read
from exporter.sources.refusals import TooMuch, partial, refusal
from tests.sources.kit import running, serving
from tests.sources.test_prometheus import API, NOW, SERIES, M, matrix, source, step
from tests.sources.upstream import Upstream
from tests.support import ManualClock

VM = 'error when executing query="%s" for (time=1796066498246, step=300000): '


@pytest.mark.parametrize(
    ("status", "kind", "text", "reason"),
    [
        # Prometheus
        (422, "execution", ("query processing would load too many samples into memory in query"
         " execution"), "too_much"),
        (400, "bad_data", ("exceeded maximum resolution of 11,000 points per timeseries. Try"
         " decreasing the query resolution (?step=XX)"), "too_much"),
        (400, "bad_data", ('invalid parameter "query": 1:1: parse error: unknown function with name'
         ' "exceeded_maximum"'), "bad_query"),
        (422, "execution", ('found duplicate series for the match group {a="too many samples into'
         ' memory"} on the right hand-side of the operation'), "bad_query"),
        (503, "timeout", "query timed out in query execution", "timeout"),
        # VictoriaMetrics
        (422, "422", VM % r"m{a=\"b\"}[2h]" + "cannot select more than -search.maxSamplesPerQuery="
         "2000 samples; possible solutions: to increase it", "too_much"),
        (422, "422", ('error when exporting data for query="m" on the time range (start=1, end=2): '
         "cannot fetch data: cannot select more than -search.maxSamplesPerQuery=9"), "too_much"),
        (422, "422", VM % "m" + "too many points for the given step=1000, start=0 and end=17: 18;"
         " cannot exceed -search.maxPointsPerTimeseries=30000", "too_much"),
        (422, "422", VM % "m" + "the number of matching timeseries exceeds 3; either narrow down"
         " the search", "too_much"),
        (422, "422", VM % "rte(rate_limit_exceeded_maximum_total[5m])" + 'unknown func "rte"',
         "bad_query"),
        (503, "503", "cannot fetch query results from vmstorage nodes", "http_status"),
        # Cortex and Mimir
        (400, "bad_data", ("the query time range exceeds the limit (query length: 2h0m30s, limit:"
         " 1h0m0s)"), "too_much"),
        (422, "execution", ("expanding series: the query hit the max number of series limit (limit:"
         " 1 series)"), "too_much"),
        (422, "execution", ("expanding series: the query hit the aggregated chunks size limit"
         " (limit: 1 bytes)"), "too_much"),
        (422, "execution", ("the query exceeded the maximum number of chunks (limit: 2 chunks)"
         " (err-mimir-max-chunks-per-query). Consider reducing the time range"), "too_much"),
        (401, "", "no org id", "unauthorized"),
        (429, "too_many_requests", "too many outstanding requests", "rate_limited"),
        # Thanos
        (422, "execution", ("expanding series: proxy Series(): rpc error: code = Aborted desc ="
         ' fetch series for {a="b"}: rpc error: code = ResourceExhausted desc = exceeded series'
         " limit: limit 1 violated (got 2)"), "too_much"),
        (422, "execution", ("expanding series: proxy Series(): rpc error: code = Unavailable desc ="
         " connection refused"), "http_status"),
        # Whoever stands before them
        (413, "", "", "too_much"),
        (400, "", "", "http_status"),
        (200, "", "", "malformed"),
    ],
)  # fmt: skip
def test_reasons_are_told_by_what_servers_write(
    status: int, kind: str, text: str, reason: str
) -> None:
    error = refusal(status, text, kind)
    assert error.reason == reason
    assert isinstance(error, TooMuch) is (reason == "too_much")
    assert "time=1796066498246" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("warning", "reason"),
    [
        (("PromQL info: metric might not be a counter, name does not end in _total/_sum/_count"
         '/_bucket: "partial_unavailable" (1:6)'), None),
        ("PromQL warning: encountered a mix of histograms and floats for aggregation", None),
        ("something that nobody knows", None),
        ('receive series from Addr: 10.0.0.7:10901: rpc error: code = Unavailable', "partial"),
        ("failed to receive any data in 5s from {cluster=\"a\"}", "partial"),
        ("Please retry later, the query may not have processed all recently ingested time series",
         "partial"),
        ("Remote server http://r/api/v1/read returned HTTP status 400 Bad Request", "partial"),
        ("results truncated due to limit", "partial"),
        ("No StoreAPIs matched for this query", "bad_query"),
    ],
)  # fmt: skip
def test_warnings_that_mean_that_data_are_missing_are_errors(
    warning: str, reason: str | None
) -> None:
    error = partial(warning, recent=True)
    assert (error.reason if error else None) == reason


def test_that_nobody_kept_what_is_old_is_no_error() -> None:
    body = b'{"status":"success","warnings":["No StoreAPIs matched for this query"]}'
    assert read(Response(200, {}, body), recent=False).warnings
    with pytest.raises(Exception, match="No StoreAPIs"):
        read(Response(200, {}, body))


async def test_servers_are_asked_to_refuse_what_they_have_in_part_only() -> None:
    upstream = Upstream(ManualClock(NOW))
    async with serving(upstream) as url:
        async with running(source(url, upstream.clock), [M, Query("q")]) as polls:
            await polls.count(1)
    for _, form in upstream.asked:
        assert (form["deny_partial_response"], form["partial_response"]) == ("1", "false")


@pytest.mark.parametrize(
    "beside",
    [{"isPartial": True}, {"warnings": ["fetch series for {} x: rpc error: code = Unavailable"]}],
)
async def test_a_part_of_an_answer_is_an_error_and_is_asked_for_again(
    beside: dict[str, Any],
) -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    upstream.add("m", [(NOW - 5, 1), (NOW + 10, 2)], job="x")
    upstream.refuses = lambda path, form: matrix() | beside
    async with serving(upstream) as url, running(source(url, clock), [M]) as polls:
        [first] = await polls.count(1)
        assert first.error is not None
        assert (first.batch, first.error.reason) == (None, "partial")
        upstream.refuses = lambda path, form: None
        second = await step(clock, polls)
    assert second.batch is not None
    assert [r.samples for r in second.batch.readings[M]] == [[(NOW - 5, 1.0), (NOW + 10, 2.0)]]


def refused(text: str, status: int = 422) -> web.Response:
    body = {"status": "error", "errorType": str(status), "error": text}
    return web.json_response(body, status=status)


async def test_what_is_too_much_in_a_short_range_is_asked_for_in_parts_of_its_series() -> None:
    """VictoriaMetrics counts whole blocks, however few of their samples are asked for."""
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    want = parse_selector('m{job="x"}')
    for code in ("200", "404", "500", "50.3"):
        upstream.add("m", [(NOW - 5, int(code[:2]))], job="x", code=code, instance="i:1")
    upstream.add("m", [(NOW - 5, 9)], job="x", instance="i:1")

    def refuses(path: str, form: dict[str, str]) -> Any:
        if "query" in form and form["query"].startswith(("m", '{__name__="m"')):
            if len(upstream.answer(path, form)["data"]["result"]) > 1:
                return refused("cannot select more than -search.maxSamplesPerQuery=1 samples")
        return None

    upstream.refuses = refuses
    async with serving(upstream) as url, running(source(url, clock), [want]) as polls:
        [poll] = await polls.count(1)
    assert poll.error is None
    assert poll.batch is not None
    found = {r.series.labels.get("code"): r.samples for r in poll.batch.readings[want]}
    assert found == {
        "200": [(NOW - 5, 20.0)],
        "404": [(NOW - 5, 40.0)],
        "500": [(NOW - 5, 50.0)],
        "50.3": [(NOW - 5, 50.0)],
        None: [(NOW - 5, 9.0)],
    }


async def test_a_chunk_that_takes_too_long_is_smaller_when_it_is_tried_again() -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    upstream.refuses = lambda path, form: (
        web.json_response(
            {"status": "error", "errorType": "timeout", "error": "query timed out"}, status=503
        )
        if "h" in form["query"].partition("[")[2]
        else None
    )
    async with serving(upstream) as url:
        filled = source(url, clock, backfill=Duration(7200), chunk=Duration(7200))
        async with running(filled, [Ask("slo", (M,), NOW - 7200)]) as polls:

            def whole(found: list[Poll]) -> bool:
                return any(poll.batch and poll.batch.complete for poll in found)

            while not whole(polls.all):
                await step(clock, polls)
    reasons = [poll.error.reason for poll in polls.all if poll.error]
    # Two hours, one hour, and once more when it has grown again.
    assert reasons == ["timeout"] * 3


async def test_a_fault_of_slod_is_logged_once_until_its_polls_work_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = True
    ask = Asker.ask

    async def maybe(self: Asker, *args: Any, **more: Any) -> Poll:
        if broken:
            raise RuntimeError("nobody foresaw it")
        return await ask(self, *args, **more)

    monkeypatch.setattr(Asker, "ask", maybe)
    clock = ManualClock(NOW)
    api = API(lambda path, form: matrix((SERIES, [[NOW, "5"]])))
    with capture_logs() as logs:
        async with serving(api) as url, running(source(url, clock), [M]) as polls:
            for now_broken in (True, True, False, False, True, True):
                broken = now_broken
                await step(clock, polls)
    assert [one["event"] for one in logs].count("part.failed") == 2
    assert {one["part"] for one in logs if one["event"] == "part.failed"} == {"source:prom"}
