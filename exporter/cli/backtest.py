"""`slod backtest`: history through the same engine, and what would have happened."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli.output import complain, say, say_json_text
from exporter.cli.progress import Bar
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from exporter.backtest.dump import Dump
    from exporter.backtest.result import Backtest
    from exporter.backtest.spool import Spool
    from exporter.config.load import Config
    from exporter.core.slo import SLO
    from exporter.sources.base import Poll

EPILOG = """\
Shows for each SLO the alerts that would have fired, how fast and how rightly, what would have been
left of the budget, and the tightest objective that history supports. See docs/backtest.md.

examples:
  slod backtest --source prom --since 90d
  slod backtest --source prom --since 30d --objectives 99,99.5,99.9 --alert-policy workbook,mine
  slod backtest --file dump.om.gz --slo checkout-availability --html checkout.html

exit status: 0 done, 2 bad arguments or configuration, 1 there is no history, or it cannot be had
"""


# Stated by argparse only as a private class.
def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand; `args.func(args)` runs it and gives the exit status."""
    parser = subparsers.add_parser(
        "backtest",
        help="replay history: what would have fired, and been left",
        description="Replay history through the same engine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", default="config.toml", help="default: %(default)s")
    parser.add_argument("--source", metavar="NAME", help="a source of the type prometheus")
    parser.add_argument(
        "--since", default="30d", help="how far back in a source (default: %(default)s)"
    )
    parser.add_argument(
        "--file", metavar="FILE", help="OpenMetrics with timestamps, also .gz, in place of a source"
    )
    parser.add_argument(
        "--slo", action="append", default=[], metavar="NAME", help="only this; may be repeated"
    )
    parser.add_argument(
        "--objectives", type=_objectives, default=[], metavar="LIST", help="what if: 99,99.5,99.9"
    )
    parser.add_argument(
        "--alert-policy", type=_names, default=[], metavar="LIST", help="what if: NAME,NAME"
    )
    parser.add_argument(
        "--significant",
        type=_share,
        default=0.02,
        metavar="SHARE",
        help="incidents that spend so much of the budget should be paged (default: 2%%)",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--html", metavar="FILE", help="write a self-contained page with charts")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Fetch, replay, show; errors are the caller's to show."""
    # All of it before anything is read: Ctrl-C in an import may be lost in it.
    from exporter.backtest.choice import chosen, variants
    from exporter.backtest.dump import Dump
    from exporter.backtest.spool import Spool
    from exporter.backtest.work import every
    from exporter.config.load import load

    if (args.file is None) is (args.source is None):
        raise ConfigError("give either --source NAME or --file FILE")
    config = load(args.config)
    slos = chosen(config, args.source, args.slo)
    what_if = [(slo, variants(config, slo, args.objectives, args.alert_policy)) for slo in slos]
    bar = Bar(sys.stderr)
    try:
        with tempfile.TemporaryDirectory(prefix="slod-backtest-") as folder:
            with Spool(Path(folder, "samples")) as spool:
                for slo in slos:
                    spool.expect(slo.name, slo.source, slo.sli.wants())
                if args.file is not None:
                    _read(Dump(Path(args.file), spool), args.file, bar)
                else:
                    asyncio.run(_fetch(config, args.source, args.since, slos, spool, bar))
            text = f"of {len(slos)} SLOs replayed"
            results = every(
                what_if, spool, args.significant, args.jobs, lambda share: bar.show(share, text)
            )
    finally:
        bar.close()
    return _show(args, results, slos)


def _read(dump: Dump, path: str, bar: Bar) -> None:
    dump.read(lambda share: bar.show(share, f"of {Path(path).name}"))
    bar.close()
    if dump.refused:
        complain(
            f"slod: {path}: {dump.refused:,} samples are not newer than the one before of their "
            "series, and were left out"
        )


async def _fetch(
    config: Config, name: str, since: str, slos: Sequence[SLO], spool: Spool, bar: Bar
) -> None:
    from exporter.app.parts import make_source
    from exporter.clock import SystemClock
    from exporter.config.duration import parse_duration
    from exporter.core.sample import Ask
    from exporter.sources.prometheus import PrometheusSource

    try:
        span = parse_duration(since)
    except ValueError as error:
        raise ConfigError(f"--since: {error}") from None
    clock = SystemClock()
    source = make_source(config.sources[name], clock)
    if not isinstance(source, PrometheusSource):
        raise ConfigError(f"source {name} is scraped and has no history; give it by --file")
    now = clock.now()
    at = {slo.name: now - span for slo in slos}

    async def sink(poll: Poll) -> None:
        if poll.failure is not None:
            raise poll.failure
        if poll.batch is not None:
            spool.take(poll.batch)
            at.update(dict.fromkeys(poll.batch.slos or (), poll.batch.at))
            share = 1 - sum(now - when for when in at.values()) / (span * len(at))
            bar.show(share, f"of the history of source {name}")

    asks = [Ask(slo.name, slo.sli.wants(), now - span) for slo in slos]
    try:
        await source.history(asks, now, sink)
    finally:
        await source.close()


def _show(args: argparse.Namespace, results: Sequence[Backtest], slos: Sequence[SLO]) -> int:
    from exporter.backtest.plain import to_json
    from exporter.backtest.table import table

    there = {result.slo for result in results}
    for slo in slos:
        if slo.name not in there:
            complain(f"slod: slo {slo.name}: there are no samples of it")
    if args.format == "json":
        say_json_text(to_json(results, args.significant))
    elif results:
        say(table(results, args.significant))
    if args.html is not None:
        from exporter.backtest.html import page

        try:
            Path(args.html).write_text(page(results, args.significant), "utf-8")
        except OSError as error:
            raise ConfigError(f"--html: cannot write {args.html}: {error.strerror}") from None
    return 0 if results else 1


def _objectives(text: str) -> list[float]:
    return [_between_0_and_1(f"{part}%", "percent above 0 and below 100") for part in _names(text)]


def _share(text: str) -> float:
    return _between_0_and_1(text, "a share such as 2% or 0.02")


def _between_0_and_1(text: str, wanted: str) -> float:
    percent = text.endswith("%")
    try:
        value = float(text.rstrip("%")) / (100 if percent else 1)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{wanted}, not {text.rstrip('%') if percent else text}")
    # As it was written: 99.9 / 100 is not quite 0.999.
    return round(value, 12)


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
