"""One broken SLO, one broken part: everything else answers, and `/-/healthy` tells the truth."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.app.detail import Details
from exporter.app.exclusions import Exclusions
from exporter.app.explain import Explainer
from exporter.app.gates import Gates
from exporter.app.heard import Heard
from exporter.app.keeper import CYCLE, Keeper
from exporter.app.numbers import Numbers
from exporter.app.report import Reports
from exporter.app.timeline import Timeline
from exporter.core import gate
from exporter.core.account import Account
from exporter.core.alert import Alert
from exporter.core.engine import Engine
from exporter.core.history import History
from exporter.core.instance import Instance
from exporter.core.memory import Memory
from exporter.core.slo import SLO
from exporter.core.status import SLOStatus
from exporter.page import state as page_state
from exporter.web import slo_metrics
from exporter.web.self_metrics import SelfMetrics
from tests.cases.stage import Request, Stage, answer

CONFIG = """
[source.app]
type = "scrape"
targets = ["http://app/metrics"]
interval = "10s"
[receiver.hook]
type = "webhook"
url = "http://hook/"
[alert_policy.quick]
rules = [{ severity = "page", burn_rate = 2, long = "2m", short = "1m" }]
""" + "".join(
    f"""
[slo.{name}]
source = "app"
service = "shop"
objective = 99
window = "1h"
alert_policy = "quick"
sli = {{ bad = '{name}_total{{code="500"}}', total = "{name}_total" }}
"""
    for name in ("bad", "good")
)
LISTS = ("/api/slo/v1/slos", "/api/v1/rules", "/", "/api/slo/v1/gate/shop")
QUERY = "/api/v1/query?query=slo_error_budget_remaining_ratio"
ALL = (
    *LISTS,
    *("/metrics", "/alerts", "/api/slo/v1/alerts", "/api/v1/alerts"),
    *("/slo/good", "/api/slo/v1/report", QUERY),
    *(f"/api/slo/v1/{path}" for path in ("events", "slos/good/history", "slos/good/explain")),
)


class App:
    """Two counters that grow."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, request: Request) -> Any:
        self.n += 10
        return answer(
            "".join(
                f'{name}_total{{code="500"}} {self.n}\n{name}_total{{code="200"}} {self.n}\n'
                for name in ("bad", "good")
            )
        )


def name_of(of: Any) -> str:
    """The name of the SLO that something is of."""
    if isinstance(of, SLO):
        return of.name
    if isinstance(of, SLOStatus | Account | Instance | Memory):
        return of.slo.name
    if isinstance(of, Alert):
        return of.labels.get("slo", "")
    return getattr(getattr(of, "instance", None), "title", "")


def breaks(patch: pytest.MonkeyPatch, owner: Any, method: str, error: type[Exception]) -> None:
    """Let a function fail for whatever is of the SLO `bad`."""
    before = getattr(owner, method)

    def broken(*args: Any, **more: Any) -> Any:
        if any(name_of(one) == "bad" for one in args):
            raise error(f"no {method}")
        return before(*args, **more)

    patch.setattr(owner, method, broken)


@pytest.fixture
async def stage_of_two(stage: Stage) -> Stage:
    stage.network.hosts["app"] = App()
    stage.network.hosts["hook"] = lambda request: answer(b"")
    await stage.start(CONFIG)
    for _ in range(15):
        await stage.advance(10)
    return stage


@pytest.mark.parametrize("error", [MemoryError, RecursionError, KeyError])
@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (Account, "taking"),
        (Account, "evaluate"),
        (Account, "alerts"),
        (Account, "unknown"),
        (Instance, "status"),
        (Instance, "as_of"),
        (Alert, "notification"),
        (History, "__init__"),
        (slo_metrics._Lines, "collect"),  # noqa: SLF001
        (slo_metrics, "own_labels"),
        (Memory, "dump"),
    ],
)
async def test_a_fault_in_one_slo_is_its_own(
    stage_of_two: Stage,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    method: str,
    error: type[Exception],
) -> None:
    stage = stage_of_two
    before = (await stage.metrics()).events("good")
    breaks(monkeypatch, owner, method, error)
    if owner is slo_metrics:
        # Strings are made once for each definition of an SLO.
        stage.write(CONFIG.replace("objective = 99", "objective = 98"))
        assert await stage.daemon.reload() is None
    for _ in range(5):
        for path in ALL:
            status, text = await stage.fetch(path)
            # A query is not answered with a part of what it asks for because memory is short.
            short = (path, owner, error) == (QUERY, History, MemoryError)
            assert status == (503 if short else 200), (path, text)
            assert "good" in text or short or path not in (*LISTS, "/metrics", QUERY)
            assert "bad" in text or path not in LISTS, f"{path} lists all"
        await stage.advance(10)
    for _ in range(CYCLE if method == "dump" else 0):
        await stage.advance(10)
    metrics = await stage.metrics()
    assert metrics.events("good")[0] >= before[0] + 40
    assert metrics.sum("slod_failures_total", part="slo:bad") > 0 or method == "notification"
    assert metrics.sum("slod_failures_total", part="slo:good") == 0
    assert metrics.sum("slod_failures_total", part="tick") == 0
    assert metrics.get("slod_slo_errors", slo="good") == 0
    assert (await stage.fetch("/-/healthy"))[0] == 200
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("owner", "method"), [(Instance, "status"), (page_state, "_state"), (gate, "_verdict")]
)
async def test_the_page_of_an_slo_that_cannot_be_computed_says_why(
    stage_of_two: Stage, monkeypatch: pytest.MonkeyPatch, owner: Any, method: str
) -> None:
    stage = stage_of_two
    breaks(monkeypatch, owner, method, RuntimeError)
    await stage.advance(10)
    status, text = await stage.fetch("/slo/bad")
    assert status == 200 and f"it cannot be computed: RuntimeError: no {method}" in text
    assert "Its numbers cannot be computed." in text
    await stage.advance(10)
    assert (await stage.metrics()).get("slod_slo_errors", slo="bad") == 1


