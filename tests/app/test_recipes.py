"""The recipes of docs/gate.md, as they stand there, against a daemon with a gate."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from exporter.app.daemon import Daemon
from tests.app.test_daemon import PageServer, get, page, until, write
from tests.app.test_exclusions import running
from tests.core.builders import aged
from tests.real import servers
from tests.support import ManualClock

__all__ = ["page"]

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/gate.md").read_text("utf-8")
SLO = """
[slo.checkout-availability]
service = "checkout"
objective = 90
sli = { bad = 'requests_total{code="500"}', total = 'requests_total' }
"""
BLOCKS = re.findall(r"^```(bash|yaml)\n(.*?)^```$", TEXT.partition("## Recipes")[2], re.S | re.M)
CURL, COMMAND, GITHUB, GITLAB, ARGO, FLAGGER = (body for _, body in BLOCKS)


class Shop:
    """A service with a gate; `url` is slod's."""

    def __init__(self, page: PageServer, daemon: Daemon, clock: ManualClock) -> None:
        self.page, self.daemon, self.clock = page, daemon, clock
        self.url = f"http://127.0.0.1:{daemon.port}"

    async def is_(self, verdict: str) -> None:
        """Fail or serve until the gate says this."""

        async def look() -> bool:
            self.page.counts["200" if verdict == "open" else "500"] += 1000 * (verdict != "unknown")
            await self.clock.advance(0.1)
            _, text = await get(self.daemon, "/api/slo/v1/gate/checkout")
            return json.loads(text).get("verdict") == verdict

        await until(look)


@pytest.fixture
async def shop(tmp_path: Path, page: PageServer) -> AsyncIterator[Shop]:
    page.counts = {"200": 0, "500": 0}
    clock = ManualClock()
    async with running(write(tmp_path, page, SLO), clock) as daemon:
        aged(daemon.engine, clock.now())
        yield Shop(page, daemon, clock)


async def shell(script: str, url: str, folder: Path) -> tuple[int, str]:
    """Exit code and output of a script as CI runs it."""
    servers.need("curl")
    process = await asyncio.create_subprocess_exec(
        *("bash", "-eo", "pipefail", "-c", script),
        cwd=folder,
        env={
            **os.environ,
            "SLOD_URL": url,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{folder}:{os.environ['PATH']}",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


@pytest.mark.parametrize(
    "script",
    [
        CURL,
        yaml.safe_load(GITHUB)[0]["run"],
        "\n".join(yaml.safe_load(GITLAB)["error-budget"]["script"]),
    ],
    ids=["curl", "GitHub", "GitLab"],
)
@pytest.mark.real
async def test_a_pipeline_goes_on_only_while_the_gate_is_open(
    shop: Shop, tmp_path: Path, script: str
) -> None:
    assert (await shell(script, shop.url, tmp_path))[0] != 0
    await shop.is_("open")
    code, out = await shell(script, shop.url, tmp_path)
    assert code == 0 and "checkout-availability" in out
    await shop.is_("closed")
    code, out = await shell(script, shop.url, tmp_path)
    assert code != 0 and "exhausted" in out
    assert (await shell(script, "http://127.0.0.1:9", tmp_path))[0] != 0


@pytest.mark.real
async def test_slods_own_command_tells_closed_from_unknown(shop: Shop, tmp_path: Path) -> None:
    slod = tmp_path / "slod"
    slod.write_text(f'#!/bin/sh\nexec {sys.executable} -m exporter "$@"\n')
    slod.chmod(0o755)
    for verdict, code in (("unknown", 3), ("open", 0), ("closed", 1)):
        await shop.is_(verdict)
        assert (await shell(COMMAND, shop.url, tmp_path))[0] == code, verdict


async def test_argo_reads_the_value_its_condition_is_about(shop: Shop) -> None:
    [metric] = yaml.safe_load(ARGO)["spec"]["metrics"]
    path = metric["provider"]["web"]["url"].partition(":9947")[2]
    assert metric["provider"]["web"]["jsonPath"] == "{$.allow}"
    assert metric["successCondition"] == "result == true"
    for verdict in ("open", "closed"):
        await shop.is_(verdict)
        # Argo takes an answer other than 200 for an error, not for a failure.
        status, text = await get(shop.daemon, path)
        assert (status, json.loads(text)["allow"]) == (200, verdict == "open")


async def test_flagger_posts_and_is_answered_with_success_or_not(shop: Shop) -> None:
    [hook] = yaml.safe_load(FLAGGER)["spec"]["analysis"]["webhooks"]
    url = shop.url + hook["url"].partition(":9947")[2]
    said: dict[str, Any] = {"name": "checkout", "namespace": "prod", "phase": "Progressing"}
    async with aiohttp.ClientSession() as session:
        for verdict, status in (("open", 200), ("closed", 423)):
            await shop.is_(verdict)
            async with session.post(url, json=said) as answer:
                assert answer.status == status
