"""No secret shows anywhere: not in the log at its wordiest, not on a page, not in `/metrics`.

A daemon with a secret of every kind, all of its peers failing in turn, so that every error is seen.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from exporter import log
from exporter.app.daemon import Daemon
from exporter.clock import SystemClock
from exporter.config.load import load
from exporter.config.settings import Log

SECRETS = (
    "hunter2-basic",
    "hunter2-bearer",
    "hunter2-hmac",
    "hunter2-userinfo",
    "hunter2-query",
    "hunter2-header",
)
CONFIG = """
[server]
listen = "127.0.0.1:0"
[state]
path = ":memory:"
[source.basic]
type = "scrape"
targets = ["http://127.0.0.1:{port}/fail?token=hunter2-query", "http://u:hunter2-userinfo@127.0.0.1:1/"]
interval = "100ms"
basic_auth = {{ username = "u", password_file = "{folder}/basic" }}
headers = {{ X-Token = "hunter2-header" }}
[source.bearer]
type = "prometheus"
url = "http://127.0.0.1:{port}/elsewhere?token=hunter2-query"
interval = "100ms"
bearer_token_file = "{folder}/bearer"
[source.page]
type = "scrape"
targets = ["http://127.0.0.1:{port}/page"]
interval = "100ms"
[slo.basic]
objective = 99
source = "basic"
sli = {{ bad = 'bad_total', total = 'all_total' }}
[slo.bearer]
objective = 99
source = "bearer"
sli = {{ bad = 'bad_total', total = 'all_total' }}
[slo.page]
objective = 99
source = "page"
alert_policy = "quick"
sli = {{ bad = 'bad_total', total = 'all_total' }}
[alert_policy.quick]
rules = [{{ severity = "page", burn_rate = 1, long = "10s", short = "1s" }}]
[receiver.hook]
type = "webhook"
url = "http://u:hunter2-userinfo@127.0.0.1:{port}/fail?token=hunter2-query"
secret_file = "{folder}/hmac"
[receiver.am]
type = "alertmanager"
url = "http://127.0.0.1:{port}/elsewhere"
bearer_token_file = "{folder}/bearer"
"""


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that fails, sends elsewhere, or has a page on which all goes wrong."""
    count = 0

    async def fail(request: web.Request) -> web.Response:
        return web.Response(status=500, text="no")

    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/?k=hunter2-query"})

    async def page(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(text=f"bad_total {count}\nall_total {count}\n")

    app = web.Application()
    app.router.add_route("*", "/fail", fail)
    app.router.add_route("*", "/elsewhere", elsewhere)
    app.router.add_route("*", "/elsewhere/{rest:.*}", elsewhere)
    app.router.add_get("/page", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield int(runner.addresses[0][1])
    await runner.cleanup()


async def test_no_secret_is_in_a_log_line_an_error_a_page_or_a_metric(
    port: int, tmp_path: Path
) -> None:
    for name in ("basic", "bearer", "hmac"):
        (tmp_path / name).write_text(f"hunter2-{name}\n")
    file = tmp_path / "slod.toml"
    file.write_text(CONFIG.format(port=port, folder=tmp_path))
    said = io.StringIO()
    log.configure(Log(level="debug", format="json"), said)
    try:
        shown = await pages_of_a_failing_daemon(file, said)
    finally:
        log.configure(Log(), io.StringIO())
    everything = said.getvalue() + shown
    assert [secret for secret in SECRETS if secret in everything] == []


async def pages_of_a_failing_daemon(file: Path, said: io.StringIO) -> str:
    """All that its port shows, once everything has failed."""
    expected = (
        'slod_notifications_total{receiver="hook",outcome="retried"} ',
        'slod_notifications_total{receiver="am",outcome="retried"} ',
        'slod_poll_errors_total{source="basic",reason="http_status"}',
        'slod_poll_errors_total{source="bearer",reason="redirect"}',
    )
    logged = ("source.failed", "notification.retry_scheduled", "alert.firing")
    daemon, stop = Daemon(load(file), SystemClock()), asyncio.Event()
    task = asyncio.create_task(daemon.run(stop))
    await daemon.started.wait()
    shown = ""
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while not (
            all(series in shown for series in expected)
            and all(event in said.getvalue() for event in logged)
        ):
            await asyncio.sleep(0.05)
            shown = ""
            for path in ("/metrics", "/", "/-/ready", "/nothing"):
                async with session.get(f"http://127.0.0.1:{daemon.port}{path}") as answer:
                    shown += await answer.text()
        async with session.post(f"http://127.0.0.1:{daemon.port}/-/reload") as answer:
            shown += await answer.text()
    stop.set()
    await task
    return shown
