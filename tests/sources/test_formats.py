"""Which formats a target's pages are asked for in: as real client libraries answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import choose_encoder

from exporter.config.settings import Duration
from exporter.config.settings import ScrapeSource as Settings
from exporter.core.sample import Reading
from exporter.core.selector import Selector, parse_selector
from exporter.http import Client
from exporter.sources.base import Poll
from exporter.sources.formats import needs_utf8
from exporter.sources.scrape import ScrapeSource
from tests.sources.kit import Polls, running, serving
from tests.sources.pages import OPENMETRICS, PROTOBUF, TEXT, Row, body
from tests.support import ManualClock
from tests.wire import double, family, message, whole

INTERVAL = 10.0
C = parse_selector("c_total")
HISTOGRAM = [parse_selector(name) for name in ("h", "h_bucket", "h_count")]
START = "process_start_time_seconds"


class GoClient:
    """Answers as client_golang does: protobuf first where it is asked for first, and names with
    underscores unless the request says otherwise. `rows` is the page."""

    def __init__(self, *rows: Row, speaks: Sequence[str] = (PROTOBUF, OPENMETRICS, TEXT)) -> None:
        self.rows = list(rows)
        self.accepts: list[str] = []
        self.native: bytes = b""
        self.speaks = speaks
        self.status: Callable[[str], int] = lambda kind: 200

    @property
    def asked(self) -> list[str]:
        """Of each request the format that came first, without `proto` and `version`."""
        return [accept.partition(";")[0].rpartition("/")[2] for accept in self.accepts]

    async def __call__(self, request: web.Request) -> web.Response:
        accept = request.headers["Accept"]
        self.accepts.append(accept)
        ranges = [part.partition(";")[0] for part in accept.split(",")]
        kind = next(k for r in ranges for k in self.speaks if r in (k.partition(";")[0], "*/*"))
        rows = [row if kind == PROTOBUF else row._replace(created=None) for row in self.rows]
        page = body(kind, rows)
        if kind == PROTOBUF:
            page += self.native
        return web.Response(body=page, headers={"Content-Type": kind}, status=self.status(kind))


def source(url: str, clock: ManualClock, **more: object) -> ScrapeSource:
    settings = Settings(name="app", targets=(url,), interval=Duration(INTERVAL), **more)  # type: ignore[arg-type]
    return ScrapeSource(settings, Client(settings), clock)


async def beat(polls: Polls, clock: ManualClock) -> Poll:
    seen = len(polls.all)
    await clock.until_sleeping()
    await clock.advance(INTERVAL)
    return (await polls.count(seen + 1))[-1]


async def asked(
    app: GoClient, wants: Sequence[Selector], *changes: Callable[[], None], **more: object
) -> list[str]:
    """The format of each request, a change of the target before each but the first."""
    clock = ManualClock()
    async with serving(app) as url, running(source(url, clock, **more), wants) as polls:
        await polls.count(1)
        for change in changes:
            change()
            await beat(polls, clock)
    return app.asked


def same() -> None:
    """The target stays as it is."""


PB, OM = "vnd.google.protobuf", "openmetrics-text"


async def test_protobuf_stays_where_a_wanted_counter_has_its_creation_only_there() -> None:
    app = GoClient(Row("c_total", 1, type="counter", created=1_600_000_000), Row("g", 1))
    assert await asked(app, [C], same, same) == [PB, PB, PB]


async def test_protobuf_is_left_where_it_says_no_more_than_text() -> None:
    app = GoClient(
        Row("c_total", 1, type="counter"),
        Row("other_total", 1, type="counter", created=1_600_000_000),
    )
    assert await asked(app, [C], same, same) == [PB, OM, OM]


async def test_protobuf_stays_until_something_wanted_is_there() -> None:
    app = GoClient(Row("g", 1))
    came = Row("c_total", 1, type="counter", created=1_600_000_000)
    changes = (same, lambda: app.rows.append(came), same)
    assert await asked(app, [C], *changes) == [PB, PB, PB, PB]


async def test_another_process_or_another_wanted_metric_is_asked_in_protobuf_again() -> None:
    app = GoClient(Row("c_total", 1), Row(START, 1000.0))
    dated = Row("d_total", 1, type="counter", created=1_600_000_000)

    def restart(to: float) -> Callable[[], None]:
        return lambda: app.rows.__setitem__(1, Row(START, to))

    wants = [C, parse_selector("d_total")]
    changes = (
        restart(1001.0), restart(1500.0), same, same, lambda: app.rows.append(dated), same, same,
    )  # fmt: skip
    # A page in text shows the change; the request after it is in protobuf.
    assert await asked(app, wants, *changes) == [PB, OM, OM, PB, OM, OM, PB, PB]


async def test_a_histogram_may_become_a_native_one_at_any_time() -> None:
    app = GoClient(Row("h_count", 1))
    assert await asked(app, HISTOGRAM, same) == [PB, PB]


async def test_a_native_histogram_is_only_in_protobuf() -> None:
    app = GoClient()
    native = message(7, whole(1, 2), double(6, 0.001), whole(7, 2))
    app.native = family("h", 4, native)
    assert await asked(app, [parse_selector("h")], same) == [PB, PB]


@pytest.mark.parametrize(("protobuf", "kind"), [(True, PB), (False, OM)])
async def test_the_configuration_may_settle_it(kind: str, *, protobuf: bool) -> None:
    app = GoClient(Row("c_total", 1, type="counter", created=None if protobuf else 1_600_000_000))
    assert await asked(app, [C], same, protobuf=protobuf) == [kind, kind]


async def test_a_server_without_protobuf_is_asked_as_before() -> None:
    app = GoClient(Row("c_total", 1), speaks=(OPENMETRICS, TEXT))
    assert await asked(app, [C], same) == [PB, PB]


@pytest.mark.parametrize("fault", [406, 415, "text", "noise"])
async def test_a_server_that_chokes_on_protobuf_is_asked_for_text_at_once(
    fault: int | str,
) -> None:
    app = GoClient(Row("c_total", 7))

    async def answer(request: web.Request) -> web.Response:
        response = await app(request)
        if PB in response.headers["Content-Type"]:
            if isinstance(fault, int):
                return web.Response(status=fault)
            kind = PROTOBUF.replace("delimited", "text") if fault == "text" else PROTOBUF
            return web.Response(body=b"\x05\x0f" * 3, headers={"Content-Type": kind})
        return response

    clock = ManualClock()
    async with serving(answer) as url, running(source(url, clock), [C]) as polls:
        [poll] = await polls.count(1)
        await beat(polls, clock)
    assert poll.error is None
    assert poll.batch is not None
    assert poll.batch.readings[C][0].samples[0][1] == 7.0
    assert app.asked == [PB, OM, OM]


async def test_an_answer_that_fails_for_other_reasons_changes_nothing() -> None:
    app = GoClient(Row("c_total", 7, type="counter", created=1_600_000_000))
    app.status = lambda kind: 503
    assert await asked(app, [C], lambda: setattr(app, "status", lambda kind: 200)) == [PB, PB]
    app = GoClient(Row("c_total", 7))
    app.status = lambda kind: 406
    assert await asked(app, [C], same, protobuf=True) == [PB, PB]


# --- names with dots ----------------------------------------------------------------------------


def registry() -> CollectorRegistry:
    """prometheus_client with such names."""
    found = CollectorRegistry()
    counter = Counter("shop.requests", "Requests.", ["http.code"], registry=found)
    counter.labels("200").inc(85)
    counter.labels("500").inc(5)
    Counter("plain", "Others.", ["code"], registry=found).labels("200").inc(3)
    return found


async def polled(*wants: str, **more: object) -> tuple[dict[str, list[Reading]], list[str]]:
    """What one poll of the real library's page brings, by want, and the Accept headers."""
    pages, accepts = registry(), list[str]()

    async def answer(request: web.Request) -> web.Response:
        accepts.append(request.headers["Accept"])
        write, kind = choose_encoder(accepts[-1])
        return web.Response(body=write(pages), headers={"Content-Type": kind})

    selectors = [parse_selector(want) for want in wants]
    async with serving(answer) as url:
        async with running(source(url, ManualClock(), **more), selectors) as polls:
            [poll] = await polls.count(1)
    assert poll.error is None
    assert poll.batch is not None
    return {str(want): found for want, found in poll.batch.readings.items()}, accepts


