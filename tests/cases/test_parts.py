"""One broken SLO, one broken part: everything else answers, and `/-/healthy` tells the truth."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.app.keeper import CYCLE, Keeper
from exporter.app.numbers import Numbers
from exporter.core.account import Account
from exporter.core.alert import Alert
from exporter.core.engine import Engine
from exporter.core.history import History
from exporter.core.instance import Instance
from exporter.core.memory import Memory
from exporter.core.slo import SLO
from exporter.core.status import SLOStatus
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
rules = [{{ severity = "page", burn_rate = 2, long = "2m", short = "1m" }}]
""" + "".join(
    f"""
[slo.{name}]
source = "app"
objective = 99
window = "1h"
alert_policy = "quick"
sli = {{{{ bad = '{name}_total{{{{code="500"}}}}', total = "{name}_total" }}}}
"""
    for name in ("bad", "good")
)
LISTS = ("/api/slo/v1/slos", "/api/v1/rules", "/")
ALL = (*LISTS, "/metrics", "/alerts", "/api/slo/v1/alerts", "/api/v1/alerts")


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
    await stage.start(CONFIG.replace("{{", "{").replace("}}", "}"))
    for _ in range(15):
        await stage.advance(10)
    return stage


@pytest.mark.parametrize("error", [MemoryError, RecursionError, KeyError])
@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (Account, "take"),
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
        # Its strings are made anew.
        assert await stage.daemon.reload() is None
    for _ in range(5):
        for path in ALL:
            status, text = await stage.fetch(path)
            assert status == 200, (path, text)
            assert "good" in text or path not in (*LISTS, "/metrics")
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


async def test_no_memory_for_an_answer_is_503_and_slod_goes_on(
    stage_of_two: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_of_two

    async def gone(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Numbers, "history", gone)
    status, _ = await stage.fetch("/api/slo/v1/slos/good/history?window=1m")
    assert status == 503
    route = "request:/api/slo/v1/slos/{name}/history"
    assert (await stage.metrics()).get("slod_failures_total", part=route) == 1
