"""Situations of counting: what looks at targets show, and how many events that makes.

Each stands for a kind of page that exists; none is about the software that is named in `why`
alone. Numbers are small enough to be added up by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan

from tests.cases.pages import OPENMETRICS, PROTOBUF, START, TEXT, Page, Sample
from tests.cases.players import BACKFILL, LIVE, SCRAPE, Away, Look, Situation
from tests.cases.stage import T

AGED = frozenset({SCRAPE})
BEHIND = frozenset({LIVE, BACKFILL})
_DAY = 86_400.0
FAILED, REFUSED, UNKNOWN = Away.FAILED, Away.REFUSED, Away.UNKNOWN


def looks(count: int, page: Callable[[int], Look]) -> list[Look]:
    """What each look shows."""
    return [page(index) for index in range(count)]


def ratio(metric: str, bad: str) -> str:
    """An SLI over the labels of one metric."""
    return f"{{ bad = '{metric}{{{bad}}}', total = '{metric}' }}"


def one(page: Sequence[Look]) -> dict[str, Sequence[Look]]:
    """A single target."""
    return {"web": page}


# --- an exporter restarts, what it watches does not -----------------------------------------------


def _edge(index: int) -> Page:
    return {
        'edge_hits_total{class="2xx"}': 31_400_000 + 120 * index,
        'edge_hits_total{class="5xx"}': 88_000 + (0, 0, 1, 1, 1, 2, 2, 2)[index],
        START: -9 * _DAY if index < 4 else 54,
    }


def _database(index: int) -> Page:
    return {
        'db_statements_total{command="select"}': 4.2e9 + 1750 * index,
        'db_statements_total{command="error"}': 51_333 + 2 * index,
        START: -40 * _DAY if index < 3 else 41 if index < 6 else 85.5,
    }


def _idle(index: int) -> Page:
    return {
        'pg_commits_total{result="done"}': 240_000 + 20 * min(index, 3),
        'pg_commits_total{result="aborted"}': 900 + min(index, 3),
        START: -3 * _DAY if index < 5 else 70,
    }


def _away(why: Away) -> Callable[[int], Look]:
    def page(index: int) -> Look:
        if index in (3, 4):
            return why
        return {
            'squid_requests_total{kind="all"}': 5_000_000 + 300 * index,
            'squid_requests_total{kind="error"}': 7000 + 3 * index,
            START: -_DAY if index < 3 else 71,
        }

    return page


_SQUID = (
    "{ bad = 'squid_requests_total{kind=\"error\"}', good = 'squid_requests_total{kind=\"all\"}' }"
)


def _pushed(index: int) -> Page:
    done = 46_000 + (150 if index >= 2 else 0)
    return {
        f'{START}{{job="gateway"}}': -7 * _DAY if index < 4 else 55,
        'records_total{job="nightly",instance="",result="ok"}': done,
        'records_total{job="nightly",instance="",result="broken"}': 31 + (4 if index >= 2 else 0),
        'records_total{job="hourly",instance="",result="ok"}': 912_000,
        'push_time_seconds{job="nightly",instance=""}': T - 100,
    }


def _own(index: int) -> Page:
    return {
        'slo_events_total{slo="checkout",service="shop",result="good"}': 7_500_000 + 90 * index,
        'slo_events_total{slo="checkout",service="shop",result="bad"}': 310 + index // 3,
        START: -2 * _DAY if index < 3 else 43.2,
    }


EXPORTERS = (
    Situation(
        "exporter-restarts",
        "an exporter of another program restarts: the counters go on, its start time is new",
        one(looks(8, _edge)), 840, 2, ratio("edge_hits_total", 'class="5xx"'),
    ),
    Situation(
        "exporter-restarts-twice",
        "two restarts of an exporter, with counters of ten digits",
        one(looks(8, _database)), 12_250, 14, ratio("db_statements_total", 'command="error"'),
    ),
    Situation(
        "exporter-restarts-while-idle",
        "nothing happens while the exporter restarts",
        one(looks(8, _idle)), 60, 3, ratio("pg_commits_total", 'result="aborted"'),
    ),
    Situation(
        "exporter-fails-and-restarts",
        "an exporter answers 503 for two looks and has a new start time after them",
        one(looks(8, _away(FAILED))), 2100, 21,
        _SQUID,
    ),
    Situation(
        "exporter-is-gone-and-back",
        "nobody listens for two looks; the exporter that answers then shows counters of millions",
        one(looks(8, _away(REFUSED))), 2100, 21,
        _SQUID,
    ),
    Situation(
        "pushgateway-restarts-with-its-file",
        "what jobs pushed is on the page as before; only the gateway's own start is new",
        one(looks(7, _pushed)), 150, 4, ratio("records_total", 'result="broken"'),
    ),
    Situation(
        "counts-of-slod-go-on",
        "slod's own counters go on over its restarts, as its page shows them",
        one(looks(7, _own)), 540, 2,
        "{ good = 'slo_events_total{result=\"good\"}', bad = 'slo_events_total{result=\"bad\"}' }",
    ),
)  # fmt: skip


# --- a clock that is set moves the start time of a process that goes on ---------------------------


def _stepped(start: Callable[[int], float], name: str = "orders_total") -> Callable[[int], Look]:
    def page(index: int) -> Look:
        return {
            f'{name}{{status="ok"}}': 1800 + 70 * index,
            f'{name}{{status="failed"}}': 25 + 2 * index,
            START: start(index),
        }

    return page


def _steps(name: str, why: str, start: Callable[[int], float], **more: float) -> Situation:
    page = one(looks(7, _stepped(start)))
    return Situation(
        name,
        why,
        page,
        420,
        12,
        ratio("orders_total", 'status="failed"'),
        **more,  # type: ignore[arg-type]
    )


CLOCKS = (
    _steps("clock-set-forward", "set by 4 s once", lambda i: -_DAY + (4 if i >= 3 else 0)),
    _steps("clock-set-often", "set by 3 s at each look", lambda i: -_DAY + 3 * i),
    _steps("clock-set-back", "set back by an hour", lambda i: -_DAY - (3600 if i >= 2 else 0)),
    _steps("clock-two-hours-ahead", "a start in the future", lambda i: 7100 if i >= 4 else -60),
    _steps("clock-set-by-a-day", "not later than the last look", lambda i: -1 if i >= 4 else -_DAY),
    _steps("clock-to-and-fro", "set to and fro", lambda i: -_DAY + (9 if i % 2 else 0)),
    _steps("clock-of-seconds", "interval 1 s", lambda i: -50 + (2.5 if i > 3 else 0), interval=1.0),
)


# --- a process restarts and has more than before --------------------------------------------------


def _overtakes(why: Away, old: tuple[int, int], new: tuple[int, int], start: float) -> list[Look]:
    """(good, bad) before the looks that failed and after them; traffic is 24 in a busy look."""

    def page(ok: float, failed: float, begun: float) -> Look:
        return {
            'calls_total{code="0"}': ok,
            'calls_total{code="14"}': failed,
            START: begun,
        }

    (ok, failed), (more, worse) = old, new
    return [
        page(ok, failed, -900), page(ok, failed, -900),
        page(ok + 24, failed + 2, -900), page(ok + 24, failed + 2, -900),
        why, why,
        page(more, worse, start), page(more + 4, worse, start), page(more + 8, worse + 1, start),
    ]  # fmt: skip


def _prefixed(index: int) -> Look:
    ok, failed = ((70, 3), (70, 3), (160, 14), (170, 14), (185, 15))[index]
    return {
        "lb_process_start_time_seconds": -500 if index < 2 else 22,
        'lb_responses_total{proxy="shop",code="2xx"}': ok,
        'lb_responses_total{proxy="shop",code="5xx"}': failed,
    }


def _crashes(index: int) -> Look:
    ok = (500, 540, 580, 620, 37, 39, 41, 38)[index]
    return {
        'jobs_total{outcome="ok"}': ok,
        'jobs_total{outcome="lost"}': (9, 10, 10, 11, 2, 3, 3, 4)[index],
        START: -180 if index < 4 else 15 * index - 13.5,
    }


def _rolled(index: int) -> Look:
    ok, failed = ((90, 4), (110, 6), (130, 6), None, None, (28, 9), (48, 10))[index] or (0, 0)
    if not ok:
        return {"unrelated_total": 5}
    return {
        'rpc_total{status="OK"}': ok,
        'rpc_total{status="INTERNAL"}': failed,
        START: -3000 if index < 3 else 64,
    }


OVERTAKING = (
    Situation(
        "restart-overtakes-after-failures",
        "the new process has more of everything at its first look than the old one had",
        one(_overtakes(FAILED, (40, 1), (71, 5), 47)), 24 + 79, 2 + 6,
        ratio("calls_total", 'code="14"'),
    ),
    Situation(
        "restart-overtakes-after-refusals",
        "as before, with more than its pace would make; nobody listened meanwhile",
        one(_overtakes(REFUSED, (200, 8), (236, 13), 85)), 24 + 244, 2 + 14,
        ratio("calls_total", 'code="14"'),
    ),
    Situation(
        "start-under-a-prefix",
        "a proxy is reloaded between two looks; its start time has a prefix and whole seconds",
        one(looks(5, _prefixed)), 185, 15, ratio("lb_responses_total", 'code="5xx"'),
    ),
    Situation(
        "crash-loop",
        "lives as long as the interval: each look shows another process",
        one(looks(8, _crashes)), 120 + 37 + 39 + 41 + 38, 2 + 2 + 3 + 3 + 4,
        ratio("jobs_total", 'outcome="lost"'),
    ),
    Situation(
        "rollout-overtakes-errors",
        "traffic fell and errors did not; series are absent between",
        one(looks(7, _rolled)), 40 + 48, 2 + 10, ratio("rpc_total", 'status="INTERNAL"'),
    ),
    Situation(
        "rollout-behind-stale-markers",
        "as before; the server shows its stale markers as NaN between the two processes",
        one(looks(7, _rolled)), 40 + 48, 2 + 10, ratio("rpc_total", 'status="INTERNAL"'),
        ways=BEHIND, shows_stale_markers=True,
    ),
)  # fmt: skip


# --- a new process without any start time ---------------------------------------------------------


def _quiet(index: int) -> Look:
    page: dict[str, float | Sample] = {
        'app_requests_total{outcome="done"}': (2600, 2625, 2650, 11, 30, 52)[index]
    }
    failed = (41, 41, 42, None, None, 49)[index]
    if failed is not None:
        page['app_requests_total{outcome="crashed"}'] = failed
    return page


def _at_once(index: int) -> Look:
    return {
        "served": (7000, 7025, 7050, 30, 54)[index],
        'broken{why="timeout"}': (2, 2, 2, 4, 5)[index],
    }


def _codes(index: int) -> Look:
    page: dict[str, float | Sample] = {'h_total{c="200"}': (900, 960, 1020, 44, 101, 160)[index]}
    if index != 3:
        page['h_total{c="502"}'] = (3, 3, 4, 0, 5, 5)[index]
    if index < 3 or index == 5:
        page['h_total{c="503"}'] = (1, 1, 1, 0, 0, 6)[index]
    return page


STARTLESS = (
    Situation(
        "errors-come-back-higher",
        "traffic fell, so the process is new; its errors come two looks later, over the old value",
        one(looks(6, _quiet)),
        50 + 52,
        1 + 49,
        ratio("app_requests_total", 'outcome="crashed"'),
    ),
    Situation(
        "errors-overtake-at-once",
        "traffic fell, and errors are higher in the same look",
        one(looks(5, _at_once)),
        50 + 54,
        5,
        "{ bad = 'broken', good = 'served' }",
    ),
    Situation(
        "two-errors-come-back",
        "two error series come back at different looks",
        one(looks(6, _codes)),
        120 + 160,
        1 + 5 + 6,
        ratio("h_total", 'c=~"5.."'),
    ),
)


# --- falls that are no resets ---------------------------------------------------------------------


def _by_one(start: float | None, drop: float = 1) -> Callable[[int], Look]:
    def page(index: int) -> Look:
        behind = drop if index == 4 else 0
        out: dict[str, float | Sample] = {
            'reads_total{tier="all"}': 2_400_000 + 30 * index - 30 * (index == 4) - behind,
            'reads_total{tier="error"}': 7800 - behind,
        }
        if start is not None:
            out[START] = start
        return out

    return page


def _replicas(index: int) -> Look:
    behind = 2 if index % 2 else 0
    return {"mimir_ok_total": 500_000 - behind, "mimir_bad_total": 4000, START: -_DAY}


def _rounded(index: int) -> Look:
    return {"sum_total": (1_234_567_000, 1_234_568_000)[index % 2], "bad_total": 40}


_READS = "{ bad = 'reads_total{tier=\"error\"}', good = 'reads_total{tier=\"all\"}' }"
JITTER = (
    Situation(
        "behind-by-one", "a replica that is one event behind answers once; the process is the same",
        one(looks(8, _by_one(-_DAY))), (209, 211), (0, 1), _READS, kinds=("jitter",),
    ),
    Situation(
        "behind-by-one-without-start", "as before, on a page without a start time",
        one(looks(8, _by_one(None))), (209, 211), (0, 1), _READS,
    ),
    Situation(
        "behind-by-two", "two events behind",
        one(looks(8, _by_one(-_DAY, 2))), (208, 212), (0, 2), _READS,
    ),
    Situation(
        "replicas-in-turn", "two replicas answer in turn, one is always two events behind",
        one(looks(9, _replicas)), (0, 2), 0,
        "{ good = 'mimir_ok_total', bad = 'mimir_bad_total' }", kinds=("jitter",),
    ),
    Situation(
        "rounded-to-seven-digits", "a sum that is rounded falls by less than a millionth",
        one(looks(7, _rounded)), (0, 1000), 0, "{ good = 'sum_total', bad = 'bad_total' }",
    ),
)  # fmt: skip


# --- sums over workers or channels that go --------------------------------------------------------


def _workers(start: float | None) -> Callable[[int], Look]:
    def page(index: int) -> Look:
        left = 45_000 if index < 4 else 0
        out: dict[str, float | Sample] = {
            'node_requests_total{code="200"}': 70_000 + left + 25 * index,
            'node_requests_total{code="500"}': 300 + (200 if index < 4 else 0),
        }
        if start is not None:
            out[START] = start
        return out

    return page


def _channels(index: int) -> Look:
    return {
        "mq_channel_published_total": (9000, 9100, 9200, 3000, 3100, 1200, 1300, 1400)[index],
        "mq_channel_returned_total": 12,
        START: -11 * _DAY,
    }


def _replaced(index: int) -> Look:
    # Three workers of 20,000; each is replaced by one that begins at 0.
    values = (60_000, 60_090, 60_180, 40_200, 40_290, 20_300, 20_390, 20_480)
    return {"prefork_done_total": values[index], "prefork_failed_total": 55, START: -5000}


WORKERS = (
    Situation(
        "worker-dies", "a page that sums over workers loses one: the process is the same",
        one(looks(8, _workers(-_DAY))), (150, 175), 0, ratio("node_requests_total", 'code="500"'),
        kinds=("unknown",),
    ),
    Situation(
        "worker-dies-without-start", "as before, on a page without a start time",
        one(looks(8, _workers(None))), (150, 175), 0, ratio("node_requests_total", 'code="500"'),
    ),
    Situation(
        "channels-close", "a sum over open channels falls to a third, and again",
        one(looks(8, _channels)), (500, 700), 0,
        "{ good = 'mq_channel_published_total', bad = 'mq_channel_returned_total' }",
        kinds=("unknown",),
    ),
    Situation(
        "workers-are-replaced", "one worker after the other is replaced by one that begins at 0",
        one(looks(8, _replaced)), (450, 630), 0,
        "{ good = 'prefork_done_total', bad = 'prefork_failed_total' }",
    ),
)  # fmt: skip


# --- several processes behind one address ---------------------------------------------------------


def _turns(workers: Sequence[tuple[float, float, float | None]], pace: float = 0) -> list[Look]:
    """Each look is answered by another worker; (good, bad, start), and events a look."""

    def page(index: int) -> Look:
        ok, failed, start = workers[index * 7 % len(workers)]
        out: dict[str, float | Sample] = {
            'wsgi_total{code="200"}': ok + pace * index, 'wsgi_total{code="503"}': failed,
        }  # fmt: skip
        if start is not None:
            out[START] = start
        return out

    return looks(14, page)


SHARED = (
    Situation(
        "three-workers-in-turn", "prefork workers without a common registry, no traffic at all",
        one(_turns([(30_000, 30, -900), (33_000, 2, -899.9), (37_000, 4, -899.8)])),
        (0, 90_000), (0, 100), ratio("wsgi_total", 'code="503"'), told=True,
    ),
    Situation(
        "two-replicas-in-turn", "a load balancer over two processes of different age",
        one(_turns([(410_000, 700, -9 * _DAY), (52_000, 80, -_DAY)], 10)),
        (0, 500_000), (0, 800), ratio("wsgi_total", 'code="503"'), told=True,
    ),
    Situation(
        "four-workers-in-turn", "four workers with start times some seconds apart",
        one(_turns([(9000, 4, -700), (4000, 3, -690), (7000, 9, -680), (5000, 2, -670)], 3)),
        (0, 15_000), (0, 40), ratio("wsgi_total", 'code="503"'), told=True,
        ways=frozenset({SCRAPE, LIVE}),
    ),
)  # fmt: skip


# --- a target that is found late ------------------------------------------------------------------


def _found(start: float | None, why: Away, ok: float = 50_000, failed: float = 100) -> list[Look]:
    def page(index: int) -> Look:
        if index < 4:
            return why
        out: dict[str, float | Sample] = {
            'mails_total{state="sent"}': ok + 10 * (index - 4),
            'mails_total{state="bounced"}': failed + (1 if index > 4 else 0),
        }
        if start is not None:
            out[START] = start
        return out

    return looks(7, page)


def _known(index: int) -> Look:
    return {
        'mails_total{state="sent"}': 1000 + 10 * index,
        'mails_total{state="bounced"}': 1,
        START: -500,
    }  # fmt: skip


def _late(name: str, why: str, page: list[Look], good: float = 80, bad: float = 1) -> Situation:
    where = {"web": looks(7, _known), "new": page}
    return Situation(name, why, where, good, bad, ratio("mails_total", 'state="bounced"'))


FOUND_LATE = (
    _late("start-in-the-future", "its host's clock is ahead", _found(1800, FAILED)),
    _late("start-a-minute-ahead", "not by much", _found(115, FAILED)),
    _late("start-is-zero", "a start of 0 says nothing", _found(-T, FAILED)),
    _late("start-is-no-number", "NaN says nothing", _found(nan, FAILED)),
    _late("found-old", "discovered late, and old", _found(-_DAY, UNKNOWN)),
    _late("found-without-start", "discovered late, no start", _found(None, UNKNOWN)),
    _late("found-ahead", "discovered late, clock ahead", _found(3600, UNKNOWN)),
    _late("found-young", "began after the last look", _found(49, UNKNOWN, 12, 3), 60 + 32, 4),
)


# --- several processes that share job and instance behind a Prometheus ----------------------------


def _cluster(index: int, first: float, restart: bool = False) -> Look:
    ok = first + 10 * index
    if restart and index >= 5:
        ok = 10.0 * (index - 4)
    return {
        'web_total{code="200"}': ok,
        'web_total{code="500"}': 0 if restart else 500,
        START: -900 if not restart else -800 if index < 5 else 70,
    }


def _production(index: int) -> Look:
    page: dict[str, float | Sample] = {
        'req_total{status="ok"}': 1_000_000 + 50 * index, START: -9 * _DAY
    }  # fmt: skip
    if index >= 6:
        page['req_total{status="error"}'] = 2
    return page


def _staging(index: int) -> Look:
    return {'req_total{status="ok"}': 500 + index, START: -_DAY if index < 4 else 55}


_CLUSTERS = {
    "a": looks(9, lambda index: _cluster(index, 100_000)),
    "b": looks(9, lambda index: _cluster(index, 5000, restart=True)),
}
_PRODUCTION = (
    '{ bad = \'req_total{namespace="prod",status="error"}\', '
    "total = 'req_total{namespace=\"prod\"}' }"
)
_SAME = {"job": "pods", "instance": "10.9.0.7:8443"}
SHARED_INSTANCE = (
    Situation(
        "clusters-share-an-instance", "two clusters have the same addresses; one pod restarts",
        _CLUSTERS,
        80 + 40 + 40, 0, ratio("web_total", 'code="500"'), ways=BEHIND,
        own={"a": {**_SAME, "cluster": "a"}, "b": {**_SAME, "cluster": "b"}},
    ),
    Situation(
        "namespaces-share-a-name", "staging is deployed, then production has its first error",
        {"prod": looks(9, _production), "staging": looks(9, _staging)},
        400, 2, _PRODUCTION,
        ways=BEHIND,
        own={n: {**_SAME, "instance": "web-0", "namespace": n} for n in ("prod", "staging")},
    ),
    Situation(
        "tasks-without-instance", "no instance at all; the source is told what tells tasks apart",
        _CLUSTERS,
        80 + 40 + 40, 0, ratio("web_total", 'code="500"'), ways=BEHIND,
        own={n: {"job": "otel", "task": n} for n in ("a", "b")}, source='target_labels = ["task"]',
    ),
    Situation(
        "nodes-as-instance", "instance is the node; pods of one node restart at different times",
        _CLUSTERS,
        80 + 40 + 40, 0, ratio("web_total", 'code="500"'), ways=BEHIND,
        own={n: {**_SAME, "namespace": "shop", "pod": f"web-{n}"} for n in ("a", "b")},
        source='target_labels = ["instance", "namespace", "pod"]',
    ),
)  # fmt: skip


# --- pages that pass others on --------------------------------------------------------------------


def _federated(*members: tuple[str, float, float, int], failed: bool = False) -> list[Look]:
    """(instance, first value, age of its samples, look at which it comes)."""

    def page(index: int) -> Look:
        out: dict[str, float | Sample] = {}
        for instance, first, age, begin in members:
            if index >= begin:
                value = first + 10 * index
                out[f'seen_total{{instance="{instance}",code="200"}}'] = Sample(value, age)
                if failed:
                    out[f'seen_total{{instance="{instance}",code="500"}}'] = Sample(40, age)
        return out

    return looks(6, page)


def _with_start(index: int) -> Look:
    page: dict[str, float | Sample] = {
        'seen_total{instance="a:1",code="200"}': 1000 + 10 * index,
        f'{START}{{instance="a:1"}}': -_DAY,
    }
    if index >= 3:
        page['seen_total{instance="b:1",code="200"}'] = 12 + 10 * (index - 3)
        page['seen_total{instance="b:1",code="500"}'] = 2
        page[f'{START}{{instance="b:1"}}'] = 37
    return page


_SEEN = ratio("seen_total", 'code=~"5.."')
FEDERATED = (
    Situation(
        "federation-of-two", "two instances whose samples have different ages",
        one(_federated(("a:1", 1000, 11, 0), ("b:1", 2000, 3, 0))), 100, 0, _SEEN,
        ways=AGED, formats=(TEXT, OPENMETRICS),
    ),
    Situation(
        "federation-of-three", "three instances, one of them behind by more than a look",
        one(_federated(
            ("a:1", 1000, 2, 0), ("b:1", 9e6, 22, 0), ("c:1", 31, 14.5, 0), failed=True,
        )),
        150, 0, _SEEN, ways=AGED,
    ),
    Situation(
        "instance-comes-late", "a process that ran for weeks is added to what is federated",
        one(_federated(("a:1", 100, 3, 0), ("b:1", 5000, 9, 3))), 50 + 20, 0, _SEEN, ways=AGED,
    ),
    Situation(
        "instances-come-late", "two of them at once, with errors of their past",
        one(_federated(("a:1", 100, 3, 0), ("b:1", 5000, 9, 3), ("c:1", 800, 1, 3), failed=True)),
        50 + 40, 0, _SEEN, ways=AGED,
    ),
    Situation(
        "young-instance-comes", "the page has its start time: it began after the last look",
        one(looks(6, _with_start)), 50 + 32, 2, _SEEN, ways=AGED,
    ),
    Situation(
        "tasks-come-late", "what tells processes apart is named by the source",
        one([{k.replace("instance=", "task="): v for k, v in page.items()}  # type: ignore[union-attr]
             for page in _federated(("a", 100, 3, 0), ("b", 7000, 9, 3))]),
        50 + 20, 0, _SEEN, ways=AGED, source='target_labels = ["task"]',
    ),
)  # fmt: skip

RESTARTS = (
    *EXPORTERS, *CLOCKS, *OVERTAKING, *STARTLESS, *JITTER, *WORKERS,
    *SHARED, *FOUND_LATE, *SHARED_INSTANCE, *FEDERATED,
)  # fmt: skip

FORMATS_WITH_CREATED = (OPENMETRICS, PROTOBUF)
