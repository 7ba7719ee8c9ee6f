"""A probe gets an answer while the event loop is held: from a thread, with the reason."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import pytest

from exporter.web.held_loop import HeldLoop


def ask(port: int, head: str = "GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n") -> str:
    """A request over a connection of its own; the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode())
        parts = []
        while part := connection.recv(4096):
            parts.append(part)
    return b"".join(parts).decode()


async def held(watch: HeldLoop, work: Callable[[int], None]) -> None:
    """Hold the loop, as a fault would, until `work` with the port is over in a thread."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    watch.start([s.fileno() for s in server.sockets], None)
    try:
        failed: list[BaseException] = []

        def run() -> None:
            try:
                work(port)
            except BaseException as error:  # noqa: BLE001 - told below
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert not failed, failed
        while watch.held is not None:
            await asyncio.sleep(0.001)
    finally:
        watch.stop()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_held_loop_is_told_from_a_thread(method: str) -> None:
    seen: list[float] = []
    answers: list[str] = []
    watch = HeldLoop(seen.append, limit=0.05, every=0.01)
    await held(watch, lambda port: answers.append(ask(port, f"{method} / HTTP/1.1\r\n\r\n")))
    assert answers[0].startswith("HTTP/1.1 503 ")
    assert ("the event loop is held for" in answers[0]) == (method == "GET")
    assert max(seen) >= 0.05


async def test_one_that_is_silent_does_not_hide_the_others() -> None:
    answers: list[str] = []

    def work(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)):
            answers.append(ask(port))

    await held(HeldLoop(lambda seconds: None, limit=0.05, every=0.01), work)
    assert answers[0].startswith("HTTP/1.1 503 ")


async def test_a_free_loop_answers_for_itself_and_the_port_is_free_after_stop() -> None:
    watch = HeldLoop(lambda seconds: None, limit=0.05, every=0.01)
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    watch.start([s.fileno() for s in server.sockets], None)
    assert watch.held is None
    watch.stop()
    server.close()
    await server.wait_closed()
    with socket.socket() as again:
        again.bind(("127.0.0.1", port))


async def test_a_process_that_was_stopped_was_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine slept, or somebody sent SIGSTOP: the clock jumps, but no work did it."""
    jump, real = [0.0], time.monotonic
    monkeypatch.setattr("exporter.web.held_loop.time.monotonic", lambda: real() + jump[0])
    seen: list[float] = []
    watch = HeldLoop(seen.append, limit=5.0, every=0.01)
    watch.start([], None)
    while not seen:
        await asyncio.sleep(0.001)
    jump[0] = 1000.0
    many = len(seen)
    while len(seen) < many + 3:
        await asyncio.sleep(0.001)
    watch.stop()
    assert max(seen) < 5.0 and watch.held is None
