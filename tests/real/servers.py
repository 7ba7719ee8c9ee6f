"""Real servers for tests: started on free ports in temporary folders, stopped by their own id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

import aiohttp
import pytest

T = TypeVar("T")


def need(program: str) -> str:
    """The path of a program; without it the test is skipped, or fails where they are required."""
    path = shutil.which(program, path=environment()["PATH"])
    return path if path is not None else missing(f"{program} is not installed")


def unpacked() -> Path | None:
    """The folder that `tests/real/install` made, if `SLOD_SERVERS` names one."""
    folder = os.environ.get("SLOD_SERVERS")
    return Path(folder) if folder else None


def environment() -> dict[str, str]:
    """The environment for a server: programs and libraries are found where they were unpacked."""
    variables = dict(os.environ)
    # Servers are in sbin, which only root has in its path.
    variables["PATH"] += ":/usr/sbin"
    if folder := unpacked():
        variables["PATH"] += f":{folder}/usr/bin:{folder}/usr/sbin"
        libraries = (folder / "usr/lib").glob("*-linux-*")
        variables["LD_LIBRARY_PATH"] = ":".join([*map(str, libraries), f"{folder}/usr/lib/dovecot"])
    return variables


def missing(what: str) -> NoReturn:
    """The test is skipped, or fails where nothing may be missing."""
    if os.environ.get("SLOD_REQUIRE_SERVERS"):
        pytest.fail(what)
    pytest.skip(what)


def free_port() -> int:
    """A port that nobody listens on just now, and that stays so: it is below those that the system
    gives to whoever connects or asks for any."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


async def eventually(look: Callable[[], Awaitable[T]], what: str, *, seconds: float = 30.0) -> T:
    """What `look` finds as soon as it is truthy; fails with the last thing it saw."""
    seen: T | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not (seen := await look()):
                await asyncio.sleep(0.1)
            return seen
    pytest.fail(f"not within {seconds:g}s: {what}; last seen: {seen!r}")


@contextlib.asynccontextmanager
async def process(
    command: Sequence[str], log: Path, env: dict[str, str] | None = None
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A child that is ended when the block is left, however it is left."""
    with log.open("ab") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(child.wait, 10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextlib.asynccontextmanager
async def prometheus(
    folder: Path, config: str, *flags: str, port: int | None = None
) -> AsyncIterator[str]:
    """A Prometheus that is ready; its URL."""
    program, port = need("prometheus"), port or free_port()
    (folder / "prometheus.yml").write_text(config)
    command = [
        program,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    async with process(command, folder / "prometheus.log"):
        url = f"http://127.0.0.1:{port}"
        await answers(f"{url}/-/ready")
        yield url


@contextlib.asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[str]:
    """An Alertmanager that is ready; its URL."""
    program, port = need("prometheus-alertmanager"), free_port()
    (folder / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    command = [
        program,
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    async with process(command, folder / "alertmanager.log"):
        url = f"http://127.0.0.1:{port}"
        await answers(f"{url}/-/ready")
        yield url


@contextlib.asynccontextmanager
async def slod(folder: Path, config: str) -> AsyncIterator[tuple[str, subprocess.Popen[bytes]]]:
    """The daemon under test as its own process, once it is ready; its URL and the process."""
    port = free_port()
    file = folder / "slod.toml"
    file.write_text(f'[server]\nlisten = "127.0.0.1:{port}"\n{config}')
    command = [sys.executable, "-m", "exporter", "run", "-c", str(file)]
    async with process(command, folder / "slod.log") as child:
        url = f"http://127.0.0.1:{port}"
        await answers(f"{url}/-/ready")
        yield url, child


async def answers(url: str) -> None:
    """Wait until a URL answers 200."""

    async def look() -> bool:
        return (await fetch(url))[0] == 200

    await eventually(look, f"{url} answers 200")


async def fetch(url: str, **headers: str) -> tuple[int, bytes]:
    """Status and body; status 0 while nobody answers."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            return answer.status, await answer.read()
    except aiohttp.ClientError:
        return 0, b""


@contextlib.asynccontextmanager
async def victoria_metrics(
    folder: Path, *flags: str, latency_offset: str | None = "0s"
) -> AsyncIterator[str]:
    """A VictoriaMetrics that answers; its URL. It holds back what is younger than
    `latency_offset`; None leaves its own default, 30 s."""
    program, port = need("victoria-metrics"), free_port()
    command = [
        program,
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder}/victoria",
        "-retentionPeriod=2",
        *flags,
    ]
    if latency_offset is not None:
        command.append(f"-search.latencyOffset={latency_offset}")
    async with process(command, folder / "victoria.log"):
        url = f"http://127.0.0.1:{port}"
        await answers(f"{url}/health")
        yield url
