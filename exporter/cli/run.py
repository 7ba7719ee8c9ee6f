"""`slod run`: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.cli.progress import Bar
from exporter.clock import SystemClock

if TYPE_CHECKING:
    from exporter.app.daemon import Daemon
    from exporter.config.load import Config

_REDRAW = 0.2


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
    # All that is made until the daemon runs stays: to look for garbage in it would double the
    # time of a start with thousands of SLOs.
    gc.disable()
    from exporter import descriptors, log
    from exporter.config.load import load

    config = load(Path(args.config))
    log.configure(config.log, sys.stderr)
    descriptors.raise_limit()
    run_loop(serve(config))
    return 0


def run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run on the fastest event loop there is."""
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        asyncio.run(work)
    else:
        uvloop.run(work)


async def serve(
    config: Config, beside: Callable[[Daemon], Coroutine[Any, Any, None]] | None = None
) -> None:
    """Run the daemon until SIGTERM or SIGINT, with something beside it."""
    from exporter.app.daemon import Daemon

    loop, shutdown = asyncio.get_running_loop(), asyncio.Event()
    daemon = Daemon(config, SystemClock())
    tasks: set[asyncio.Task[Any]] = set()

    def start(work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, shutdown.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: start(daemon.reload()))
    start(_collect_garbage(daemon))
    start(_show_backfill(daemon))
    if beside is not None:
        start(beside(daemon))
    try:
        await daemon.run(shutdown)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _collect_garbage(daemon: Daemon) -> None:
    """From now on, and never again among what the start has made."""
    await daemon.started.wait()
    gc.freeze()
    gc.enable()


async def _show_backfill(daemon: Daemon) -> None:
    """How far the history is, for whoever looks on."""
    bar = Bar(sys.stderr)
    await daemon.started.wait()
    try:
        share = 0.0
        while share < 1.0:
            await asyncio.sleep(_REDRAW)
            share, source = daemon.backfill
            if share < 1.0:
                bar.show(share, f"of the history of source {source}")
    finally:
        bar.close()
