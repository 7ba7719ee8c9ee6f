"""`slod reload`: the daemon reads its configuration again."""

from __future__ import annotations

import argparse

from exporter.cli.output import complain, say
from exporter.cli.remote import URL, Refused, Unreachable, request
from exporter.redaction import redact

EPILOG = """\
A file that cannot be used changes nothing, and neither does one without any SLO in place of one
with some: that is most likely a file whose writing was cut short.

examples:
  slod reload
  slod reload --allow-empty    # to none is what is meant; the ledgers are kept for a while

exit status: 0 reloaded, 2 refused and why, 3 the daemon cannot be reached
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`slod reload [--allow-empty]`."""
    parser = commands.add_parser(
        "reload",
        help="make the daemon read its configuration again",
        description="Make a running daemon read its configuration again.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--allow-empty", action="store_true", help="also one without any SLO")
    parser.add_argument("--url", default=URL, help="the daemon (default: %(default)s)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Ask for it; returns the exit status."""
    query = {"allow_empty": "1"} if args.allow_empty else None
    try:
        answer = request(args.url, "POST", "/-/reload", query=query)
    except (Refused, Unreachable) as error:
        complain(f"slod: {error}")
        return 2 if isinstance(error, Refused) else 3
    text = answer.body.decode("utf-8", "replace").strip()
    if 200 <= answer.status < 300:
        say(text)
        return 0
    complain(f"slod: {text or f'{redact(args.url)} answered {answer.status}'}")
    return 2
