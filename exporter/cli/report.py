"""`slod report`: the reliability review, asked of the running daemon."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from urllib.parse import urlencode

from exporter.cli.output import complain, say
from exporter.cli.remote import ROOT, URL
from exporter.printable import printable_json
from exporter.redaction import redact

EPILOG = """\
For each SLO: objective, SLI, budget spent and by what (incidents, deploys, changes, exclusions, the
background), how it burned down, alerts with precision and detection time, states of the budget
policy, forecast, and changes that something speaks for.

examples:
  slod report
  slod report --since 2026-10-01 -o review.html
  slod report --since last --service checkout -o review.md

exit status: 0 written, 2 bad arguments or no such service, 3 the daemon cannot be reached
"""
_FORMATS = {".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html"}
_FORMATS |= {".json": "json"}
_PATIENCE = 120.0
_END = "x-slod-report-end"


# Stated by argparse only as a private class.
def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand; `args.func(args)` runs it and gives the exit status."""
    parser = subparsers.add_parser(
        "report",
        help="the reliability review: budget spent and by what, alerts, proposed changes",
        description="Write the reliability review.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    times = parser.add_mutually_exclusive_group()
    times.add_argument("--period", metavar="DURATION", help="up to now (default: 30d)")
    times.add_argument(
        "--since",
        metavar="TIME",
        help="2026-10-01, a duration, or last: since the last report that was scheduled or "
        "written with --since last",
    )
    parser.add_argument(
        "--service", action="append", default=[], help="only this one; may be repeated"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help=".md, .html or .json")
    parser.add_argument("--format", choices=("markdown", "html", "json"), help="default: by FILE")
    parser.add_argument("--url", default=URL, help="the daemon (default: %(default)s)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Ask and write; returns the exit status."""
    form = args.format
    if form is None and args.output is not None:
        form = _FORMATS.get(Path(args.output).suffix.lower())
        if form is None:
            return _fail(2, f"-o {args.output}: end it in .md, .html or .json, or give --format")
    query = [("format", form or "markdown"), *(("service", name) for name in args.service)]
    query += [(key, value) for key in ("period", "since") if (value := getattr(args, key))]
    status, body, end = _ask(args.url, "GET", f"/report?{urlencode(query)}", None)
    if status != 200:
        return _refused(args.url, status, body)
    if args.output is None:
        text = body.decode("utf-8", "replace")
        say(printable_json(text) if form == "json" else text, end="")
        sys.stdout.flush()
    else:
        try:
            Path(args.output).write_bytes(body)
        except OSError as error:
            return _fail(2, f"cannot write {args.output}: {error.strerror or error}")
    if args.since == "last":
        # Only now: what could not be written is part of the next one.
        status, body, _ = _ask(args.url, "POST", "/report/last", {"end": end})
        if status != 200:
            return _refused(args.url, status, body)
    return 0


def _ask(base: str, method: str, path: str, body: object) -> tuple[int, bytes, str]:
    """Status, body, and up to when the report is; status 0 and why when nobody answers."""
    from exporter.config.settings import HTTP
    from exporter.errors import SlodError
    from exporter.headers import field
    from exporter.http import Client, Response

    async def request() -> Response:
        client = Client(HTTP())
        try:
            return await client.request(
                method,
                f"{base.rstrip('/')}{ROOT}{path}",
                headers={"Content-Type": "application/json"},
                body=None if body is None else json.dumps(body).encode(),
                within=_PATIENCE,
            )
        finally:
            await client.close()

    try:
        answer = asyncio.run(request())
    except SlodError as error:
        return 0, str(error).encode(), ""
    return answer.status, answer.body, field(answer.headers, _END)


def _refused(url: str, status: int, body: bytes) -> int:
    text = body.decode("utf-8", "replace")
    if status == 0:
        return _fail(3, f"cannot reach the daemon: {text}; is it running, and is --url right?")
    try:
        why = str(json.loads(text)["error"])
    except (ValueError, TypeError, KeyError):
        return _fail(
            3, f"{redact(url)} does not answer as slod does (status {status}); is --url right?"
        )
    return _fail(2 if status in (400, 404) else 3, why)


def _fail(code: int, why: str) -> int:
    complain(f"slod: {' '.join(why.split())}")
    return code
