"""The command line: one file a command, each with `add_parser` and `run`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from exporter import __version__
from exporter.cli import (
    backtest,
    check,
    completion,
    demo,
    exclude,
    explain,
    gate,
    reload,
    report,
    run,
    state,
    status,
)
from exporter.cli.lean import structlog
from exporter.cli.output import complain
from exporter.errors import ConfigError, SlodError

_COMMANDS = (run, demo, check, status, explain, exclude, gate, backtest, report, reload, state)


def parser() -> argparse.ArgumentParser:
    """Of the whole command line."""
    whole = argparse.ArgumentParser(
        prog="slod",
        description="The SLO daemon: exact SLIs, error budgets and burn rates from live metrics.",
        epilog="example: slod demo",
    )
    whole.add_argument("--version", action="version", version=f"slod {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    completion.add_parser(commands, parser)
    return whole


def main(argv: Sequence[str]) -> int:
    """Run one command; its exit code, 2 for what is wrong with the command line or the config."""
    args = parser().parse_args(argv)
    try:
        code: int = args.func(args)
        sys.stdout.flush()
    except ConfigError as error:
        for finding in error.findings:
            complain(f"slod: {finding}")
        return 2
    except SlodError as error:
        complain(f"slod: {error}")
        return 1
    except BrokenPipeError:
        # Whoever read it (`| head`) has enough; nor shall Python complain of it at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - whoever runs it gets a line, not a traceback
        complain(
            f"slod: internal error, please report it: {type(error).__name__}: {error} "
            '(with [log] level = "debug" the log says where)'
        )
        if structlog.is_configured():
            structlog.get_logger().debug("slod.internal_error", exc_info=error)
        return 1
    return code
