"""What servers and pages say when they are asked rightly, and answers that are not whole."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.cases.pages import OPENMETRICS, PROTOBUF, TEXT, Sample, render
from tests.cases.stage import Request, Stage, T, answer
from tests.cases.upstream import Flavour, Upstream, series

SCRAPE = """
[source.x]
type = "scrape"
targets = ["http://web:80/metrics"]
interval = "10s"
{more}
"""
PROM = """
[source.x]
type = "prometheus"
url = "http://prom:9090"
interval = "10s"
{more}
"""
SLO = """
[slo.{name}]
objective = 99
sli = {sli}
"""
_KINDS = {"protobuf": PROTOBUF, "openmetrics": OPENMETRICS, "text": TEXT}
_NAMES = {
    "application/vnd.google.protobuf": "protobuf",
    "application/openmetrics-text": "openmetrics",
    "text/plain": "text",
    "*/*": "text",
}


_OK, _FAILED = '{"shop.req","http.code"="200"}', '{"shop.req","http.code"="500"}'
_LABEL_OK, _LABEL_FAILED = 'buy_total{"http.code"="200"}', 'buy_total{"http.code"="503"}'
_ESCAPED = {
    _OK: 'shop_req{http_code="200"}',
    _FAILED: 'shop_req{http_code="500"}',
    _LABEL_OK: 'buy_total{http_code="200"}',
    _LABEL_FAILED: 'buy_total{http_code="503"}',
}


class Client:
    """A client library that answers by `Accept`, in one of the formats it has.

    `created_in`: the formats in which it gives created timestamps. Names are escaped with
    underscores unless `escaping=allow-utf-8` is asked for.
    """

    def __init__(self, stage: Stage, has: tuple[str, ...], created_in: tuple[str, ...]) -> None:
        self._stage, self._has, self._created_in = stage, has, created_in
        self.rows: dict[str, Sample] = {}
        self.accepted: list[str] = []
        stage.network.hosts["web:80"] = self._serve  # type: ignore[assignment]

    def _serve(self, request: Request) -> object:
        accept = request.headers["Accept"]
        self.accepted.append(accept)
        chosen, allows = self._chosen(accept)
        page = {}
        for text, sample in self.rows.items():
            created = sample.created if chosen in self._created_in else None
            name = text if allows else _ESCAPED.get(text, text)
            page[name] = Sample(sample.value, None, created)
        content = _KINDS[chosen]
        return answer(render(page, content), content)

    def _chosen(self, accept: str) -> tuple[str, bool]:
        """The best format that both have, and whether UTF-8 is allowed in it."""
        best: list[tuple[float, str, bool]] = []
        for part in accept.split(","):
            kind, *parameters = (p.strip() for p in part.split(";"))
            named = dict(p.split("=", 1) for p in parameters)
            format_ = _NAMES.get(kind, "")
            if format_ in self._has:
                allows = named.get("escaping") == "allow-utf-8"
                best.append((-float(named.get("q", "1")), format_, allows))
        return min(best)[1:] if best else (self._has[0], False)


# --- names in UTF-8 -------------------------------------------------------------------------------


def _dotted(ok: float, failed: float) -> Mapping[str, Sample]:
    return {
        _OK: Sample(ok),
        _FAILED: Sample(failed),
        "plain_total": Sample(ok * 2),
        "plain_bad_total": Sample(failed),
    }


QUOTED = {
    "name-and-label": '{ bad = \'{"shop.req","http.code"=~"5.."}\', total = \'{"shop.req"}\' }',
    "underscores": "{ bad = 'shop_req{http_code=~\"5..\"}', total = 'shop_req' }",
}


@pytest.mark.parametrize("has", [("openmetrics", "text"), ("text",), ("protobuf", "openmetrics")])
@pytest.mark.parametrize("sli", QUOTED.values(), ids=QUOTED)
async def test_names_in_utf_8_are_asked_for_where_a_selector_has_them(
    stage: Stage, has: tuple[str, ...], sli: str
) -> None:
    client = Client(stage, has, ())
    client.rows = dict(_dotted(180, 20))
    plain = SLO.format(name="plain", sli="{ bad = 'plain_bad_total', total = 'plain_total' }")
    await stage.start(SCRAPE.format(more="") + SLO.format(name="case", sli=sli) + plain)
    await stage.advance(10)
    client.rows = dict(_dotted(265, 25))
    await stage.advance(10)
    await stage.restart()
    client.rows = dict(_dotted(300, 26))
    await stage.advance(10)
    metrics = await stage.metrics()
    assert metrics.events() == (120, 6)
    assert metrics.events("plain") == (240 - 6, 6)
    asked = ["allow-utf-8" in accept for accept in client.accepted]
    assert any(asked) == ('"shop.req"' in sli)


@pytest.mark.parametrize("has", [("openmetrics", "text"), ("text",), ("protobuf", "openmetrics")])
async def test_a_quoted_label_of_a_plain_name_is_asked_for(
    stage: Stage, has: tuple[str, ...]
) -> None:
    client = Client(stage, has, ())

    def show(ok: float, failed: float) -> None:
        client.rows = {_LABEL_OK: Sample(ok), _LABEL_FAILED: Sample(failed)}

    show(400, 30)
    sli = "{ bad = 'buy_total{\"http.code\"=~\"5..\"}', total = 'buy_total' }"
    await stage.start(SCRAPE.format(more="") + SLO.format(name="case", sli=sli))
    show(440, 35)
    await stage.advance(10)
    assert (await stage.metrics()).events() == (40, 5)


# --- created timestamps ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has", "created_in"),
    [
        (("protobuf", "openmetrics", "text"), ("protobuf",)),
        (("protobuf", "text"), ("protobuf",)),
        (("openmetrics", "text"), ("openmetrics",)),
        (("protobuf", "openmetrics", "text"), ("protobuf", "openmetrics")),
    ],
    ids=["protobuf", "protobuf-and-text", "openmetrics", "both"],
)
@pytest.mark.parametrize("latency", [False, True], ids=["", "beside-a-latency"])
async def test_created_timestamps_are_asked_for_whatever_else_is_watched(
    stage: Stage, has: tuple[str, ...], created_in: tuple[str, ...], latency: bool
) -> None:
    client = Client(stage, has, created_in)

    def show(ok: float, failed: float, created: float) -> None:
        client.rows = {
            'sink_total{code="200"}': Sample(ok, created=created),
            'sink_total{code="500"}': Sample(failed, created=created),
        }

    sli = "{ bad = 'sink_total{code=\"500\"}', total = 'sink_total' }"
    beside = SLO.format(name="slow", sli="{ histogram = 'lat_seconds', threshold = \"1s\" }")
    show(54, 6, T - 5)
    config = SCRAPE.format(more="") + SLO.format(name="case", sli=sli)
    await stage.start(config + (beside if latency else ""))
    await stage.advance(10)
    show(139, 11, T - 5)
    await stage.advance(10)
    # They rest, and are taken off the page.
    client.rows = {"up_since": Sample(1.0)}
    await stage.advance(30)
    await stage.restart()
    show(630, 70, stage.now + 4)
    await stage.advance(10)
    show(640, 71, stage.now - 6)
    await stage.advance(10)
    assert (await stage.metrics()).events() == (85 + 640, 5 + 71)


# --- answers that are not whole -------------------------------------------------------------------

SELECTORS = "{ bad = 'bad_total', total = 'all_total' }"
QUERIES = (
    "{ bad_query = 'sum(increase(bad_total[{{.window}}]))', "
    "total_query = 'sum(increase(all_total[{{.window}}]))' }"
)


def two_nodes(stage: Stage, flavour: Flavour) -> Upstream:
    """Half of all events live on each node; all bad ones on node A."""
    upstream = Upstream(stage.clock.now, flavour)
    stage.network.hosts["prom:9090"] = upstream
    for index in range(-30, 120):
        at = T + 5 * index - 1
        for node, bad in (("a", 20.0), ("b", 0.0)):
            own = {"job": "j", "instance": f"{node}:1"}
            upstream.write(series("up", **own), at, 1.0)
            upstream.write(series("all_total", **own), at, 700 + 20.0 * (30 + index))
            upstream.write(series("bad_total", **own), at, 50 + bad * (30 + index))
    return upstream


@pytest.mark.parametrize("partial", ["isPartial", "warnings"])
@pytest.mark.parametrize("sli", [SELECTORS, QUERIES], ids=["selectors", "queries"])
@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
async def test_half_of_a_cluster_is_no_quiet_service(
    stage: Stage, partial: str, sli: str, restarts: bool
) -> None:
    upstream = two_nodes(stage, Flavour(partial=partial))
    await stage.start(PROM.format(more="") + SLO.format(name="case", sli=sli))
    for _ in range(10):
        await stage.advance(10)
    before = (await stage.metrics()).events()
    assert before[1] == pytest.approx(before[0], rel=0.01) and before[1] > 300
    upstream.hidden = lambda labels: labels.get("instance") == "a:1"
    for step in range(8):
        await stage.advance(10)
        if restarts and step == 4:
            await stage.restart()
    metrics = await stage.metrics()
    during = metrics.events()
    assert during[0] - before[0] == pytest.approx(during[1] - before[1], abs=1)
    assert metrics.get("slod_slo_errors", slo="case") == 1 or 0 in metrics.select("slod_source_up")
    upstream.hidden = None
    for _ in range(12):
        await stage.advance(10)
    metrics = await stage.metrics()
    after = metrics.events()
    assert after[1] - before[1] == pytest.approx(4 * 200, abs=120)
    assert after[0] - before[0] == pytest.approx(after[1] - before[1], abs=1)
    assert metrics.get("slod_slo_errors", slo="case") == 0
    assert metrics.select("slod_source_up") == [1]
    assert (await stage.slo())["unknown"] is None


async def test_servers_are_told_to_refuse_partial_answers(stage: Stage) -> None:
    upstream = two_nodes(stage, Flavour())
    slos = SLO.format(name="case", sli=SELECTORS) + SLO.format(name="query", sli=QUERIES)
    await stage.start(PROM.format(more="") + slos)
    await stage.advance(30)
    asked = [r for r in upstream.asked if "query" in r.path]
    assert asked
    for request in asked:
        assert request.form.get("deny_partial_response") in ("1", "true")
        assert request.form.get("partial_response") in ("0", "false")


# --- what is too much for one answer --------------------------------------------------------------

LIMITS = {
    "victoria-samples": Flavour(most_samples=900),
    "victoria-few-samples": Flavour(most_samples=120),
    "cortex-range": Flavour(longest=700),
}


@pytest.mark.parametrize("flavour", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
async def test_a_history_that_is_too_much_comes_in_smaller_pieces(
    stage: Stage, flavour: Flavour, restarts: bool
) -> None:
    upstream = Upstream(stage.clock.now, flavour)
    stage.network.hosts["prom:9090"] = upstream
    for index in range(-1790, 300):
        own = {"job": "a", "instance": "i"}
        at = T + index
        upstream.write(series("rate_limit_total", code="200", **own), at, 9.0 * (1800 + index))
        upstream.write(series("rate_limit_total", code="500", **own), at, 1.0 * (1800 + index))
    sli = "{ bad = 'rate_limit_total{code=\"500\"}', total = 'rate_limit_total' }"
    more = 'backfill = "1h"'
    await stage.start(PROM.format(more=more) + SLO.format(name="case", sli=sli))
    for step in range(20):
        await stage.advance(10)
        if restarts and step in (2, 9):
            await stage.restart()
    good, bad = (await stage.metrics()).events()
    assert bad == pytest.approx(1789 + 200, abs=2)
    assert good == pytest.approx(9 * bad)
    assert (await stage.slo())["unknown"] is None


async def test_words_of_a_query_in_an_error_are_not_taken_for_a_limit(stage: Stage) -> None:
    """A server repeats the query in its errors; names in it say nothing."""

    def serve(request: Request) -> object:
        query = request.form["query"]
        if "exceed" not in query:
            return upstream(request)
        error = f"cannot evaluate {query}: internal fault"
        body = {"status": "error", "errorType": "execution", "error": error}
        return answer(json.dumps(body), "application/json", 422)

    upstream = two_nodes(stage, Flavour())
    stage.network.hosts["prom:9090"] = serve  # type: ignore[assignment]
    wrong = "{ bad = 'limit_exceeded_total', total = 'too_many_maximum_exceeds_total' }"
    slos = SLO.format(name="case", sli=SELECTORS) + SLO.format(name="wrong", sli=wrong)
    await stage.start(PROM.format(more='backfill = "2m"') + slos)
    for _ in range(10):
        await stage.advance(10)
    metrics = await stage.metrics()
    assert metrics.get("slod_slo_errors", slo="wrong") == 1
    assert metrics.select("slod_source_up") == [1]
    assert metrics.events()[1] > 300
    assert metrics.sum("slod_poll_errors_total", reason="too_much") == 0


async def test_samples_that_come_in_two_copies_count_once(stage: Stage) -> None:
    two_nodes(stage, Flavour(twice=True))
    await stage.start(PROM.format(more='backfill = "2m"') + SLO.format(name="case", sli=SELECTORS))
    for _ in range(10):
        await stage.advance(10)
    good, bad = (await stage.metrics()).events()
    assert good == bad
    assert 20 * 43 <= bad <= 20 * 52
