"""Every command that asks a daemon, and every page, with texts of others that would steer what
shows them: labels of a target, names and reasons that people gave, errors of a peer."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from exporter.app.daemon import Daemon
from exporter.cli import main, parser
from tests.app.test_daemon import get, until
from tests.app.test_exclusions import ask, running
from tests.sources.kit import serving
from tests.support import ManualClock
from tests.test_printable import EVIL, STEERING

LABEL = EVIL[:-1].replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "")
CONFIG = """
[server]
listen = "127.0.0.1:0"
[state]
path = "{folder}/slod.db"
[source.app]
type = "scrape"
targets = ["{url}/metrics"]
interval = "1m"
[source.gone]
type = "scrape"
targets = ["{url}/gone"]
interval = "1m"
[receiver.hook]
type = "webhook"
url = "{url}/hook"
[slo.shop]
source = "app"
objective = 99
window = "1h"
alert_policy = "quick"
sli = {{ bad = 'req{{code="500"}}', total = 'req' }}
group_by = ["route"]
[slo.gone]
source = "gone"
service = "shop"
objective = 99
sli = {{ bad = 'gone_bad', total = 'gone' }}
[alert_policy.quick]
rules = [{{ severity = "page", burn_rate = 1, long = "10m", short = "1m" }}]
"""
COMMANDS = {
    "status": [[], ["--json"], ["--removed"], ["--removed", "--json"]],
    "explain": [["shop"], ["shop", "--format", "json"]],
    "exclude": [["list"], ["list", "--format", "json"], ["audit"], ["remove", "x", "--why", "y"]],
    "gate": [["shop"], ["shop", "--format", "json"], ["shop", "--audit"], ["nobody"]],
    "reload": [[]],
    "state": [["drop", "nobody"]],
    "report": [[], ["--format", "json"], ["--format", "html"]],
}
"""How each of them is called here."""
NEED_NO_DAEMON = {"run", "demo", "check", "backtest", "completion"}
PAGES = ("/", "/slo/shop", "/slo/gone", "/alerts", "/sources", "/configuration", "/-/ready")


def names_of_commands() -> set[str]:
    """All that the command line has."""
    actions = parser()._actions  # noqa: SLF001 - argparse tells it in no other way
    [commands] = [a for a in actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001
    return set(commands.choices)


def test_every_command_is_tried_here_or_asks_no_daemon() -> None:
    assert names_of_commands() == COMMANDS.keys() | NEED_NO_DAEMON


@asynccontextmanager
async def hostile(folder: Path) -> AsyncIterator[Daemon]:
    """A daemon that has taken all of it."""
    count = 0

    async def page(request: web.Request) -> web.Response:
        nonlocal count
        count += 100
        if request.path != "/metrics":
            return web.Response(status=500, text=EVIL[:-1])
        lines = [f'req{{code="{c}",route="{LABEL}"}} {count}\n' for c in (200, 500)]
        return web.Response(body="".join(lines).encode())

    async with serving(page) as url:
        file = folder / "slod.toml"
        file.write_text(CONFIG.format(folder=folder, url=url))
        clock = ManualClock()
        async with running(file, clock) as daemon:
            said = {"reason": EVIL[:-1], "owner": EVIL[:-1]}
            bodies = {
                "/exclusions": {"slos": "shop", "start": "2023-11-01", "duration": "1h"} | said,
                "/overrides": {"for": "shop", "gate": "open", "duration": "1h"} | said,
                "/events": {
                    "kind": "deploy",
                    "service": "shop",
                    "name": EVIL[:-1],
                    "by": EVIL[:-1],
                    "link": f"http://{EVIL[:-1]}",
                },
            }
            for path, body in bodies.items():
                await ask(daemon, "POST", f"/api/slo/v1{path}", json=body)

            async def told() -> bool:
                await clock.advance(30)
                return "did not reach" in (await get(daemon, "/alerts"))[1]

            await until(told)
            yield daemon


async def test_no_command_and_no_page_shows_what_would_steer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with hostile(tmp_path) as daemon:
        url = f"http://127.0.0.1:{daemon.port}"
        seen = 0
        for command, calls in COMMANDS.items():
            for arguments in calls:
                capsys.readouterr()
                await asyncio.to_thread(main, [command, *arguments, "--url", url])
                shown = "".join(capsys.readouterr())
                steering = set(shown) & set(STEERING) - set("\n")
                assert not steering, (command, arguments, shown)
                assert "\nFAKE" not in shown, (command, arguments)
                seen += "FAKE" in shown
        assert seen >= 8, "what is hostile has to be shown, or nothing is tested"
        for path in PAGES:
            _, text = await get(daemon, path)
            assert not set(text) & set(STEERING) - set("\n"), path
