"""Clients that were made for Prometheus, pointed at slod as they are. What `tests/clients/install`
has put into the folder SLOD_CLIENTS is run: on the command line, or in Chromium.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.generate.__main__ import DASHBOARDS, FOLDER
from tests.page.browser import chromium
from tests.real.servers import missing, need
from tests.real.test_prom_api import lived

pytestmark = pytest.mark.real

HERE = Path(__file__).parent
POLLS = 60
WITHIN = 60.0
"""Seconds after which a client that hangs is ended."""
OBJECTIVES = {"checkout": 0.999, "search": 0.99, "login": 0.95}
SERVICES = ["identity", "shop"]
WAYS = (("POST", {}), ("GET", {}), ("POST", {"seriesEndpoint": True}))
"""The settings of Grafana's data source that change what it asks; the last is for servers that are
old, or said to be."""
HELP = "Error ratio in the window, in multiples of the error budget."


@pytest.fixture
def clients() -> Path:
    """The folder that they are installed in."""
    folder = os.environ.get("SLOD_CLIENTS")
    return Path(folder) if folder else missing("SLOD_CLIENTS is not set: see tests/clients/install")


@dataclass(frozen=True)
class Asked:
    """Where a daemon of a quarter of an hour answers, and its clock."""

    url: str
    now: float


@pytest.fixture
async def slod(tmp_path: Path, clients: Path) -> AsyncIterator[Asked]:
    async with lived(tmp_path, POLLS) as (daemon, clock):
        yield Asked(f"http://127.0.0.1:{daemon.port}", clock.now())


async def told(*command: str | Path, **environment: str) -> Any:
    """What a client prints; it must be content."""
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_prometheus_api_client(slod: Asked, clients: Path) -> None:
    script = HERE / "prometheus_api_client_asks.py"
    said = await told(clients / "python/bin/python", script, slod.url, f"{slod.now}")
    assert said["connected"] is True
    assert {"slo_burn_rate", "slod_build_info", "ALERTS"} <= set(said["metrics"])
    assert {"slo", "service", "window"} <= set(said["labels"])
    assert (said["services"], said["objectives"]) == (SERVICES, OBJECTIVES)
    assert [about["help"] for about in said["help"]] == [HELP]
    # Five windows of three SLOs, over five minutes by the minute.
    assert (said["points"], said["rows"]) == ([6], 90)
    assert said["named"] == sorted(OBJECTIVES)
    assert said["largest"] == {"max": 0.999}


async def test_promql_http_api(slod: Asked, clients: Path) -> None:
    script = HERE / "promql_http_api_asks.py"
    said = await told(clients / "python/bin/python", script, slod.url, f"{slod.now}")
    assert (said["services"], said["objectives"]) == (SERVICES, OBJECTIVES)
    assert (said["rows"], said["series"]) == (90, 3)
    assert {"slo", "service", "window"} <= set(said["labels"])
    assert said["formatted"] == "sum by (slo) (slo_burn_rate) > 1"
    assert said["rules"] == list(OBJECTIVES)
    assert said["alerts"] > 0
    assert (said["version"], said["flags"]) == ("3.5.0", {"query.timeout": "30s"})


async def test_the_client_of_prometheus_own_query_editor(slod: Asked, clients: Path) -> None:
    modules = str(clients / "node_modules")
    script = HERE / "codemirror_asks.cjs"
    by_method = await told(need("node"), script, slod.url, NODE_PATH=modules)
    assert by_method.keys() == {"GET", "POST"}
    for said in by_method.values():
        assert said["wrong"] == []
        assert {"slo_burn_rate", "slod_build_info", "ALERTS"} <= set(said["metrics"])
        assert said["labels"] == ["__name__", "service", "slo", "window"]
        assert (said["services"], said["series"]) == (SERVICES, 3)
        assert [about["help"] for about in said["help"]] == [HELP]
        assert said["flags"] == {"query.timeout": "30s"}


async def test_grafana_s_own_data_source_in_a_browser(slod: Asked, clients: Path) -> None:
    async with asyncio.timeout(WITHIN), chromium() as browser:
        # On slod's own address, so that the browser lets it ask; slod's pages admit no scripts.
        context = await browser.new_context(bypass_csp=True)
        page = await context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        await page.goto(slod.url)
        await page.add_script_tag(path=clients / "grafana.js")
        # A POST that is refused is asked again by GET, and rules that are not there are none: only
        # the console says so.
        page.on("console", lambda message: wrong.append(message.text))
        for method, options in WAYS:
            said = await page.evaluate(
                "([how, at]) => askAsGrafana(how, at)",
                [{"httpMethod": method, **options}, slod.now],
            )
            assert {"slo_burn_rate", "slod_build_info", "ALERTS"} <= set(said["metrics"])
            assert said["help"]["help"] == HELP
            # The variables of a dashboard.
            assert (said["slos"], said["services"]) == (["checkout", "search"], SERVICES)
            assert (said["names"], said["result"]) == (
                ["slo_burn_rate"],
                [
                    f'slo_objective_ratio{{slo="{slo}",service="{service}"}} {value:g} '
                    f"{slod.now * 1000:.0f}"
                    for (slo, value), service in zip(
                        OBJECTIVES.items(), ("shop", "shop", "identity"), strict=True
                    )
                ],
            )
            # Ad-hoc filters.
            assert {"slo", "service", "window"} <= set(said["keys"]) <= set(said["labels"])
            assert said["values"] == sorted(OBJECTIVES)
            assert set(said["keysLeft"]) - {"__name__"} == {"slo", "window"}
            assert said["valuesLeft"] == ["checkout", "search"]
            assert f"{method} /api/v1/query" in said["asked"]
            assert (said["exemplars"], said["rules"]) == (True, [])
        assert wrong == []
        await context.close()


async def test_grafana_s_own_types_say_that_the_dashboards_are_dashboards(clients: Path) -> None:
    def compiled(**dashboards: str) -> str:
        files = []
        for name, text in dashboards.items():
            files.append(clients / f"{name}.ts")
            # A literal where its type is said: keys that the type does not have are errors, too.
            files[-1].write_text(
                'import type { Written } from "./dashboard";\n'
                f"export const written: Written = {text};\n"
            )
        how = ("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022")
        modules = ("--module", "esnext", "--moduleResolution", "bundler")
        tsc = clients / "node_modules/typescript/bin/tsc"
        command = [need("node"), tsc, *how, *modules, *files]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN)
        return done.stdout

    texts = {name: (FOLDER / f"{name}.json").read_text("utf-8").strip() for name in DASHBOARDS}
    assert await asyncio.to_thread(compiled, **texts) == ""
    value = texts["slod"].replace('"mode": "absolute"', '"mode": "relative"')
    key = texts["slod"].replace('"mappings"', '"mapings"')
    said = await asyncio.to_thread(compiled, value=value, key=key)
    assert "'\"relative\"' is not assignable" in said
    assert "'\"mapings\"' does not exist in type" in said
