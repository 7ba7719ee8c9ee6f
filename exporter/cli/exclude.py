"""`slod exclude`: leave time out of budgets on a running daemon, take it back, look at it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from exporter.cli.output import complain, say, say_json
from exporter.cli.remote import URL, Refused, Unreachable, ask, me
from exporter.config.duration import approximate, parse_duration
from exporter.printable import printable, printable_tree
from exporter.redaction import redact

EPILOG = """\
Times are like 2026-11-20T10:00:00Z, "2026-11-20 10:00" (of --timezone, or else of this machine),
now, -2h (two hours ago; write --start=-2h) or +30m. Time that is past can be excluded too; budgets
change at once. Who made and removed what, when and why, stays on record: slod exclude audit.

examples:
  slod exclude add --slos '{service="checkout"}' --start=-2h --end now --reason "provider outage"
  slod exclude add --slos checkout-availability --start "2026-11-22 02:00" --duration 2h \\
      --rrule "FREQ=WEEKLY;BYDAY=SU" --timezone Europe/Berlin --reason "weekly maintenance"
  slod exclude list
  slod exclude remove 3f9a2c1b --why "the maintenance was called off"

exit status: 0 done, 2 bad arguments, 3 the daemon cannot be reached
"""
_RELATIVE = re.compile(r"(?P<sign>[+-])(?P<duration>.+)")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`slod exclude add|list|remove|audit`."""
    parser = commands.add_parser(
        "exclude",
        help="leave time out of budgets, on record",
        description="Leave time out of error budgets: maintenance, game days, outages of others.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    add = actions.add_parser("add", help="leave time out", epilog="example: see slod exclude -h")
    add.add_argument("--slos", required=True, help="a name, or label matchers: '{service=\"x\"}'")
    add.add_argument("--start", required=True, metavar="TIME")
    add.add_argument("--end", metavar="TIME")
    add.add_argument("--duration", help="in place of --end, like 2h")
    add.add_argument("--rrule", metavar="RULE", help="again, by a rule of RFC 5545")
    add.add_argument("--timezone", metavar="ZONE", help="like Europe/Berlin; needed with --rrule")
    add.add_argument("--reason", required=True)
    add.add_argument("--owner", help="default: who runs this")
    add.set_defaults(func=_guarded(_add))

    listed = actions.add_parser("list", help="show all", epilog="example: slod exclude list")
    listed.add_argument("--format", choices=("text", "json"), default="text")
    listed.set_defaults(func=_guarded(_list))

    remove = actions.add_parser(
        "remove",
        help="take one back; its time counts again",
        epilog='example: slod exclude remove 3f9a2c1b --why "called off"',
    )
    remove.add_argument("id", metavar="ID")
    remove.add_argument("--why", required=True)
    remove.add_argument("--by", help="default: who runs this")
    remove.set_defaults(func=_guarded(_remove))

    audit = actions.add_parser(
        "audit", help="show who did what, when and why", epilog="example: slod exclude audit"
    )
    audit.add_argument("--limit", type=int, default=100, help="default: %(default)s")
    audit.set_defaults(func=_guarded(_audit))
    for action in (add, listed, remove, audit):
        action.add_argument("--url", default=URL, help="the daemon (default: %(default)s)")


def moment(text: str, now: datetime, *, zoned: bool) -> str:
    """The time as the API takes it: resolved here, unless it is one of a zone given beside it."""
    if text == "now":
        return now.isoformat()
    if (relative := _RELATIVE.fullmatch(text)) is not None:
        away = timedelta(seconds=parse_duration(relative["duration"]))
        return (now + away if relative["sign"] == "+" else now - away).isoformat()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f'not a time: {text!r}; write it like 2026-11-20T10:00:00Z, "2026-11-20 10:00", now, '
            "-2h or +30m"
        ) from None
    return text if found.tzinfo is not None or zoned else found.astimezone().isoformat()


def _add(args: argparse.Namespace) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    asked = {key: getattr(args, key) for key in ("slos", "duration", "rrule", "timezone", "reason")}
    for key in ("start", "end"):
        if (text := getattr(args, key)) is not None:
            try:
                asked[key] = moment(text, now, zoned=args.timezone is not None)
            except (ValueError, OverflowError) as error:
                raise Refused(f"--{key}: {error}") from None
    asked["owner"] = args.owner or me()
    given = {key: value for key, value in asked.items() if value is not None}
    made = printable_tree(ask(args.url, "POST", "/exclusions", body=given))
    say(f"{made['id']}: excluded {_when(made)}, for {_slos(made)}")
    if not made["covers"]:
        complain(
            f"slod: warning: it is for no SLO there is; look at --slos, or take it back: "
            f"slod exclude remove {made['id']} --why mistaken"
        )


def _list(args: argparse.Namespace) -> None:
    found = ask(args.url, "GET", "/exclusions")["exclusions"]
    if args.format == "json":
        say_json(found)
    elif not found:
        say("no exclusions")
    else:
        _table(
            ("ID", "FROM", "SLOS", "WHEN", "EXCLUDED", "BY", "REASON"),
            [
                (e["id"], e["origin"], _slos(e), _when(e), _most(e), e["by"], e["reason"])
                for e in found
            ],
        )
        for e in found:
            if reason := e.get("quarantined"):
                reason = printable(reason)
                say(f"{printable(e['id'])} is not applied, its time counts: {reason}")


def _remove(args: argparse.Namespace) -> None:
    query = {"by": args.by or me(), "why": args.why}
    ask(args.url, "DELETE", f"/exclusions/{quote(args.id, safe='')}", query=query)
    say(f"{args.id}: removed; its time counts again")


def _audit(args: argparse.Namespace) -> None:
    found = ask(args.url, "GET", "/exclusions/audit", query={"limit": str(args.limit)})["records"]
    rows = [(r["at"], r["by"], r["action"], r["id"], r["why"]) for r in found]
    if rows:
        _table(("WHEN", "WHO", "ACTION", "ID", "WHY"), rows)
    else:
        say("nothing on record")


def _guarded(do: Any) -> Any:
    def run(args: argparse.Namespace) -> int:
        try:
            do(args)
        except Refused as error:
            complain(f"slod: {error}")
            return 2
        except Unreachable as error:
            complain(f"slod: {error}")
            return 3
        except (KeyError, TypeError):
            complain(f"slod: {redact(args.url)} does not answer as slod does")
            return 3
        return 0

    return run


def _slos(entry: dict[str, Any]) -> str:
    slos = entry["slos"]
    return slos if isinstance(slos, str) else ", ".join(slos)


def _when(entry: dict[str, Any]) -> str:
    if entry["rrule"] is None:
        return f"{entry['start']} to {entry['end']}"
    coming = entry["next"] or entry["last"]
    word = "next" if entry["next"] else "last"
    return f"{entry['rrule']}" + (f", {word} {coming['start']}" if coming else "")


def _most(entry: dict[str, Any]) -> str:
    """The excluded time of the SLO whose period has most of it."""
    if entry.get("quarantined"):
        return "quarantined"
    if not entry["covers"]:
        return "no SLO"
    return approximate(max(slo["excluded_seconds"] for slo in entry["covers"]))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    clean = [tuple(printable(str(cell)) for cell in row) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*clean, strict=True)]
    for row in clean:
        say("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
