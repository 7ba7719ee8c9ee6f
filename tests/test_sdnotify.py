from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import sdnotify
from tests.support import ManualClock


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """What systemd listens on, with NOTIFY_SOCKET naming it."""
    path = str(tmp_path / "notify")
    if request.param == "abstract":
        name = f"@slod-test-{os.getpid()}"
        address, path = "\0" + name[1:], name
    else:
        address = path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield listening


def test_systemd_hears_each_state(manager: socket.socket) -> None:
    for say, message in (
        (sdnotify.ready, b"READY=1"),
        (sdnotify.stopping, b"STOPPING=1"),
        (sdnotify.watchdog, b"WATCHDOG=1"),
        (lambda: sdnotify.status("3 SLOs,\n1 firing"), b"STATUS=3 SLOs, 1 firing"),
    ):
        assert say()
        assert manager.recv(1000) == message


def test_a_reload_carries_the_monotonic_time(manager: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    assert sdnotify.reloading()
    first, second = manager.recv(1000).decode().split("\n")
    assert first == "RELOADING=1"
    name, value = second.split("=")
    assert name == "MONOTONIC_USEC" and before <= int(value) <= time.monotonic_ns() // 1000


def test_a_manager_that_does_not_listen_is_not_waited_for(manager: socket.socket) -> None:
    while sdnotify.watchdog():  # until its queue is full
        pass
    assert not sdnotify.ready()


@pytest.mark.parametrize("value", [None, "", "relative", "vsock:2:1", "/nobody/listens/here"])
def test_without_systemd_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if value is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", value)
    assert not sdnotify.ready()


@pytest.mark.parametrize(
    ("usec", "pid", "interval"),
    [
        ("30000000", None, 15.0),
        ("30000000", "own", 15.0),
        ("30000000", "1", None),
        (None, None, None),
        ("0", None, None),
        ("x", None, None),
        ("30000000", "x", None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_must(
    monkeypatch: pytest.MonkeyPatch, usec: str | None, pid: str | None, interval: float | None
) -> None:
    for name, value in (
        ("WATCHDOG_USEC", usec),
        ("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid),
    ):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert sdnotify.watchdog_interval() == interval


async def test_the_watchdog_is_fed_only_while_slod_is_healthy(manager: socket.socket) -> None:
    clock, healthy = ManualClock(), [True, False, True]
    fed = asyncio.create_task(sdnotify.keep_alive(clock, 5.0, lambda: healthy.pop(0)))
    await clock.until_sleeping()
    await clock.advance(5)
    await clock.advance(5)
    fed.cancel()
    await asyncio.wait([fed])
    manager.setblocking(False)
    assert [manager.recv(100) for _ in range(2)] == [b"WATCHDOG=1"] * 2 and not healthy
    with pytest.raises(BlockingIOError):
        manager.recv(100)
