"""`slod state`: check, mend, show and copy a state file; drop ledgers that are put away."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from exporter.cli.output import complain, say
from exporter.cli.remote import URL, Refused, Unreachable, ask
from exporter.errors import StateError
from exporter.printable import printable

if TYPE_CHECKING:
    from exporter.store.rows import BadRow

EPILOG = """\
All but drop work on the file itself, whether or not a slod runs on it. A start does by itself what
repair does: rows that cannot be used go to a quarantine within the file, and the rest counts.

To restore a backup: stop slod, copy the backup to the place of the state file, delete the files of
the same name that end in -wal and -shm, start slod. Counters bridge what came after the backup.

examples:
  slod state check /var/lib/slod/slod.db
  slod state backup /var/lib/slod/slod.db /backup/slod-$(date +%F).db
  slod state dump /var/lib/slod/slod.db | jq 'select(.table == "quarantine")'
  slod state drop checkout-availability

exit status: check: 0 sound, 1 rows that a start would put in quarantine, 2 unreadable; repair: 0
nothing to do, 1 rows were put in quarantine, 2 unreadable; dump and backup: 0 done, 2 unreadable;
drop: 0 done, 2 no such ledger, 3 the daemon cannot be reached
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`slod state check|repair|dump|backup|drop`."""
    parser = commands.add_parser(
        "state",
        help="check, mend, show and copy a state file",
        description="Look after the state file, of a running or a stopped slod.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text, func in (
        ("check", "say which rows a start could not use", _check),
        ("repair", "put rows that cannot be used in quarantine", _repair),
        ("dump", "print everything as lines of JSON", _dump),
        ("backup", "copy it as it is at this moment", _backup),
    ):
        example = f"example: slod state {name} slod.db" + (" copy.db" if name == "backup" else "")
        action = actions.add_parser(name, help=text, epilog=example)
        action.add_argument("file", metavar="FILE")
        if name == "backup":
            action.add_argument("to", metavar="TO")
        action.set_defaults(func=_guarded(func))
    drop = actions.add_parser(
        "drop",
        help="drop ledgers of an SLO that is gone or was edited",
        epilog="example: slod state drop checkout-availability",
    )
    drop.add_argument("name", metavar="NAME")
    drop.add_argument("--url", default=URL, help="the daemon (default: %(default)s)")
    drop.set_defaults(func=_drop)


def _row(bad: BadRow) -> str:
    return printable(f"{bad.table} {bad.key}: {bad.reason}")


def _check(args: argparse.Namespace) -> int:
    from exporter.app.state_tools import check

    judged, kept = check(args.file)
    for bad in judged.bad:
        say(_row(bad))
    entries = len(judged.journal)
    say(
        f"{args.file}: {len(judged.snapshots)} SLOs, {entries} saves since their snapshots, "
        f"{len(judged.outbox)} notifications wait, {kept} rows in quarantine, "
        f"{len(judged.bad)} that a start would put there"
    )
    return int(bool(judged.bad))


def _repair(args: argparse.Namespace) -> int:
    from exporter.app.state_tools import repair

    bad = repair(args.file, time.time())
    for one in bad:
        say(_row(one))
    said = f"{len(bad)} rows were put in quarantine" if bad else "nothing to do"
    say(f"{args.file}: {said}")
    return int(bool(bad))


def _dump(args: argparse.Namespace) -> int:
    from exporter.app.state_tools import dump

    for line in dump(args.file):
        sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
    return 0


def _backup(args: argparse.Namespace) -> int:
    from exporter.app.state_tools import backup

    size = backup(args.file, args.to)
    say(f"{args.to}: {size} bytes")
    return 0


def _drop(args: argparse.Namespace) -> int:
    try:
        ask(args.url, "DELETE", f"/removed/{quote(args.name, safe='')}")
    except Refused as error:
        complain(f"slod: {error}")
        return 2
    except Unreachable as error:
        complain(f"slod: {error}")
        return 3
    say(f"{printable(args.name)}: its ledgers that were put away are dropped")
    return 0


def _guarded(
    action: Callable[[argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    def run(args: argparse.Namespace) -> int:
        try:
            return action(args)
        except StateError as error:
            complain(f"slod: {error}")
            return 2

    return run
