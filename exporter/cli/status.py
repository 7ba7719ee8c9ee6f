"""`slod status`: budgets, burn rates and alerts in the terminal, once or over and over."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from exporter.cli import output
from exporter.cli.output import say, say_json
from exporter.cli.remote import URL, Refused, Unreachable, ask
from exporter.config.duration import parse_duration
from exporter.errors import SlodError
from exporter.printable import printable
from exporter.redaction import redact

if TYPE_CHECKING:
    from exporter.web.slos_api_said import SLOSaid

EPILOG = """\
SLOs stand under their services: what is for somebody now, then the others, the most urgent first.
! before a name: it pages; ALERTS: those of burn rates, and the budget policy's pages; LASTS: the
forecast of when the budget is gone; * at a gate: somebody overrode it. A narrow terminal shows the
most important columns. With --watch it is drawn again and again until q or Ctrl-C; what is not a
terminal gets plain text.

examples:
  slod status
  slod status --watch --service checkout
  slod status --label team=payments
  slod status --removed
  slod status --json | jq '.slos[] | select(.whole_budget_remaining < 0.25) | .slo'

exit status: 0, 1 a budget is exhausted, 2 bad arguments or no such SLO, 3 the daemon cannot be
reached; with --watch that of the last look
"""
_SHORTEST = 0.1
_COLUMNS = ("slo", "reason", "since", "until", "good", "bad", "bytes")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`slod status`."""
    parser = commands.add_parser(
        "status",
        help="budgets, burn rates and alerts in the terminal",
        description="Show how every SLO of a running daemon is doing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default=URL, help="the daemon (default: %(default)s)")
    parser.add_argument("--watch", action="store_true", help="look again and again")
    parser.add_argument(
        "--interval",
        metavar="DURATION",
        type=_interval,
        default=2.0,
        help="time between two looks (default: 2s)",
    )
    parser.add_argument("--service", help="only SLOs of this service")
    parser.add_argument(
        "--label",
        metavar="NAME=VALUE",
        type=_label,
        action="append",
        default=[],
        help="only SLOs with this label; may be repeated",
    )
    parser.add_argument(
        "--removed",
        action="store_true",
        help="ledgers of SLOs that are gone from the configuration or were edited",
    )
    parser.add_argument("--json", action="store_true", help="what the API says, for scripts")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Look; returns the exit status."""
    # The table's library is not needed for anything else.
    if args.removed:
        return _removed(args)
    from exporter.cli.status_watch import every, show, watch

    if not args.json:
        return watch(args) if args.watch else show(args)
    return every(args.interval, lambda: _print_json(args)) if args.watch else _print_json(args)


def _print_json(args: argparse.Namespace) -> int:
    """What the API says: on one line each where it is watched."""
    try:
        said = look(args)
        _, slos = read(args, said)
    except (Unreachable, Refused) as error:
        return complain(error)
    say_json(said, indent=None if args.watch else 2)
    code = exit_code(args, slos)
    return complain(nothing(args)) if code == 2 else code


def _removed(args: argparse.Namespace) -> int:
    """Ledgers that are put away, and how to drop them at once."""
    try:
        said = ask(args.url, "GET", "/removed")
        rows = [tuple(printable(str(one[key])) for key in _COLUMNS) for one in said["removed"]]
    except (Unreachable, Refused) as error:
        return complain(error)
    except (KeyError, TypeError):
        return complain(Unreachable(f"{args.url} does not answer as slod does; is --url right?"))
    if args.json:
        say_json(said)
        return 0
    if not rows:
        say("no ledger is put away")
        return 0
    table = [tuple(key.upper() for key in _COLUMNS), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())
    say("each comes back with its old definition until then; drop one now: slod state drop NAME")
    return 0


def look(args: argparse.Namespace) -> Any:
    """What the API says; `Unreachable` or `Refused`."""
    query = [("label", label) for label in args.label]
    if args.service:
        query.append(("service", args.service))
    return ask(args.url, "GET", "/slos" + (f"?{urlencode(query)}" if query else ""))


def read(args: argparse.Namespace, said: Any) -> tuple[str, list[SLOSaid]]:
    """When it was, and every instance; `Unreachable` when that is not slod's answer."""
    import msgspec

    from exporter.web.slos_api_said import SLOSaid

    try:
        return msgspec.convert(said["now"], str), msgspec.convert(said["slos"], list[SLOSaid])
    except (msgspec.ValidationError, KeyError, TypeError):
        raise Unreachable(
            f"{redact(args.url)} does not answer as slod does; is --url right?"
        ) from None


def exit_code(args: argparse.Namespace, slos: list[SLOSaid]) -> int:
    """1 when a budget is gone, 2 when no SLO is what was asked for."""
    if not slos and (args.service or args.label):
        return 2
    lefts = (one.whole_budget_remaining for one in slos)
    return int(any(left is not None and left <= 0 for left in lefts))


def nothing(args: argparse.Namespace) -> Refused:
    """No SLO is what was asked for."""
    service = [f"the service {args.service!r}"] if args.service else []
    wanted = " and ".join(service + [f"the label {label!r}" for label in args.label])
    return Refused(f"no SLO has {wanted}; see them all without --service and --label")


def complain(error: SlodError) -> int:
    """In one line; returns the exit status."""
    output.complain(f"slod: {error}")
    return 2 if isinstance(error, Refused) else 3


def _interval(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds < _SHORTEST:
        raise argparse.ArgumentTypeError(f"at least 100ms, not {text}")
    return seconds


def _label(text: str) -> str:
    name, equals, _ = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE, like team=payments")
    return text
