"""Verdicts of worlds, and the table of them by kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from exporter.core.sample import Batch
from tests.worlds.doors import OVERLAP, Outcome, Upstream, naive, newest, play, polls, scraped
from tests.worlds.kinds import World, world
from tests.worlds.readings import TURNS
from tests.worlds.truth import Interval, Reader, Truth

NEAR, ONE = 1e-9, 1.0
"""Exact: within this share, or within one event."""
POLL = 15.0
"""Seconds between two polls of an upstream, unless it scrapes less often."""
_SMALL, _LARGE = 0.01, 0.1
READERS = ("slod", "upstream", "increase()")


@dataclass(slots=True)
class Verdict:
    """How far one reader's count of a world is off: in `events`, and as a `share` of the truth.
    `silent`: it is off, or something cannot be known, and it did not say that anything is unknown,
    refused or faulty."""

    events: float
    share: float
    silent: bool

    @property
    def exact(self) -> bool:
        """Whether the world was counted right."""
        return self.events == 0


@dataclass(slots=True)
class Checked:
    """One world. `verdicts`: by reader. `ambiguous`: two readings fit, by door. `open`: some of it
    no page tells; `knowable`: some of it they do. `same`: by check whether other cuts and restarts
    gave the same numbers."""

    name: str
    kind: str
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    ambiguous: dict[str, bool] = field(default_factory=dict)
    open: bool = False
    knowable: bool = True
    same: dict[str, bool] = field(default_factory=dict)


def truth_of(one: World, *, upstream: bool = False) -> Truth:
    """What a right reader counts of a world."""
    reader = Reader(one.role, histogram=one.schema.histogram, upstream=upstream, zeros=one.zeros)
    for look in one.looks:
        reader.read(look)
    return reader.truth


def verdict(truth: Truth, total: float, part: float, *, said: bool) -> Verdict:
    """A count beside the truth: the worse of all events and of the part."""
    offs = [_off(truth.total, total), _off(truth.part, part)]
    share = max(share for _, share in offs)
    silent = not said and (truth.unknown or share > _SMALL)
    return Verdict(max(off for off, _ in offs), share, silent)


def _off(truth: Interval, counted: float) -> tuple[float, float]:
    off = abs(truth.off(counted))
    if off <= max(ONE, NEAR * truth.high):
        return 0.0, 0.0
    return off, off / max(truth.high if counted > truth.high else truth.low, 1.0)


def check(kind: str, number: int, *, doors: bool = True) -> Checked:
    """Make a world and count it through the front doors; `doors`: also behind a Prometheus, and
    once more in another way: cut elsewhere, or with slod started anew in the middle."""
    one = world(kind, number)
    out = Checked(one.name, kind)
    truth = truth_of(one)
    batches = scraped(one)
    got = play(one, batches)
    out.verdicts["slod"] = verdict(truth, got.total, got.part, said=bool(got.said))
    out.verdicts["increase()"] = verdict(truth, *naive(one), said=False)
    out.ambiguous["slod"] = out.ambiguous["increase()"] = bool(truth.ambiguous)
    out.open, out.knowable = bool(truth.open), TURNS not in truth.open
    if doors:
        truth = truth_of(one, upstream=True)
        server = Upstream(one)
        ends = polls(one, max(one.interval, POLL))
        polled = server.batches(ends, history=False)
        behind = play(one, polled)
        out.verdicts["upstream"] = verdict(truth, behind.total, behind.part, said=bool(behind.said))
        out.ambiguous["upstream"] = truth.ambiguous
        _again(one, out, (batches, got), (polled, behind), server)
    return out


Played = tuple[list[Batch], Outcome]


def _again(one: World, out: Checked, scrapes: Played, polled: Played, server: Upstream) -> None:
    """Count it once more in another way, which has to give the same numbers."""
    rng = Random(f"cuts of {one.name}")
    first, last = one.looks[0].at, newest(one)
    name = rng.choice(("scrapes, restarted", "upstream, restarted", "polled otherwise", "history"))
    batches, before = scrapes if name == "scrapes, restarted" else polled
    restarts: list[tuple[int, int]] = []
    if name.endswith("restarted"):
        restarts = _restarts(rng, len(batches))
    elif name == "polled otherwise":
        every = rng.uniform(0.7, 5.0) * one.interval
        batches = server.batches(polls(one, every, rng.random() * every), history=False)
    else:
        chunks = sorted(rng.uniform(first, last) for _ in range(rng.randint(0, 4)))
        batches = server.batches([*chunks, last + OVERLAP], history=True)
    again = play(one, batches, restarts=restarts)
    out.same[name] = _same(before.total, again.total) and _same(before.part, again.part)


def _restarts(rng: Random, count: int) -> list[tuple[int, int]]:
    starts = sorted(rng.randrange(1, max(2, count)) for _ in range(2))
    return [(max(0, start - rng.randint(1, 6)), start) for start in starts]


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-6 * max(1.0, one, other)


# --- the table ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Row:
    """The worlds of a kind that can be known, by one reader."""

    known: int = 0
    exact: int = 0
    off_1: int = 0
    off_10: int = 0
    silent: int = 0

    def add(self, one: Verdict) -> None:
        """Count one world."""
        self.known += 1
        self.exact += one.exact
        self.off_1 += one.share > _SMALL
        self.off_10 += one.share > _LARGE
        self.silent += one.silent

    def cells(self) -> list[str]:
        """As text."""
        share = f"{100 * self.exact / self.known:.1f}%" if self.known else "-"
        return [share, str(self.off_1), str(self.off_10), str(self.silent)]


def table(checked: Sequence[Checked]) -> Iterator[str]:
    """The lines of the table: by kind and reader exact, off by over 1%, by over 10%, and silent."""
    rows: dict[str, dict[str, Row]] = defaultdict(lambda: {name: Row() for name in READERS})
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in checked:
        for kind in (one.kind, "all") if one.knowable else (one.kind,):
            counts[kind][0] += 1
            counts[kind][1] += one.ambiguous["slod"]
            counts[kind][2] += one.open
            for reader, found in one.verdicts.items():
                # A world in which two readings fit is wrong only where it is neither.
                if not one.ambiguous[reader] or not found.exact:
                    rows[kind][reader].add(found)
    yield (
        "| kind | worlds | ambiguous | open | "
        + " | ".join(f"{name}: exact | >1% | >10% | silent" for name in READERS)
        + " |"
    )
    counts.setdefault("all", [0, 0, 0])
    yield "|" + " --- |" * (4 + 4 * len(READERS))
    for kind in [k for k in rows if k != "all"] + ["all"]:
        cells = [kind, *map(str, counts[kind])]
        for name in READERS:
            cells += rows[kind][name].cells()
        yield "| " + " | ".join(cells) + " |"
    same: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in checked:
        for name, held in one.same.items():
            same[name][0] += 1
            same[name][1] += not held
    for name, (count, broken) in same.items():
        yield f"{name}: other numbers in {broken} of {count} worlds"


def failures(checked: Iterable[Checked], reader: str) -> list[Checked]:
    """Worlds that a reader has wrong, the worst first."""
    wrong = [one for one in checked if reader in one.verdicts and not one.verdicts[reader].exact]
    return sorted(wrong, key=lambda one: -one.verdicts[reader].share)
