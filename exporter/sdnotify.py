"""Telling systemd how we are: READY, RELOADING, STOPPING, STATUS, WATCHDOG.

Source: systemd's sd_notify(3) and sd_watchdog_enabled(3). Not under systemd every call does
nothing; a manager that does not listen is never waited for.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

from exporter.clock import Clock


def ready() -> bool:
    """The start, or a reload, is complete. All of these return whether systemd was told."""
    return _send("READY=1")


def reloading() -> bool:
    """A reload begins; `ready()` is to follow. For `Type=notify-reload`."""
    return _send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> bool:
    """The shutdown begins."""
    return _send("STOPPING=1")


def status(text: str) -> bool:
    """One line for `systemctl status`."""
    return _send("STATUS=" + " ".join(text.split()))


def watchdog() -> bool:
    """Still alive and making progress."""
    return _send("WATCHDOG=1")


def watchdog_interval() -> float | None:
    """Seconds between calls of `watchdog()`: half of what systemd allows; None when not asked."""
    try:
        allowed = int(os.environ.get("WATCHDOG_USEC", ""))
        pid = int(os.environ.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return None
    if allowed <= 0 or pid != os.getpid():
        return None
    return allowed / 1e6 / 2


def _send(message: str) -> bool:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return False
    if address[0] == "@":
        # Linux' abstract namespace: the name begins with a NUL byte.
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(address)
            sock.sendall(message.encode())
    except OSError:
        return False
    return True


async def keep_alive(
    clock: Clock, interval: float, healthy: Callable[[], bool] = lambda: True
) -> None:
    """Tell the watchdog every `interval` seconds while `healthy()`, until cancelled."""
    while True:
        if healthy():
            watchdog()
        await clock.sleep(interval)
