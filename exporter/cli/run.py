"""`slod run`: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.clock import SystemClock

if TYPE_CHECKING:
    from exporter.app.daemon import Daemon
    from exporter.config.load import Config


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`slod run [-c config.toml]`."""
    parser = commands.add_parser(
        "run",
        help="run the daemon",
        description="Polls the sources, serves /metrics, sends alerts, until SIGTERM or SIGINT. "
        "SIGHUP reads the configuration again.",
        epilog="example: slod run -c /etc/slod/config.toml",
    )
    parser.add_argument("-c", "--config", default="config.toml", help="default: %(default)s")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """0 after a clean stop; `ConfigError` and other `SlodError`s are the caller's to show."""
    from exporter import log
    from exporter.config.load import load

    config = load(Path(args.config))
    log.configure(config.log, sys.stderr)
    serve(config)
    return 0


def serve(config: Config, beside: Callable[[Daemon], Awaitable[None]] | None = None) -> None:
    """Run the daemon on the fastest loop there is, and something beside it once it has started."""
    try:
        import uvloop
    except ImportError:  # not on Windows
        asyncio.run(_serve(config, beside))
    else:
        uvloop.run(_serve(config, beside))


async def _serve(config: Config, beside: Callable[[Daemon], Awaitable[None]] | None) -> None:
    from exporter.app.daemon import Daemon

    loop, shutdown = asyncio.get_running_loop(), asyncio.Event()
    daemon = Daemon(config, SystemClock())
    reloads: set[asyncio.Task[str | None]] = set()

    def reload() -> None:
        task = asyncio.ensure_future(daemon.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, shutdown.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    if beside is None:
        await daemon.run(shutdown)
        return
    running = asyncio.ensure_future(daemon.run(shutdown))
    companion = asyncio.ensure_future(beside(daemon))
    try:
        await running
    finally:
        companion.cancel()
        await asyncio.gather(companion, return_exceptions=True)
