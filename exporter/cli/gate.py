"""`slod gate`: may I deploy? For CI, and for whoever has to do it all the same."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import quote

from exporter.cli.output import complain, say, say_json
from exporter.cli.remote import URL, Refused, Unreachable, ask, me
from exporter.printable import printable_tree
from exporter.redaction import redact

EPILOG = """\
The budget policies of the SLO, or of all SLOs of the service, decide; what is not known is never
open. An override opens (or with --close closes) the gate for a while; who did it and why is kept
and said to the receivers.

examples:
  slod gate checkout && ./deploy
  slod gate checkout --format json | jq -r .reason
  slod gate checkout --override 2h --reason "the fix for the outage"
  slod gate checkout --end-override --reason "done"
  slod gate checkout --audit

exit status: 0 open (or done), 1 closed, 2 bad arguments, 3 unknown or the daemon cannot be reached
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`slod gate SERVICE_OR_SLO`."""
    parser = commands.add_parser(
        "gate",
        help="may I deploy?",
        description="Ask whether the error budget allows a deployment.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="SERVICE_OR_SLO")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--override", metavar="DURATION", help="open the gate for so long")
    what.add_argument("--close", metavar="DURATION", help="close it for so long")
    what.add_argument("--end-override", action="store_true", help="end what was overridden")
    what.add_argument("--audit", action="store_true", help="show who overrode it when and why")
    parser.add_argument("--reason", help="why; needed with an override")
    parser.add_argument("--owner", help="whose word it is (default: who runs this)")
    parser.add_argument("--url", default=URL, help="the daemon (default: %(default)s)")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Ask, or override; returns the exit status."""
    try:
        if args.override or args.close or args.end_override:
            if not args.reason:
                raise Refused('say why: --reason "..."')
            (_end if args.end_override else _override)(args)
            return 0
        if args.audit:
            _audit(args)
            return 0
        return _gate(args)
    except Refused as error:
        complain(f"slod: {error}")
        # A name that nobody knows opens no gate, and a pipeline must see that.
        return 2 if args.override or args.close or args.end_override else 3
    except Unreachable as error:
        complain(f"slod: {error}")
        return 3
    except (KeyError, TypeError):
        complain(f"slod: {redact(args.url)} does not answer as slod does")
        return 3


def _gate(args: argparse.Namespace) -> int:
    found = ask(args.url, "GET", f"/gate/{quote(args.name, safe='')}")
    if args.format == "json":
        say_json(found)
    found = printable_tree(found)
    allow, override, verdict = found["allow"], found["override"], found["verdict"]
    if args.format != "json":
        said = "open" if allow else "closed" if override else verdict
        say(f"{said}: {found['reason']}")
        if override:
            say(
                f"  overridden ({override['gate']}) by {override['owner']} until "
                f"{override['until']}: {override['reason']}"
            )
        if not allow and found["reopens_at"]:
            say(f"  opens again {found['reopens_at']}, if nothing fails any more")
        for state in (state for slo in found["slos"] for state in slo["states"]):
            told = [state[key] for key in ("action", "owner", "runbook_url") if state[key]]
            due = [f"due {state['due']}"] if state["due"] else []
            if told or due:
                say(f"  {state['state']}: {', '.join(told + due)}")
        for warning in found["warnings"]:
            say(f"  warning: {warning}")
    if allow is True:
        return 0
    return 1 if verdict == "closed" or override else 3


def _override(args: argparse.Namespace) -> None:
    body = {
        "for": args.name,
        "gate": "open" if args.override else "closed",
        "duration": args.override or args.close,
        "reason": args.reason,
        "owner": args.owner or me(),
    }
    made = printable_tree(ask(args.url, "POST", "/overrides", body=body))
    say(f"{made['id']}: the gate of {args.name} is {made['gate']} until {made['until']}")


def _end(args: argparse.Namespace) -> None:
    mine = [o for o in ask(args.url, "GET", "/overrides")["overrides"] if o["for"] == args.name]
    if not mine:
        raise Refused(f"there is no override for {args.name!r}")
    query = {"by": args.owner or me(), "why": args.reason}
    for override in mine:
        ask(args.url, "DELETE", f"/overrides/{quote(override['id'], safe='')}", query=query)
        say(f"{override['id']}: ended")


def _audit(args: argparse.Namespace) -> None:
    records: list[dict[str, Any]] = ask(args.url, "GET", "/overrides/audit")["records"]
    mine = [r for r in records if r["override"] and r["override"]["for"] == args.name]
    for r in printable_tree(mine):
        what = f"{r['action']} {r['override']['id']} ({r['override']['gate']})"
        say(f"{r['at']}  {r['by']}  {what}  {r['why']}")
    if not mine:
        say("nothing on record")
