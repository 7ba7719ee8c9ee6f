"""The Prometheus source against a server that answers literal JSON, on a clock the test moves."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.config.settings import BasicAuth, Duration
from exporter.config.settings import PrometheusSource as Settings
from exporter.core.sample import Ask, NativeHistogram, Target
from exporter.core.selector import Query, Want, parse_selector
from exporter.errors import SourceError
from exporter.http import Client
from exporter.sources.base import Poll
from exporter.sources.prometheus import PrometheusSource
from tests.sources.kit import Polls, running, serving
from tests.support import ManualClock

NOW = 1_700_000_000.0
M, N = parse_selector('m{job="x"}'), parse_selector("n")


class API:
    """Answers queries; `answer(path, form)` gives the JSON, or a response."""

    def __init__(self, answer: Callable[[str, dict[str, str]], Any]) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.headers: dict[str, str] = {}
        self._answer = answer

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        form = dict(request.query) or {k: str(v) for k, v in (await request.post()).items()}
        form.setdefault("query", form.get("match[]", ""))
        self.headers = dict(request.headers)
        self.asked.append((request.method, request.path, form))
        answer = self._answer(request.path, form)
        return answer if isinstance(answer, web.Response) else web.json_response(answer)

    @property
    def queries(self) -> list[str]:
        return [form["query"] for _, _, form in self.asked]


def matrix(*rows: tuple[dict[str, str], list[list[Any]]]) -> dict[str, Any]:
    result = [{"metric": metric, "values": values} for metric, values in rows]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


SERIES = {"__name__": "m", "job": "x", "instance": "i:1", "code": "200"}


def source(url: str, clock: ManualClock, **more: Any) -> PrometheusSource:
    settings = Settings(name="prom", url=url, interval=Duration(15), **more)
    return PrometheusSource(settings, Client(settings), clock)


async def step(clock: ManualClock, polls: Polls, seconds: float = 15.0) -> Poll:
    """Move on to the next poll; what came of it."""
    before = len(polls.all)
    await clock.until_sleeping()
    await clock.advance(seconds)
    return (await polls.count(before + 1))[-1]


def one(poll: Poll, want: Want = M) -> Any:
    assert poll.batch is not None
    [reading] = poll.batch.readings[want]
    return reading


async def test_raw_samples_are_asked_for_with_an_overlap_and_become_readings() -> None:
    api = API(lambda path, form: matrix((SERIES, [[NOW - 20, "5"], [NOW - 5, "7.5"]])))
    clock = ManualClock(NOW)
    async with serving(api) as url, running(source(url, clock), [M]) as polls:
        [first] = await polls.count(1)
        second = await step(clock, polls)
    reading = one(first)
    assert reading.samples == [(NOW - 20, 5.0), (NOW - 5, 7.5)]
    assert reading.series.key == 'm{code="200",instance="i:1",job="x"}'
    assert reading.series.target == "x/i:1"
    assert one(second).series is reading.series
    assert first.batch is not None
    assert (first.batch.own_clock, first.batch.complete) == (False, True)
    asked = [q for q in api.queries if q.startswith("m")]
    assert asked == ['m{job="x"}[30s]', 'm{job="x"}[45s]']
    assert api.asked[0][:2] == ("POST", "/api/v1/query")


async def test_after_an_outage_the_range_reaches_back_over_it_in_chunks() -> None:
    down = False

    def answer(path: str, form: dict[str, str]) -> Any:
        return web.Response(status=503, text="sorry") if down else matrix()

    api = API(answer)
    clock = ManualClock(NOW)
    async with serving(api) as url:
        async with running(source(url, clock, chunk=Duration(3600)), [M]) as polls:
            await polls.count(1)
            down = True
            failed = await step(clock, polls)
            assert failed.error is not None
            assert (failed.batch, failed.error.reason) == (None, "http_status")
            await clock.until_sleeping()
            await clock.advance(9000)
            down = False
            api.asked.clear()
            before = len(polls.all)
            await step(clock, polls)
            all_ = await polls.until(lambda p: bool(p[-1].batch and p[-1].batch.complete))
    batches = [p.batch for p in all_[before:] if p.batch]
    assert [b.complete for b in batches] == [False, False, True]
    assert [q.partition("[")[2] for q in api.queries[:2]] == ["1h30s]", "1h30s]"]
    assert len(api.queries) == 3
    assert batches[0].at < batches[1].at < batches[2].at


async def test_at_the_first_start_history_is_filled_up_and_later_only_what_was_missed() -> None:
    api = API(lambda path, form: matrix())
    clock = ManualClock(NOW)
    async with serving(api) as url:
        filled = source(url, clock, backfill=Duration(7200), chunk=Duration(3600))
        async with running(filled, [M]) as polls:
            await polls.until(lambda p: bool(p and p[-1].batch and p[-1].batch.complete))
        # The very first samples are baselines, so those are few.
        assert api.queries == ['m{job="x"}[45s]', 'm{job="x"}[1h30s]', 'm{job="x"}[1h15s]']
        api.asked.clear()
        again = source(url, clock, backfill=Duration(7200), chunk=Duration(3600))
        async with running(again, [M], NOW - 600) as polls:
            await polls.count(1)
    assert api.queries == ['m{job="x"}[10m30s]']


async def test_a_server_that_will_not_answer_so_much_is_asked_for_less() -> None:
    def answer(path: str, form: dict[str, str]) -> Any:
        if "h" in form["query"].partition("[")[2]:
            error = "query processing would load too many samples into memory"
            body = {"status": "error", "errorType": "execution", "error": error}
            return web.json_response(body, status=422)
        return matrix()

    api = API(answer)
    clock = ManualClock(NOW)
    async with serving(api) as url:
        async with running(source(url, clock, backfill=Duration(7200)), [M]) as polls:
            all_ = await polls.until(lambda p: bool(p and p[-1].batch and p[-1].batch.complete))
    assert all(p.error is None for p in all_)
    assert [p.batch.at - NOW for p in all_ if p.batch] == [-7185, -5388.75, -3592.5, -1796.25, 0]


async def test_a_want_that_fails_is_named_and_the_others_are_delivered() -> None:
    broken = True

    def answer(path: str, form: dict[str, str]) -> Any:
        if form["query"].startswith("n") and broken:
            body = {"status": "error", "errorType": "bad_data", "error": "parse error"}
            return web.json_response(body, status=400)
        return matrix((SERIES, [[NOW, "1"]]))

    api = API(answer)
    clock = ManualClock(NOW)
    async with serving(api) as url, running(source(url, clock), [M, N]) as polls:
        [first] = await polls.count(1)
        assert first.batch is not None
        assert (first.batch.failed, list(first.batch.readings)) == ({N}, [M])
        # The server is well: it is the fault of those who ask for it.
        assert first.error is None
        assert first.faults == {"n": "n: answered 400: parse error"}
        broken = False
        api.asked.clear()
        second = await step(clock, polls)
        assert second.error is None
        assert {q for q in api.queries if q[0] in "mn"} == {'m{job="x"}[45s]', "n[45s]"}


async def test_where_post_is_not_allowed_get_is_used_for_good() -> None:
    api = API(lambda path, form: matrix())

    async def no_post(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            api.asked.append(("POST", request.path, {}))
            return web.Response(status=405)
        return await api(request)

    clock = ManualClock(NOW)
    async with serving(no_post) as url, running(source(f"{url}/prefix/", clock), [M]) as polls:
        await polls.count(1)
        await step(clock, polls)
    assert [(method, path) for method, path, _ in api.asked] == [
        ("POST", "/prefix/api/v1/query"),
        ("GET", "/prefix/api/v1/query"),
        ("GET", "/prefix/api/v1/query"),
    ]


async def test_credentials_are_read_anew_for_every_request(tmp_path: Path) -> None:
    api = API(lambda path, form: matrix())
    clock = ManualClock(NOW)
    token = tmp_path / "token"
    token.write_text("first\n")
    async with serving(api) as url:
        with_token = source(
            url, clock, bearer_token_file=str(token), headers={"X-Scope-OrgID": "t"}
        )
        async with running(with_token, [M]) as polls:
            await polls.count(1)
            assert api.headers["Authorization"] == "Bearer first"
            assert api.headers["X-Scope-OrgID"] == "t"
            token.write_text("second")
            await step(clock, polls)
            assert api.headers["Authorization"] == "Bearer second"
            token.unlink()
            failed = await step(clock, polls)
            assert failed.error is not None
            assert failed.error.reason == "config"
        (tmp_path / "password").write_text("p:w")
        login = BasicAuth(username="me", password_file=str(tmp_path / "password"))
        async with running(source(url, clock, basic_auth=login), [M]) as polls:
            await polls.count(1)
    assert api.headers["Authorization"] == "Basic bWU6cDp3"


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (200, "<html>log in</html>", "malformed"),
        (401, "no", "unauthorized"),
        (403, "no", "unauthorized"),
        (500, "oops", "http_status"),
        (200, '{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}', "malformed"),
        (200, '{"status":"success","data":{"resultType":"matrix","result":[3]}}', "malformed"),
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_an_error_with_a_reason(
    status: int, text: str, reason: str
) -> None:
    api = API(lambda path, form: web.Response(status=status, text=text))
    async with serving(api) as url, running(source(url, ManualClock(NOW)), [M]) as polls:
        [poll] = await polls.count(1)
    assert poll.error is not None
    assert (poll.batch, poll.error.reason) == (None, reason)


async def test_a_server_that_asks_to_wait_is_left_alone_for_so_long() -> None:
    limited = web.Response(status=429, headers={"Retry-After": "40"})
    answers: list[Any] = [limited, matrix(), matrix()]
    api = API(lambda path, form: answers.pop(0))
    clock = ManualClock(NOW)
    async with serving(api) as url, running(source(url, clock), [M]) as polls:
        [first] = await polls.count(1)
        assert first.error is not None
        assert first.error.reason == "rate_limited"
        for _ in range(2):
            await clock.until_sleeping()
            await clock.advance(15)
        assert len(api.asked) == 1
        await step(clock, polls)
    assert len(api.asked) == 2


async def test_facts_of_targets_are_asked_for_with_every_poll() -> None:
    def answer(path: str, form: dict[str, str]) -> Any:
        if form["query"].startswith("m"):
            return matrix((SERIES, [[at_end(form) - 1, "3"]]))
        if form["query"].startswith("count"):
            return matrix()
        x, there = {"__name__": "up", "job": "x", "instance": "i:1"}, at_end(form)
        began = {**x, "__name__": "process_start_time_seconds"}
        gone = {**x, "instance": "i:2"}
        return matrix(
            (x, [[there - 9, "0"], [there - 5, "1"], [there - 1, "1"]]),
            (began, [[there - 5, "1699999999.5"], [there - 3, "NaN"], [there - 1, "1.7e9"]]),
            (gone, [[there - 5, "1"], [there - 1, "0"]]),
            ({**x, "__name__": "something_else"}, [[there, "1"]]),
        )

    api = API(answer)
    clock = ManualClock(NOW)
    async with serving(api) as url, running(source(url, clock), [M]) as polls:
        [first] = await polls.count(1)
        second = await step(clock, polls)
    facts = '{__name__=~"process_start_time_seconds|up",job="x"}'
    assert api.queries == [
        'm{job="x"}[30s]',
        (
            'count by (__name__, job) ({__name__=~"up|process_start_time_seconds'
            '|.+_process_start_time_seconds",job="x"})'
        ),
        f"{facts}[45s]",
        'm{job="x"}[45s]',
        f"{facts}[1m]",
    ]
    for at, poll in ((NOW, first), (NOW + 15, second)):
        assert poll.batch is not None
        assert poll.batch.targets == {
            "x/i:1": Target([(at - 5, 1699999999.5), (at - 1, 1.7e9)], [at - 5, at - 1], False),
            "x/i:2": Target([], [at - 5], True),
        }


async def test_facts_that_are_not_to_be_had_are_an_error_that_the_next_poll_bridges() -> None:
    well = False

    def answer(path: str, form: dict[str, str]) -> Any:
        if not form["query"].startswith("m") and not well:
            return web.Response(status=503)
        return matrix(*([(SERIES, [[NOW - 1, "3"]])] if form["query"].startswith("m") else []))

    api = API(answer)
    clock = ManualClock(NOW)
    async with serving(api) as url, running(source(url, clock), [M]) as polls:
        [failed] = await polls.count(1)
        assert failed.error is not None
        assert (failed.batch, failed.error.reason) == (None, "http_status")
        well = True
        api.asked.clear()
        assert (await step(clock, polls)).error is None
    assert api.queries[0] == 'm{job="x"}[45s]'


async def test_a_server_that_refuses_to_be_asked_for_facts_is_asked_for_samples_all_the_same() -> (
    None
):
    def answer(path: str, form: dict[str, str]) -> Any:
        if form["query"].startswith("m"):
            return matrix((SERIES, [[NOW - 1, "3"]]))
        body = {"status": "error", "errorType": "bad_data", "error": "one metric at a time"}
        return web.json_response(body, status=400)

    async with serving(API(answer)) as url:
        async with running(source(url, ManualClock(NOW)), [M]) as polls:
            [poll] = await polls.count(1)
    assert poll.error is None
    assert poll.batch is not None
    assert (poll.batch.targets, len(poll.batch.readings[M])) == ({}, 1)


async def test_a_query_is_asked_for_at_each_step_of_the_interval_that_is_missing() -> None:
    api = API(lambda path, form: matrix(({}, [[NOW, "0.5"]])))
    clock = ManualClock(NOW + 3)
    ratio = Query("a / sum(rate(b[{{ .window }}]))")
    async with serving(api) as url, running(source(url, clock), [ratio]) as polls:
        await polls.count(1)
        await step(clock, polls)
    assert api.asked[-1][1] == "/api/v1/query_range"
    form = api.asked[-1][2]
    assert form["query"] == "a / sum(rate(b[15s]))"
    # What had no answer may have one now, but nothing from before the first step.
    assert (form["start"], form["end"]) == (f"{NOW - 5:.3f}", f"{NOW + 10:.3f}")
    assert form["step"] == "15"


async def test_nan_and_native_histograms_come_through() -> None:
    histogram = {
        "count": "4",
        "sum": "9",
        "buckets": [[0, "0.5", "1", "3"], [3, "-0.1", "0.1", "1"]],
    }
    result = [{"metric": SERIES, "values": [[NOW, "NaN"]], "histograms": [[NOW - 1, histogram]]}]
    body = {
        "status": "success",
        "data": {"resultType": "matrix", "result": result},
        "warnings": ["w"],
    }
    async with serving(API(lambda p, f: body)) as url:
        async with running(source(url, ManualClock(NOW)), [M]) as polls:
            [poll] = await polls.count(1)
    (_, native), (_, value) = one(poll).samples
    assert native == NativeHistogram(4.0, ((0.5, 1.0, 3.0), (-0.1, 0.1, 1.0)))
    assert isinstance(value, float)
    assert math.isnan(value)


async def test_bounds_are_the_le_values_there_are() -> None:
    rows = [{"metric": {"le": le}, "value": [NOW, "1"]} for le in ("1", "0.5", "+Inf")]
    body = {"status": "success", "data": {"resultType": "vector", "result": rows}}
    api = API(lambda path, form: body)
    async with serving(api) as url:
        asked = source(url, ManualClock(NOW))
        assert await asked.bounds(parse_selector('h{job="x"}')) == [0.5, 1.0]
        async with running(asked, []) as polls:
            await polls.count(1)
    assert api.queries == ['count by (le) (h_bucket{job="x"})']


async def test_a_server_that_is_not_there_is_refused_without_its_password_in_the_error() -> None:
    clock = ManualClock(NOW)
    asked = source("http://me:secret@127.0.0.1:1", clock)
    async with running(asked, [M]) as polls:
        [poll] = await polls.count(1)
    assert isinstance(poll.error, SourceError)
    assert poll.error.reason == "refused"
    assert "secret" not in str(poll.error) + poll.target


# --- those that are behind ------------------------------------------------------------------------


def at_end(form: dict[str, str]) -> float:
    return float(form["time"])


async def test_one_that_needs_its_history_is_filled_alone_while_the_others_go_on() -> None:
    api = API(lambda path, form: matrix())
    clock = ManualClock(NOW)
    async with serving(api) as url:
        asked = source(url, clock, backfill=Duration(7200), chunk=Duration(3600))
        polls = Polls()
        asks = [Ask("old", (M,), NOW - 30), Ask("new", (M, N))]
        task = asyncio.create_task(asked.run(asks, polls))
        await polls.until(lambda p: bool(p) and asked.progress == 1.0)
        both = await step(clock, polls)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    slos = [sorted(p.batch.slos or ()) for p in polls.all if p.batch]
    assert slos == [["old"], ["new"], ["new"], ["new"], ["new", "old"]]
    assert both.batch is not None and both.batch.complete
    queries = list(api.queries)
    assert queries[0] == 'm{job="x"}[2m30s]'
    # The live one has no samples at all, so they are looked for further back once.
    queries.remove('m{job="x"}[1h]')
    assert sorted(q.partition("[")[0] for q in queries[1:7]) == ['m{job="x"}'] * 3 + ["n"] * 3


async def test_one_that_cannot_be_fetched_holds_up_nobody_else() -> None:
    def answer(path: str, form: dict[str, str]) -> Any:
        if form["query"].startswith("n"):
            body = {"status": "error", "errorType": "bad_data", "error": "parse error"}
            return web.json_response(body, status=400)
        return matrix((SERIES, [[at_end(form), "1"]]))

    api = API(answer)
    clock = ManualClock(NOW)
    async with serving(api) as url:
        asked = source(url, clock, backfill=Duration(7200), chunk=Duration(3600))
        async with running(asked, [M, N]) as polls:
            await polls.until(lambda p: bool(p and p[-1].batch and p[-1].batch.complete))
            # What the server refuses for good is nothing to wait for.
            assert (asked.progress, asked.behind) == (1.0, set())
            before = len(polls.all)
            await step(clock, polls)
            await step(clock, polls)
            later = polls.all[before:]
    done = [p.batch.slos for p in later if p.batch]
    assert set(done) == {frozenset({str(M)})}
    assert {p.error for p in later} == {None}
    assert [p.faults for p in later if p.faults][-1] == {"n": "n: answered 400: parse error"}


async def test_history_that_is_too_much_for_one_is_fetched_for_the_others() -> None:
    def answer(path: str, form: dict[str, str]) -> Any:
        if form["query"].startswith("n"):
            error = "query processing would load too many samples into memory"
            body = {"status": "error", "errorType": "execution", "error": error}
            return web.json_response(body, status=422)
        return matrix()

    clock = ManualClock(NOW)
    async with serving(API(answer)) as url:
        asked = source(url, clock, backfill=Duration(600))
        async with running(asked, [M, N]) as polls:
            await polls.until(lambda p: any(q.batch and q.batch.complete for q in p))
            await step(clock, polls)
            await polls.until(lambda p: bool(p) and asked.progress == 1.0)
    found = [p for p in polls.all if p.batch]
    assert {p.batch.slos for p in found if p.batch} == {frozenset({str(M)})}
    assert {p.error.reason for p in polls.all if p.error} == {"too_much"}


async def test_history_comes_in_time_order_and_tells_what_was_there_before_a_birth() -> None:
    start, born = NOW - 7200, NOW - 3000

    def answer(path: str, form: dict[str, str]) -> Any:
        end = at_end(form)
        times = [start + 60 * i for i in range(121) if start + 60 * i <= end]
        if form["query"].startswith("{"):
            return matrix(({**SERIES, "__name__": "up"}, [[t, "1"] for t in times]))
        if not form["query"].startswith("m"):
            return matrix()
        rows = [(SERIES, [[t, str(t - start)] for t in times])]
        if late := [t for t in times if t >= born]:
            rows.append(({**SERIES, "code": "500"}, [[t, "3"] for t in late]))
        return matrix(*rows)

    clock = ManualClock(NOW)
    async with serving(API(answer)) as url:
        asked = source(url, clock, chunk=Duration(3600))
        polls = Polls()
        await asked.history([Ask("slo", (M,), start)], NOW, polls)
        await asked.close()
    batches = [p.batch for p in polls.all if p.batch]
    assert [b.complete for b in batches] == [False] * (len(batches) - 1) + [True]
    assert [b.at for b in batches] == sorted(b.at for b in batches)
    [target] = [t for b in batches for t in b.targets.values() if b.at > born]
    assert target.looks[0] < born < target.looks[-1]


async def test_history_that_is_not_given_is_an_error() -> None:
    async with serving(API(lambda path, form: web.Response(status=500))) as url:
        asked = source(url, ManualClock(NOW))
        with pytest.raises(SourceError, match="500"):
            await asked.history([Ask("slo", (M,), NOW - 60)], NOW, Polls())
        await asked.close()


async def test_a_chunk_tells_of_every_process_that_began_in_it() -> None:
    start = NOW - 3600
    times = [start + 60 * i for i in range(61)]
    begins = {0: start - 500, 20: start + 1150, 40: start + 2350}

    def began(i: int) -> float:
        return next(begins[k] for k in sorted(begins, reverse=True) if i >= k)

    def answer(path: str, form: dict[str, str]) -> Any:
        seen = [i for i, t in enumerate(times) if t <= at_end(form)]
        if form["query"].startswith("{"):
            name = {**SERIES, "__name__": "process_start_time_seconds"}
            return matrix((name, [[times[i], str(began(i))] for i in seen]))
        if form["query"].startswith("m"):
            # Each process overtakes the one before at once.
            return matrix((SERIES, [[times[i], str(100 * (1 + i // 20) + i % 20)] for i in seen]))
        return matrix()

    clock = ManualClock(NOW)
    async with serving(API(answer)) as url:
        asked = source(url, clock)
        polls = Polls()
        await asked.history([Ask("slo", (N, M), start)], NOW, polls)
        await asked.close()
    [batch] = [p.batch for p in polls.all if p.batch]
    assert batch.complete
    # The counting is told where each begins, and cuts there itself.
    assert batch.targets == {"x/i:1": Target([(times[i], begins[i]) for i in begins], [], False)}


async def test_history_of_a_query_that_is_refused_is_the_fault_of_its_slo_alone() -> None:
    def answer(path: str, form: dict[str, str]) -> Any:
        if form["query"].startswith("n"):
            body = {"status": "error", "errorType": "bad_data", "error": "parse error"}
            return web.json_response(body, status=400)
        return matrix()

    async with serving(API(answer)) as url:
        asked, polls = source(url, ManualClock(NOW)), Polls()
        asks = [Ask("well", (M,), NOW - 7200), Ask("ill", (N,), NOW - 7200)]
        await asked.history(asks, NOW, polls)
        await asked.close()
    assert [p.faults for p in polls.all if p.faults] == [{"ill": "n: answered 400: parse error"}]
    assert {p.batch.slos for p in polls.all if p.batch} == {frozenset({"well"})}
