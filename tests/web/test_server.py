from __future__ import annotations

import asyncio
import gzip
import socket

import aiohttp
import pytest
from aiohttp import web

from exporter.errors import ConfigError
from exporter.web.exposition import Family
from exporter.web.server import Health, Readiness, WebServer
from tests.web.kit import serving


async def ask(
    server: WebServer, path: str, method: str = "GET", **options: object
) -> tuple[int, str, aiohttp.ClientResponse]:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}{path}"
        async with session.request(method, url, **options) as response:  # type: ignore[arg-type]
            return response.status, await response.text(), response


async def test_metrics_are_text_by_default_and_openmetrics_when_preferred() -> None:
    async with serving() as server:
        status, text, response = await ask(server, "/metrics")
        assert status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert text == "# HELP up Is it up?\n# TYPE up gauge\nup 1\n"
        accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        _, text, response = await ask(server, "/metrics", headers=accept)
        assert response.headers["Content-Type"] == (
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        )
        assert text.endswith("up 1\n# EOF\n")


@pytest.mark.parametrize("samples", [1, 20_000])
async def test_metrics_are_packed_for_who_accepts_gzip(samples: int) -> None:
    family = Family.of("n", "gauge", "x", [(f'{{i="{i}"}}', float(i)) for i in range(samples)])
    async with (
        serving(page=lambda: [family]) as server,
        aiohttp.ClientSession(auto_decompress=False) as session,
    ):
        url = f"http://127.0.0.1:{server.port}/metrics"
        async with session.get(url, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            packed = await response.read()
        async with session.get(url, headers={"Accept-Encoding": "identity"}) as response:
            assert "Content-Encoding" not in response.headers
            assert gzip.decompress(packed) == await response.read()


async def test_the_page_is_made_once_for_each_change() -> None:
    made: list[int] = []
    version = [1]

    def page() -> list[Family]:
        made.append(version[0])
        return [Family.of("v", "gauge", "x", [("", float(version[0]))])]

    async with serving(page=page, version=lambda: version[0]) as server:
        await asyncio.gather(*(ask(server, "/metrics") for _ in range(5)))
        assert made == [1]
        version[0] = 2
        assert (await ask(server, "/metrics"))[1].endswith("v 2\n")
        assert made == [1, 2]


async def test_healthy_and_ready_say_what_is_wrong() -> None:
    answers: list[object] = [Health(), Readiness()]
    async with serving(health=lambda: answers[0], ready=lambda: answers[1]) as server:
        assert (await ask(server, "/-/healthy"))[:2] == (200, "slod is healthy.\n")
        assert (await ask(server, "/-/ready"))[:2] == (200, "slod is ready.\n")
        answers[:] = [Health(False, "the tick stands still"), Readiness(("prom: first poll", "b"))]
        assert (await ask(server, "/-/healthy"))[:2] == (503, "the tick stands still\n")
        status, text, _ = await ask(server, "/-/ready")
        assert (status, text) == (503, "slod is not ready, missing: prom: first poll; b\n")
        answers[1] = Readiness(notes=("state is in memory only",))
        assert (await ask(server, "/-/ready"))[:2] == (
            200,
            "slod is ready.\nstate is in memory only\n",
        )


async def test_reload_is_a_post_or_put_and_says_why_not() -> None:
    answers: list[str | Exception | None] = [None]

    async def reload(allow_empty: bool) -> str | None:
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    async with serving(reload=reload) as server:
        assert (await ask(server, "/-/reload", "POST"))[:2] == (200, "reloaded\n")
        assert (await ask(server, "/-/reload", "PUT"))[0] == 200
        status, _, response = await ask(server, "/-/reload")
        assert status == 405 and response.headers["Allow"] == "POST,PUT"
        for answers[0] in ("slod.toml:3: unknown key", ConfigError("slod.toml:3: unknown key")):
            status, text, _ = await ask(server, "/-/reload", "POST")
            assert status == 500 and text.endswith("slod.toml:3: unknown key\n")


async def test_head_answers_without_a_body() -> None:
    async with serving() as server:
        for path in ("/metrics", "/-/healthy", "/-/ready"):
            assert (await ask(server, path, "HEAD"))[:2] == (200, "")


async def test_another_path_is_one_line() -> None:
    async with serving() as server:
        status, text, response = await ask(server, "/<script>")
        assert (status, text) == (404, "not found; see /\n")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Server"] == "slod"


async def test_other_rooms_bring_their_routes_and_their_own_errors() -> None:
    async def gone(request: web.Request) -> web.Response:
        raise web.HTTPNotFound(text='{"error":"no such SLO"}', content_type="application/json")

    async with serving(routes=[web.get("/api/x", gone)]) as server:
        assert (await ask(server, "/api/x"))[:2] == (404, '{"error":"no such SLO"}')


async def test_a_page_that_fails_is_one_line_and_takes_nothing_else_down() -> None:
    def page() -> list[Family]:
        raise RuntimeError("secret detail")

    async with serving(page=page) as server:
        assert (await ask(server, "/metrics"))[:2] == (500, "internal error; the log says more\n")
        assert (await ask(server, "/-/healthy"))[0] == 200


async def test_a_body_that_is_too_large_is_refused() -> None:
    async def read(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async with serving(routes=[web.post("/api/x", read)]) as server:
        assert (await ask(server, "/api/x", "POST", data=b"x" * 1000))[:2] == (200, "1000")
        assert (await ask(server, "/api/x", "POST", data=b"x" * 1_000_000))[0] == 413


async def test_headers_that_are_too_long_are_refused() -> None:
    async with serving() as server:
        status, _, _ = await ask(server, "/", headers={"X-Long": "x" * 50_000})
        assert status == 400


async def test_a_port_in_use_is_an_error_with_the_way_out() -> None:
    async with serving() as server:
        with pytest.raises(ConfigError, match=r"port is in use; .*another port"):
            async with serving(listen=f"127.0.0.1:{server.port}"):
                pass


async def test_an_address_of_another_machine_is_an_error_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match="no interface has this address"):
        async with serving(listen="192.0.2.1:0"):
            pass


async def test_ipv6_and_all_interfaces_can_be_listened_on() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    async with (
        serving(listen="[::1]:0") as server,
        aiohttp.ClientSession() as session,
        session.get(f"http://[::1]:{server.port}/-/healthy") as response,
    ):
        assert response.status == 200
    async with serving(listen=":0") as server:
        assert server.port > 0


async def test_stop_lets_a_running_request_end_and_frees_the_port() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        started.set()
        await go_on.wait()
        return web.Response(text="done")

    async with serving(routes=[web.get("/slow", slow)], stop_timeout=30.0) as server:
        asking = asyncio.create_task(ask(server, "/slow"))
        await started.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        go_on.set()
        assert (await asking)[:2] == (200, "done")
        await stopping
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask(server, "/-/healthy")


@pytest.mark.parametrize("path", ["/metrics", "/nowhere"])
@pytest.mark.parametrize("expect", [b"nothing", b"\xff", b"\xc3\xa4, \x80"])
async def test_an_expectation_that_nobody_knows_is_refused_in_one_line(
    path: str, expect: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: "
        writer.write(head.encode() + expect + b"\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 417 ") and answer.endswith(b"only 100-continue is known\n")
    assert not [record for record in caplog.records if record.exc_info]
