"""`slod check`: validates and lints a configuration, and shows when its alerts would notice."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli.output import complain, say
from exporter.config.duration import approximate
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from exporter.config.detection import Detection
    from exporter.config.findings import Finding
    from exporter.config.load import Config

EPILOG = """\
Every finding names the file, the line where it can, and the key. The table shows how long an
outage lasts until the first alert of a severity fires, with steady traffic and no errors before.

examples:
  slod check
  slod check -c /etc/slod/config.toml --strict     # in CI: warnings fail too
  slod check --live              # asks sources for a day of history or two pages, and receivers

exit status: 0 usable, 1 warnings and --strict, 2 errors
"""


# Stated by argparse only as a private class.
def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand; `args.func(args)` runs it and gives the exit status."""
    parser = subparsers.add_parser(
        "check",
        help="validate and lint a configuration",
        description="Validate and lint a configuration.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-c", "--config", default="config.toml", metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 on warnings")
    parser.add_argument(
        "--live",
        action="store_true",
        help="ask the sources whether they have what is wanted, and whether receivers answer",
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Findings go to stderr, the table and the summary to stdout; returns the exit status."""
    from exporter.config.detection import detections
    from exporter.config.findings import in_order
    from exporter.config.lint import lint
    from exporter.config.load import load

    try:
        config = load(args.config)
    except ConfigError as error:
        for line in error.findings:
            complain(f"error: {line}")
        say(f"{args.config}: {_count(len(error.findings), 'error')}")
        return 2
    findings = in_order([*lint(config), *_port(config)])
    if args.live:
        findings = in_order([*findings, *asyncio.run(_look(config))])
    for finding in findings:
        complain(f"{finding.level}: {finding}")
    if table := detection_table(detections(config.slos)):
        say(table, end="\n\n")
    levels = ("error", "warning", "note")
    counts = {level: sum(f.level == level for f in findings) for level in levels}
    say(
        f"{config.path}: "
        + ", ".join(
            (
                _count(len(config.slos), "SLO"),
                _count(len(config.sources), "source"),
                *(_count(n, level) for level, n in counts.items() if n or level != "note"),
            )
        )
    )
    if counts["error"]:
        return 2
    return 1 if args.strict and counts["warning"] else 0


def _port(config: Config) -> list[Finding]:
    """What keeps slod from listening: a web_config that cannot be used."""
    from exporter.config.findings import Findings
    from exporter.web.server import listening
    from exporter.web.web_config import read

    findings = Findings(config.path, config.keys.lines)
    if (path := config.server.web_config) is not None:
        try:
            listening(read(Path(path)))
        except ConfigError as error:
            for line in error.findings:
                findings.error(("server", "web_config"), line)
    return findings.found


async def _look(config: Config) -> list[Finding]:
    from exporter.app.live import look
    from exporter.clock import SystemClock

    return await look(config, SystemClock())


def detection_table(rows: Sequence[Detection]) -> str:
    """The time to detect an outage, by its size, as aligned text; empty without rows."""
    if not rows:
        return ""
    head = ("SLO", "SEVERITY", "ALL FAIL", "10% FAIL", "1% FAIL", "2x ALLOWED")
    lines: list[tuple[str, ...]] = [head]
    last = ""
    for row in rows:
        times = ("never" if t is None else approximate(t) for t in row.seconds)
        lines.append(("" if row.slo == last else row.slo, row.severity, *times))
        last = row.slo
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )
    return "time from the start of an outage to the alert\n" + "\n".join(padded)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
