"""Request bodies: limited, and inflated only where somebody reads them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import bcrypt
import pytest
from aiohttp import web

from exporter.web import api
from exporter.web.server import WebServer
from tests.web.kit import serving
from tests.web.test_auth import basic

OBJECT = b'{"a":1}'
JSON = {"Content-Type": "application/json"}


async def read(request: web.Request) -> web.Response:
    return api.answer(await api.read_object(request))


async def ignore(request: web.Request) -> web.Response:
    return web.Response(text="ignored")


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    routes = [web.post("/api/read", read), web.post("/api/ignore", ignore)]
    async with serving(routes=routes) as server:
        yield server


async def post(
    server: WebServer, path: str, data: bytes, encoding: str, **headers: str
) -> tuple[int, str]:
    url = f"http://127.0.0.1:{server.port}{path}"
    sent = {**JSON, "Content-Encoding": encoding, **headers}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=data, headers=sent) as response,
    ):
        return response.status, await response.text()


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("identity", OBJECT),
        ("gzip", gzip.compress(OBJECT, mtime=0)),
        ("GZip", gzip.compress(OBJECT, mtime=0)),
        ("x-gzip", gzip.compress(OBJECT[:3], mtime=0) + gzip.compress(OBJECT[3:], mtime=0)),
        ("deflate", zlib.compress(OBJECT)),
        ("deflate", raw_deflate(OBJECT)),
    ],
)
async def test_a_body_is_inflated(server: WebServer, encoding: str, data: bytes) -> None:
    assert await post(server, "/api/read", data, encoding) == (200, '{"a":1}\n')


@pytest.mark.parametrize(
    ("encoding", "data", "status", "why"),
    [
        ("deflate", b"hello", 400, "the body is not deflate"),
        ("gzip", b"hello", 400, "the body is not gzip"),
        (
            "gzip",
            gzip.compress(OBJECT, mtime=0)[:-5],
            400,
            "the body is not gzip: it ends too soon",
        ),
        ("gzip", gzip.compress(OBJECT, mtime=0) + b"more", 400, "the body is not gzip"),
        ("br", b"hello", 415, "must be gzip, deflate or none"),
        ("gzip, gzip", gzip.compress(OBJECT, mtime=0), 415, "must be gzip, deflate or none"),
        ("gzip", gzip.compress(b" " * 100_000, mtime=0), 413, "longer than 65536 bytes"),
        ("deflate", zlib.compress(b" " * 100_000), 413, "longer than 65536 bytes"),
        ("identity", b" " * 100_000, 413, "longer than 65536 bytes"),
        ("identity", b" " * 1_000_000, 413, "longer than 65536 bytes"),
    ],
)
async def test_a_body_that_cannot_be_used_is_one_line(
    server: WebServer, encoding: str, data: bytes, status: int, why: str
) -> None:
    found, text = await post(server, "/api/read", data, encoding)
    assert found == status
    assert why in text and text.count("\n") == 1


async def test_nobody_inflates_what_nobody_reads_or_what_comes_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object) -> None:
        raise AssertionError("inflated")

    file = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    file.write_text(f"basic_auth_users: {{alice: {hashed}}}\n")
    login = {"Authorization": basic("alice", b"right")}
    routes = [web.post("/api/read", read), web.post("/api/ignore", ignore)]
    data = gzip.compress(OBJECT, mtime=0)
    async with serving(routes=routes, web_config=str(file)) as server:
        monkeypatch.setattr(zlib, "decompressobj", never)
        assert (await post(server, "/api/read", data, "gzip"))[0] == 401
        assert await post(server, "/api/ignore", data, "gzip", **login) == (200, "ignored")
        assert (await post(server, "/-/reload", data, "gzip", **login))[0] == 415
        assert (await post(server, "/nothing", data, "gzip", **login))[0] == 404
        assert (await post(server, "/api/read", data, "gzip", **login))[0] == 500  # the proof


async def test_memory_that_is_not_there_is_the_request_s_failure() -> None:
    async def greedy(request: web.Request) -> web.Response:
        raise MemoryError

    async with serving(routes=[web.get("/api/x", greedy)]) as server, aiohttp.ClientSession() as s:
        async with s.get(f"http://127.0.0.1:{server.port}/api/x") as response:
            assert response.status == 503
            assert "memory" in (await response.json())["error"]
        async with s.get(f"http://127.0.0.1:{server.port}/metrics") as response:
            assert response.status == 200