async def test_names_as_they_are_are_asked_for_where_a_selector_has_them() -> None:
    wants = ('{"shop.requests_total","http.code"=~"5.."}', '{"shop.requests_total"}')
    found, accepts = await polled(*wants)
    assert [len(some) for some in found.values()] == [1, 2]
    assert len(accepts) == 1
    assert accepts[0].count("escaping=allow-utf-8") == 4


async def test_names_with_underscores_stay_so_for_who_wrote_them() -> None:
    found, accepts = await polled('shop_requests_total{http_code=~"5.."}', "plain_total")
    assert [len(some) for some in found.values()] == [1, 1]
    assert "escaping" not in accepts[0]


async def test_both_ways_of_writing_are_answered_each_as_if_it_were_alone() -> None:
    wants = (
        'shop_requests_total{http_code=~"5.."}',
        "plain_total",
        '{"shop.requests_total","http.code"=~"5.."}',
    )
    found, accepts = await polled(*wants)
    assert [len(some) for some in found.values()] == [1, 1, 1]
    assert ["escaping" in accept for accept in accepts] == [False, True]


@pytest.mark.parametrize(
    ("selector", "needs"),
    [
        ("a:b_total", False),
        ('m{code="5"}', False),
        ('{"m.x"}', True),
        ('{"m","http.code"="5"}', True),
        ('{"m","k8s.pod"="x"}', False),  # a label of the target
    ],
)
def test_a_selector_needs_names_as_they_are(selector: str, *, needs: bool) -> None:
    assert needs_utf8(parse_selector(selector), {"k8s.pod"}) is needs
    assert needs_utf8(parse_selector(selector), {"k8s.pod"}, ("service.instance.id",))
