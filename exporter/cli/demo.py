"""`slod demo`: the daemon against a bundled, faulty sample service."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli.output import say
from exporter.cli.run import run_loop, serve
from exporter.clock import SystemClock

if TYPE_CHECKING:
    from exporter.app.daemon import Daemon
    from exporter.demo import Ports


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`slod demo`."""
    parser = commands.add_parser(
        "demo",
        help="run the daemon against a faulty sample service",
        description="Starts a sample service that begins to fail by itself, a receiver that prints "
        "alerts here, and the daemon between them. Nothing else is needed; nothing is kept.",
        epilog="example: slod demo --listen 127.0.0.1:9947",
    )
    parser.add_argument("--listen", default="127.0.0.1:9947", help="default: %(default)s")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """0 after a clean stop."""
    run_loop(_demo(args.listen))
    return 0


async def _demo(listen: str) -> None:
    import tempfile

    from exporter import log
    from exporter.config.load import parse
    from exporter.config.settings import Log
    from exporter.demo import config_text, demo_parts

    # The receiver below prints what matters; the log would say it twice.
    log.configure(Log(level="error"), sys.stderr)
    parts = await demo_parts(SystemClock())
    ports = await parts.start()
    try:
        with tempfile.TemporaryDirectory(prefix="slod-demo-") as folder:
            state = str(Path(folder) / "slod.db")
            text = config_text(ports.service, ports.receiver, listen, state)
            await serve(parse(text, "the demo's config"), lambda d: _introduce(d, ports))
    finally:
        await parts.stop()


async def _introduce(daemon: Daemon, ports: Ports) -> None:
    """Say where to look, once the daemon listens."""
    await daemon.started.wait()
    slod, service = f"http://127.0.0.1:{daemon.port}", f"http://127.0.0.1:{ports.service}"
    say(
        f"""slod demo: a shop's checkout service, watched by slod. Stop with Ctrl-C.

  budgets and alerts   {slod}/
  metrics              {slod}/metrics
  the service          {service}/

It begins well and fails by itself after about 20 s; alerts appear below. The fault's switch:

  curl -X POST '{service}/fault?errors=0.3&slow=0.2'
  curl -X POST {service}/fault/off
"""
    )
    sys.stdout.flush()
