"""Situations of series that begin, go, come back, or are called otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.cases.pages import OPENMETRICS, PROTOBUF, START, Sample
from tests.cases.players import SCRAPE, Away, Look, Situation
from tests.cases.situations import AGED, FAILED, REFUSED, UNKNOWN, looks, one, ratio

_DAY = 86_400.0
_CREATED = (OPENMETRICS, PROTOBUF)


def _columns(columns: Mapping[str, Sequence[float | None]], **more: float) -> list[Look]:
    """Looks from the values of each series; None where it is not on the page."""
    count = len(next(iter(columns.values())))
    return [
        {name: v for name, values in columns.items() if (v := values[index]) is not None}
        | (more or {})
        for index in range(count)
    ]


def _aged(page: Look, age: Callable[[str], float]) -> Look:
    assert not isinstance(page, Away)
    return {name: Sample(float(v), age(name)) for name, v in page.items()}  # type: ignore[arg-type]


N = None

# --- error series that expire while traffic goes on -----------------------------------------------

EXPIRING = (
    Situation(
        "another-error-comes-at-once",
        "one error series goes in the look in which another one comes; traffic goes on",
        one(_columns({
            's_total{c="200"}': (4000, 4020, 4040, 4060, 4080),
            's_total{c="500"}': (7, 8, N, N, N),
            's_total{c="504"}': (N, N, 9, 9, 11),
        })), 80, 1 + 9 + 2, ratio("s_total", 'c=~"5.."'),
    ),
    Situation(
        "another-error-comes-later",
        "an error series expires; looks later another one begins, over the old value",
        one(_columns({
            "all_total": (900, 980, 1060, 1140, 1220, 1300, 1380),
            'oops_total{kind="io"}': (50, 50, N, N, N, N, N),
            'oops_total{kind="parse"}': (N, N, N, N, N, 61, 64),
        })), 480 - 64, 64, "{ bad = 'oops_total', total = 'all_total' }",
    ),
    Situation(
        "two-of-three-errors-expire",
        "two of three error series go, a fourth comes between their old values",
        one(_columns({
            'm_total{e=""}': (70_000, 70_500, 71_000, 71_500, 72_000),
            'm_total{e="a"}': (12, 12, N, N, N),
            'm_total{e="b"}': (400, 401, N, N, N),
            'm_total{e="c"}': (5, 5, 5, 6, 6),
            'm_total{e="d"}': (N, N, N, 30, 33),
        })), 2000, 1 + 1 + 33, ratio("m_total", 'e!=""'),
    ),
    Situation(
        "the-same-error-comes-back-lower",
        "an error series expires and begins again at 0 under its own labels",
        one(_columns({
            "hits_total": (300, 340, 380, 420, 460, 500),
            'miss_total{why="ttl"}': (50, 51, N, N, 7, 8),
        })), 200, 1 + 7 + 1, "{ bad = 'miss_total', good = 'hits_total' }",
    ),
    Situation(
        "errors-of-one-group-expire",
        "groups by route; one route's error series expires, another of the same route comes",
        one(_columns({
            'g_total{route="/a",c="200"}': (10, 20, 30, 40, 50),
            'g_total{route="/a",c="500"}': (4, 4, N, N, N),
            'g_total{route="/a",c="503"}': (N, N, N, 5, 6),
            'g_total{route="/b",c="200"}': (800, 830, 860, 890, 920),
        })), 40 + 120, 6, ratio("g_total", 'c=~"5.."'), slo='group_by = ["route"]',
        groups={("route", "/a"): (40, 6), ("route", "/b"): (120, 0)},
    ),
    Situation(
        "first-errors",
        "error series that begin on a target that was read before count from 0",
        one(_columns({
            't_total{c="0"}': (1, 13, 25, 37),
            't_total{c="13"}': (N, N, 2, 2),
            't_total{c="14"}': (N, N, N, 3),
        })), 36, 5, ratio("t_total", 'c=~"13|14"'),
    ),
)  # fmt: skip


# --- all series of a target under other labels ----------------------------------------------------


def _renamed(restarts: bool) -> list[Look]:
    def page(index: int) -> Look:
        old = index < 3
        base = index if old or not restarts else index - 3
        first = (2000, 90) if old or not restarts else (35, 1)
        version = "v1" if old else "v2"
        return {
            f'api_total{{version="{version}",code="200"}}': first[0] + 40 * base,
            f'api_total{{version="{version}",code="500"}}': first[1] + 2 * base,
            START: -5000 if old or not restarts else 34,
        }

    return looks(6, page)


RENAMED = (
    Situation(
        "all-labels-change", "the page gets another label on every series; the process is the same",
        one(_renamed(restarts=False)), 200, 10, ratio("api_total", 'code="500"'),
    ),
    Situation(
        "another-version", "another version is another process, whose counters begin at 0",
        one(_renamed(restarts=True)), 80 + 35 + 80, 4 + 1 + 4, ratio("api_total", 'code="500"'),
    ),
)  # fmt: skip


# --- births on pages with times of their own ------------------------------------------------------

_LATE = _columns({
    'disk_total{op="read"}': (1000, 1010, 1020, 1030, 1040),
    'disk_total{op="error"}': (N, N, 7, 8, 8),
})  # fmt: skip
_DISK = ratio("disk_total", 'op="error"')


def _ages(*ages: float, error: float | None = None) -> list[Look]:
    def age(index: int, name: str) -> float:
        return error if error is not None and "error" in name else ages[index % len(ages)]

    return [_aged(page, lambda n, i=i: age(i, n)) for i, page in enumerate(_LATE)]  # type: ignore[misc]


OLD_TIMES = (
    Situation(
        "born-on-a-page-of-old-times", "samples are 20 s old, older than the last look",
        one(_ages(20)), 40, 8, _DISK, ways=AGED,
    ),
    Situation(
        "born-three-minutes-old", "samples are three minutes old",
        one(_ages(180)), 40, 8, _DISK, ways=AGED,
    ),
    Situation(
        "born-with-changing-ages", "the age of samples changes from look to look",
        one(_ages(18, 12, 9)), 40, 8, _DISK, ways=AGED,
    ),
    Situation(
        "born-older-than-the-rest", "the new series is older than those beside it",
        one(_ages(4, error=21)), 40, 8, _DISK, ways=AGED,
    ),
    Situation(
        "born-in-milliseconds", "interval 1 s, samples are 2.5 s old",
        one(_ages(2.5)), 40, 8, _DISK, ways=AGED, interval=1.0,
    ),
)  # fmt: skip


# --- a look at which nobody listened --------------------------------------------------------------


def _joins(*before: Look, ok: float = 14, failed: float = 3) -> list[Look]:
    return [
        *before,
        {'pay_total{r="done"}': ok, 'pay_total{r="declined"}': failed},
        {'pay_total{r="done"}': ok + 6, 'pay_total{r="declined"}': failed + 1},
    ]


_OLD: Look = {'pay_total{r="done"}': 20, 'pay_total{r="declined"}': 1}
_EMPTY: Look = {"python_info": 1}
_PAY = ratio("pay_total", 'r="declined"')
LOOKS = (
    Situation(
        "sidecar-is-up-first", "nobody listened at three looks: the process began after them",
        one(_joins(REFUSED, REFUSED, REFUSED)), 20, 4, _PAY, ways=AGED,
    ),
    Situation(
        "refused-once", "nobody listened at the first look",
        one(_joins(REFUSED)), 20, 4, _PAY, ways=AGED,
    ),
    Situation(
        "page-without-the-metric", "the page was there and had nothing of the SLO",
        one(_joins(_EMPTY, _EMPTY)), 20, 4, _PAY,
    ),
    Situation(
        "failed-is-no-look", "an answer 503 says nothing of what was counted before",
        one(_joins(FAILED, FAILED, ok=7_000, failed=40)), 6, 1, _PAY,
    ),
    Situation(
        "refused-between", "nobody listened between two processes; the new one has more",
        one(_joins(_OLD, {'pay_total{r="done"}': 25, 'pay_total{r="declined"}': 1},
                   REFUSED, REFUSED, ok=31, failed=5)), 5 + 37, 6, _PAY, ways=AGED,
    ),
    Situation(
        "new-target-after-refusals", "one of two targets is not up yet",
        {"web": _columns({'pay_total{r="done"}': (5000, 5100, 5200, 5300)}),
         "late": _joins(REFUSED, REFUSED)}, 300 + 20, 4, _PAY, ways=AGED,
    ),
)  # fmt: skip


# --- created timestamps ---------------------------------------------------------------------------


def _made(*rows: tuple[float, float, float] | None) -> list[Look]:
    """(good, bad, created) of each look."""
    return [
        {"uptime_info": 1}
        if row is None
        else {
            'sink_total{code="200"}': Sample(row[0], created=row[2]),
            'sink_total{code="500"}': Sample(row[1], created=row[2]),
        }
        for row in rows
    ]


def _old_error(index: int) -> Look:
    page: dict[str, float | Sample] = {
        'sink_total{code="200"}': Sample(600 + 5 * index, created=-900)
    }
    if index >= 2:
        page['sink_total{code="500"}'] = Sample(80 + index, created=-700)
    return page


_SINK = ratio("sink_total", 'code="500"')
CREATED = (
    Situation(
        "comes-back-higher", "series that rest leave the page and begin at 0 when they return",
        one(_made(
            (54, 6, -5), (139, 11, -5), (139, 11, -5), N, N, N, (630, 70, 80), (640, 70, 80),
        )),
        85 + 640, 5 + 70, _SINK, formats=_CREATED, zeros=True,
    ),
    Situation(
        "begins-anew-between-two-looks", "only the created timestamp tells that it began anew",
        one(_made((100, 10, -500), (110, 11, -500), (160, 16, 20), (170, 17, 20))),
        10 + 170, 1 + 17, _SINK, formats=_CREATED, zeros=True,
    ),
    Situation(
        "begins-anew-twice", "and again",
        one(_made((8, 1, -50), (9, 1, 7.5), (9, 2, 22), (12, 2, 22), (12, 2, 52))),
        9 + 9 + 3 + 12, 1 + 2 + 0 + 2, _SINK, formats=_CREATED, zeros=True,
    ),
    Situation(
        "created-before-it-was-seen", "a collector shows a series that is older than our last look",
        one(looks(5, _old_error)), 20, 2, _SINK, formats=_CREATED, ways=frozenset({SCRAPE}),
    ),
    Situation(
        "found-late-with-created", "a target that is discovered late says that it is young",
        {"web": _made(*((1000 + i, 5.0, -_DAY) for i in range(4))),
         "new": [UNKNOWN, UNKNOWN, *_made((40, 2, 21), (44, 2, 21))]},
        3 + 44, 2, _SINK, formats=_CREATED, ways=frozenset({SCRAPE}),
    ),
)  # fmt: skip


# --- label values that need care ------------------------------------------------------------------

_QUOTES = Situation(
    "quotes-in-label-values", "two series whose labels differ only by where quotes stand",
    one(looks(5, lambda i: {
        'q_total{code="200",a="x\\",b=\\"y"}': 1000 + 10 * i,
        'q_total{code="200",a="x",b="y"}': 3000 + 20 * i,
        'q_total{code="500",a="x"}': 0,
    })), 40 + 80, 0, ratio("q_total", 'code="500"'),
)  # fmt: skip
_COMMAS = Situation(
    "commas-and-backslashes", "commas, braces, line ends and backslashes in values",
    one(looks(5, lambda i: {
        'q_total{code="200",p="a,b=c"}': 10 + i,
        'q_total{code="200",p="a",b="c"}': 50 + 2 * i,
        'q_total{code="200",p="C:\\\\x\\\\"}': 700 + 3 * i,
        'q_total{code="500",p="}\\n{"}': 1 + i,
    })), 4 + 8 + 12, 4, ratio("q_total", 'code="500"'),
)  # fmt: skip

BIRTHS = (
    *EXPIRING, *RENAMED, *OLD_TIMES, *LOOKS, *CREATED, _QUOTES, _COMMAS,
)  # fmt: skip
