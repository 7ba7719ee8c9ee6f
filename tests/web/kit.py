"""What the tests of this room share: a snapshot, a running server, promtool."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from exporter.core.selector import parse_selector
from exporter.core.slo import SLO, BudgetStep, Calendar, CounterSLI, Period, Rule, Window
from exporter.core.status import RuleStatus, SLOStatus, Snapshot, StepStatus, WindowStatus
from exporter.web.exposition import Family
from exporter.web.server import Health, Readiness, Web, WebServer

NOW = 1_700_000_000.0
MONTH = Window("30d", 2_592_000.0)


def slo(name: str = "checkout", period: Period = MONTH, **more: Any) -> SLO:
    """An SLO of 99.9% with one rule, 1h/5m."""
    sli = CounterSLI(bad=parse_selector("bad"), total=parse_selector("all"))
    rule = Rule("page", Window("1h", 3600.0), Window("5m", 300.0), 14.4)
    return SLO(name, "shop", 0.999, period, "prom", sli, 15.0, rules=(rule,), **more)


def status(
    of: SLO | None = None, *, bad: float = 2.0, empty: bool = False, **more: Any
) -> SLOStatus:
    """Its status with 998 good events in every window, or none at all."""
    of = of or slo()
    good = 0.0 if empty else 998.0
    bad = 0.0 if empty else bad
    period = 2_592_000.0 if isinstance(of.period, Calendar) else of.period.seconds
    lengths = (("5m", 300.0), ("1h", 3600.0), (of.period.label, period))
    fields: dict[str, Any] = {
        "slo": of,
        "labels": of.labels,
        "good_total": 123_456_789_012.0,
        "bad_total": 7.0,
        "windows": tuple(WindowStatus(n, s, good, bad, 0.5) for n, s in lengths),
        "age": 7200.0,
        "length": period,
        "young": True,
        "budget_remaining": None if empty else -1.0,
        "whole_remaining": None if empty else 0.75,
        "budget_remaining_events": None if empty else -1.0,
        "exhaustion_lower": None if empty else 3600.0,
        "exhaustion_seconds": None if empty else math.inf,
        "exhaustion_upper": None if empty else math.inf,
        "rules": (RuleStatus("page", "1h", "5m", 14.4, True, NOW),),
        "policy_state": "exhausted",
        "steps": (
            StepStatus(BudgetStep(0.0, "exhausted", gate_open=False), holds=True),
            StepStatus(BudgetStep(0.5, "warning"), holds=False),
        ),
        "gate_open": False,
        "reopens": None,
        "ledger_bytes": 4096,
    }
    return SLOStatus(**{**fields, **more})


def snapshot(*statuses: SLOStatus) -> Snapshot:
    """A snapshot of these, or of one SLO with events."""
    return Snapshot(NOW, statuses or (status(),))


@asynccontextmanager
async def serving(**changes: Any) -> AsyncIterator[WebServer]:
    """A server on a free port, ready and healthy unless told otherwise."""

    async def reload(allow_empty: bool) -> str | None:
        return None

    settings: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "page": lambda: [Family.of("up", "gauge", "Is it up?", [("", 1.0)])],
        "version": lambda: 1,
        "health": Health,
        "ready": Readiness,
        "reload": reload,
        "stop_timeout": 0.5,
    }
    server = WebServer(Web(**{**settings, **changes}))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def tool(name: str) -> str:
    """The path of a program the test needs; without it the test is skipped, or fails in CI."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("SLOD_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{name} is not installed and SLOD_REQUIRE_SERVERS=1")
        pytest.skip(f"{name} is not installed")
    return found


def promtool_findings(page: bytes) -> str:
    """What `promtool check metrics` says to the page; nothing when it is clean."""
    done = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=page, capture_output=True, check=False
    )
    return (done.stdout + done.stderr).decode()
