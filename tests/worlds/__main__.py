"""Random worlds, counted by slod and by a truth that knows them.

python -m tests.worlds --worlds 2000 --seed 1            the table by kind
python -m tests.worlds --kind exporters --failures 20    names of worlds that are wrong
python -m tests.worlds --show "exporters/17"             the whole story of one
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from multiprocessing import Pool

from tests.worlds.kinds import KINDS
from tests.worlds.story import story
from tests.worlds.table import READERS, Checked, check, failures, table

_STRIDE = 1_000_000
"""Numbers between the worlds of two seeds."""


def plan(worlds: int, seed: int, kinds: list[str]) -> list[tuple[str, int]]:
    """Kind and number of so many worlds; every kind comes as often."""
    return [(kinds[k % len(kinds)], seed * _STRIDE + k // len(kinds)) for k in range(worlds)]


def _check(one: tuple[str, int, bool]) -> Checked:
    kind, number, doors = one
    return check(kind, number, doors=doors)


def _checked(planned: list[tuple[str, int, bool]], jobs: int) -> Iterator[Checked]:
    if jobs <= 1:
        yield from map(_check, planned)
        return
    with Pool(jobs) as pool:
        yield from pool.imap(_check, planned, chunksize=20)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.worlds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--worlds", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind")
    parser.add_argument("--jobs", type=int, default=1, metavar="N")
    parser.add_argument("--scrape-only", action="store_true", help="a third of the time")
    parser.add_argument("--failures", type=int, default=0, metavar="N", help="name the worst N")
    parser.add_argument("--reader", choices=READERS, default="slod", help="whose failures")
    parser.add_argument("--show", metavar="KIND/NUMBER", help="tell the story of one world")
    parser.add_argument("--all-looks", action="store_true", help="with --show: usual looks too")
    args = parser.parse_args()
    if args.show:
        kind, _, number = args.show.rpartition("/")
        upstream = args.reader == "upstream"
        print("\n".join(story(kind, int(number), upstream=upstream, everything=args.all_looks)))
        return
    planned = plan(args.worlds, args.seed, args.kind or list(KINDS))
    checked = list(_checked([(*one, not args.scrape_only) for one in planned], args.jobs))
    print("\n".join(table(checked)))
    for one in failures(checked, args.reader)[: args.failures]:
        found = one.verdicts[args.reader]
        mark = " (ambiguous)" if one.ambiguous[args.reader] else ""
        print(f"{one.name}: off by {found.events:g} events, {found.share:.1%}{mark}")


if __name__ == "__main__":
    main()
