"""`slod explain`: how the numbers of an SLO came to be, asked of the running daemon."""

from __future__ import annotations

import argparse
import asyncio
from urllib.parse import quote, urlencode

from exporter.cli.output import complain, say, say_json_text

EPILOG = """\
Says which events count, what each series brought, where there was no data, why each alert rule
fires or does not, how long the budget lasts, and what Prometheus' increase() and Sloth's rules
would have said from the same samples.

examples:
  slod explain checkout-availability
  slod explain checkout-by-route --group route=/pay --window 1h
  slod explain checkout-availability --format json | jq '.instances[0].budget'

exit status: 0 explained, 2 bad arguments or no such SLO, 3 the daemon cannot be reached
"""
URL = "http://127.0.0.1:9947"
_PATIENCE = 90.0


# Stated by argparse only as a private class.
def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand; `args.func(args)` runs it and gives the exit status."""
    parser = subparsers.add_parser(
        "explain",
        help="how an SLO's numbers came to be",
        description="Explain how the numbers of an SLO came to be.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("slo", metavar="SLO", help="the name of the SLO")
    parser.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="LABEL=VALUE",
        help="only the groups with this label; may be repeated",
    )
    parser.add_argument(
        "--window",
        metavar="DURATION",
        help="compare with increase() and Sloth over this; none leaves it out "
        "(default: the longest alert window)",
    )
    parser.add_argument("--url", default=URL, help="the daemon (default: %(default)s)")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Ask and print; returns the exit status."""
    from exporter.cli.explain_text import render
    from exporter.config.settings import HTTP
    from exporter.errors import SlodError
    from exporter.http import Client, Response
    from exporter.redaction import redact

    query = [("group", one) for one in args.group]
    if args.window is not None:
        query.append(("window", args.window))
    url = f"{args.url.rstrip('/')}/api/slo/v1/slos/{quote(args.slo, safe='')}/explain"

    async def ask() -> Response:
        client = Client(HTTP())
        try:
            target = f"{url}?{urlencode(query)}" if query else url
            return await client.request("GET", target, within=_PATIENCE)
        finally:
            await client.close()

    try:
        answer = asyncio.run(ask())
    except SlodError as error:
        return _fail(3, f"cannot reach the daemon: {error}; is it running, and is --url right?")
    if answer.status in (400, 404):
        return _fail(2, _reason(answer.body))
    if answer.status != 200:
        return _fail(3, f"{redact(args.url)} answered {answer.status}: {_reason(answer.body)}")
    if args.format == "json":
        say_json_text(answer.body.decode())
        return 0
    try:
        say(render(answer.body))
    except ValueError as error:
        return _fail(3, f"{redact(args.url)} did not answer as slod does: {error}")
    return 0


def _reason(body: bytes) -> str:
    import json

    try:
        said = json.loads(body)
    except ValueError:
        return " ".join(body.decode("utf-8", "replace").split())[:200]
    error = said.get("error", said) if isinstance(said, dict) else said
    return str(error.get("message", error) if isinstance(error, dict) else error)


def _fail(status: int, text: str) -> int:
    complain(f"slod: {text}")
    return status