async def test_a_gate_that_cannot_be_computed_is_unknown(
    stage_of_two: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_of_two
    breaks(monkeypatch, gate, "_verdict", RuntimeError)
    said = await stage.api("gate/shop")
    assert "bad: it cannot be computed: RuntimeError: no _verdict" in str(said)
    assert {one["slo"] for one in said["slos"]} == {"bad", "good"}


@pytest.mark.parametrize(
    ("owner", "method", "request_", "route"),
    [
        (Heard, "listen", "GET /slo/good", "/slo/{name}"),
        (Explainer, "explain", "GET {api}/slos/good/explain", "{api}/slos/{name}/explain"),
        (Reports, "make", "GET {api}/report", "{api}/report"),
        (Exclusions, "remove", "DELETE {api}/exclusions/a{why}", "{api}/exclusions/{ident}"),
        (Gates, "remove", "DELETE {api}/overrides/a{why}", "{api}/overrides/{ident}"),
        (Timeline, "remove", "DELETE {api}/events/a{why}", "{api}/events/{ident}"),
    ],
)
async def test_a_missing_key_nobody_foresaw_is_no_missing_name(
    stage_of_two: Stage,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
    request_: str,
    route: str,
) -> None:
    """It is logged, counted and answered with 500; 404 is for names that do not exist."""
    stage = stage_of_two
    api = "/api/slo/v1"
    verb, _, path = request_.replace("{api}", api).replace("{why}", "?by=x&why=y").partition(" ")
    if verb == "DELETE":
        assert (await stage.fetch(path, verb))[0] == 404
    assert not stage.warned("part.failed")

    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("good")

    monkeypatch.setattr(owner, method, broken)
    assert (await stage.fetch(path, verb))[0] == 500
    part = f"request:{route.replace('{api}', api)}"
    assert (await stage.metrics()).get("slod_failures_total", part=part) == 1
    assert len(stage.warned("part.failed")) == 1


def raises(*_: Any, **__: Any) -> Any:
    raise RuntimeError("no more")


@pytest.mark.parametrize(
    ("owner", "method", "reason"),
    [
        (Engine, "tick", "tick failed"),
        (Keeper, "save", "saving failed"),
        (SelfMetrics, "families", "/metrics cannot be made"),
    ],
)
async def test_health_is_about_what_a_restart_may_mend(
    stage_of_two: Stage, owner: type, method: str, reason: str
) -> None:
    stage = stage_of_two
    assert (await stage.fetch("/-/healthy"))[0] == 200
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, method, raises)
        for _ in range(12):
            await stage.advance(10)
        status, text = await stage.fetch("/-/healthy")
        assert status == 503 and reason in text and text.count("\n") == 1
    for _ in range(8):
        await stage.advance(10)
    await stage.metrics()
    assert (await stage.fetch("/-/healthy"))[0] == 200


async def test_peers_that_fail_are_no_reason(stage_of_two: Stage) -> None:
    stage = stage_of_two
    for host in ("app", "hook"):
        stage.network.hosts[host] = raises
    for _ in range(60):
        await stage.advance(10)
    assert (await stage.fetch("/-/healthy"))[0] == 200
    metrics = await stage.metrics()
    assert metrics.sum("slod_failures_total", part="source:app") > 10
    told = [line for line in stage.warned("part.failed") if "source:app" in line]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("owner", "method", "root"),
    [(Numbers, "history", "/api/slo/v1/slos/{name}/history"), (Details, "of", "/slo/{name}")],
)
async def test_no_memory_for_an_answer_is_503_and_slod_goes_on(
    stage_of_two: Stage, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, root: str
) -> None:
    stage = stage_of_two

    def gone(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(owner, method, gone)
    status, _ = await stage.fetch(root.format(name="good"))
    assert status == 503
    metrics = await stage.metrics()
    assert metrics.get("slod_failures_total", part=f"request:{root}") == 1
    assert metrics.sum("slod_failures_total", part="slo:good") == 0
