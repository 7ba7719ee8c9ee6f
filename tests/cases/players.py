"""Players: each shows slod the same situation in another way.

A situation is a list of looks for each target. They are served one after the other to a slod that
scrapes, or stored as a Prometheus would have, and slod polls that meanwhile or fills up afterwards.
With `restarts` slod is stopped and started again meanwhile. The situations of a table are shown to
one slod at once, each from a source of its own, since a daemon's start costs more than what it
reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from exporter.http import Response, TransportError
from tests.cases.pages import OPENMETRICS, PROTOBUF, START, TEXT, Page, Sample, render, rows
from tests.cases.stage import Handler, Metrics, Request, Stage, T, answer
from tests.cases.upstream import STALE, Flavour, Upstream


class Away(Enum):
    """Why a look at a target shows no page."""

    FAILED = "answers 503"
    REFUSED = "nobody listens"
    UNKNOWN = "no target yet, or no longer"


Look = Page | Away
Number = float | tuple[float, float]
"""An exact number of events, or the least and the most that are right."""

SCRAPE, LIVE, BACKFILL = "scrape", "live", "backfill"
EVERYWHERE = frozenset({SCRAPE, LIVE, BACKFILL})


@dataclass(frozen=True)
class Situation:
    """What the looks at some targets show, and how many events that makes.

    `looks`: by target. Start times and created timestamps are seconds after the first look, a
    sample's own time is how old it is, in seconds. `own`: labels of a target behind a Prometheus,
    where they are not a job and an instance of its own. `kinds`: kinds of readings that have to be
    counted. `told`: slod has to say that something is wrong. `zeros`: the Prometheus stores a zero
    at each created time. `restarts`: also played with restarts of slod. `groups`: good and bad
    events of groups, by label and value.
    """

    name: str
    why: str
    looks: Mapping[str, Sequence[Look]]
    good: Number
    bad: Number
    sli: str
    ways: frozenset[str] = EVERYWHERE
    formats: tuple[str, ...] = (TEXT, OPENMETRICS, PROTOBUF)
    interval: float = 15.0
    source: str = ""
    slo: str = ""
    types: Mapping[str, str] | None = None
    kinds: tuple[str, ...] = ()
    told: bool = False
    zeros: bool = False
    shows_stale_markers: bool = False
    own: Mapping[str, Mapping[str, str]] | None = None
    restarts: bool = True
    groups: Mapping[tuple[str, str], tuple[Number, Number]] | None = None

    @property
    def troupe(self) -> tuple[float, str]:
        """Situations with the same may be played at once; one whose targets come and go needs
        restarts of its own."""
        alone = any(look is Away.UNKNOWN for looks in self.looks.values() for look in looks)
        return (self.interval, self.name if alone else "")

    @property
    def count(self) -> int:
        """How many looks there are."""
        return max(len(looks) for looks in self.looks.values())


def ids(situation: Situation) -> str:
    """The name of a situation in a test's id."""
    return situation.name


@dataclass(frozen=True)
class Way:
    """A way to play. `content`: the format of pages. `chunk`: the most that is asked for at
    once."""

    name: str
    kind: str
    content: str = TEXT
    restarts: bool = False
    chunk: str = "1d"

    def fits(self, situation: Situation) -> bool:
        """Whether a situation can be shown in this way."""
        if self.restarts and not situation.restarts:
            return False
        return self.kind in situation.ways and (
            self.kind != SCRAPE or self.content in situation.formats
        )


WAYS = (
    Way("text", SCRAPE, TEXT),
    Way("openmetrics", SCRAPE, OPENMETRICS),
    Way("protobuf", SCRAPE, PROTOBUF),
    Way("restarts", SCRAPE, TEXT, restarts=True),
    Way("restarts-openmetrics", SCRAPE, OPENMETRICS, restarts=True),
    Way("live", LIVE),
    Way("live-restarts", LIVE, restarts=True),
    Way("backfill", BACKFILL),
    Way("backfill-in-pieces", BACKFILL, chunk="40s"),
)


def plays(situations: Sequence[Situation]) -> list[tuple[Situation, Way]]:
    """Every situation in every way that fits. Of OpenMetrics and protobuf the situations take
    turns, and restarts are played in one format."""
    out = []
    for index, situation in enumerate(situations):
        text = TEXT in situation.formats
        left_out = {"restarts-openmetrics"} if text else set()
        if text and len(situation.formats) > 2:
            left_out.add("protobuf" if index % 2 else "openmetrics")
        out += [(situation, w) for w in WAYS if w.fits(situation) and w.name not in left_out]
    return out


def play_ids(situations: Sequence[Situation]) -> list[str]:
    """Ids of the plays."""
    return [f"{situation.name}-{way.name}" for situation, way in plays(situations)]


def absolute(page: Page, base: float, look: float) -> Page:
    """The page with times in unix seconds; `look`: the time of this look."""
    out: dict[str, float | Sample] = {}
    for row, text in zip(rows(page), page, strict=True):
        value, age, created = row.sample
        out[text] = Sample(
            value + base if row.name.endswith(START) else value,
            None if age is None else look - age,
            None if created is None else base + created,
        )
    return out


@dataclass
class Member:
    """A situation that is played together with others: `name` is that of its source and SLO."""

    name: str
    situation: Situation

    def host(self, target: str) -> str:
        """Host and port of a target."""
        return f"{target}.{self.name}:80"

    def handler(self, stage: Stage, target: str, content: str) -> Handler:
        """What serves the looks of a target, one for each interval; the last one stays."""
        situation = self.situation

        def serve(request: Request) -> Response:
            looks = situation.looks[target]
            look = looks[min(round((stage.now - T) / situation.interval), len(looks) - 1)]
            if look is Away.FAILED:
                return answer("out of order", status=503)
            if isinstance(look, Away):
                raise TransportError("refused", f"{request.url}: connection refused")
            page = absolute(look, T, stage.now)
            return answer(render(page, content, situation.types), content)

        return serve

    def targets(self, index: int) -> list[str]:
        """The URLs of the targets that there are at a look."""
        return [
            f"http://{self.host(target)}/metrics"
            for target, looks in self.situation.looks.items()
            if looks[min(index, len(looks) - 1)] is not Away.UNKNOWN
        ]

    def scraped(self, index: int) -> str:
        """The configuration of a slod that scrapes, at a look."""
        return f"""
[source.{self.name}]
type = "scrape"
targets = {json.dumps(self.targets(index))}
{self._rest}
"""

    def asked(self, backfill: float = 0.0, chunk: str = "1d") -> str:
        """The configuration of a slod that asks a Prometheus."""
        return f"""
[source.{self.name}]
type = "prometheus"
url = "http://prom.{self.name}:9090"
backfill = "{backfill:.0f}s"
chunk = "{chunk}"
{self._rest}
"""

    @property
    def _rest(self) -> str:
        situation = self.situation
        return f"""
interval = "{situation.interval * 1000:.0f}ms"
{situation.source}
[slo.{self.name}]
objective = 99
window = "30d"
source = "{self.name}"
sli = {situation.sli}
{situation.slo}
"""

    def store(self, stage: Stage, base: float, count: int) -> None:
        """Store what a Prometheus has whose first scrape was at `base`, of so many looks."""
        upstream = Upstream(stage.clock.now, Flavour(self.situation.shows_stale_markers))
        stage.network.hosts[f"prom.{self.name}:9090"] = upstream
        for target in self.situation.looks:
            self._store(upstream, target, base, count)

    def _store(self, upstream: Upstream, target: str, base: float, count: int) -> None:
        situation = self.situation
        looks = situation.looks[target]
        own = (situation.own or {}).get(target, {"job": "shop", "instance": f"{target}:80"})
        before: dict[Key, dict[str, str]] = {}
        created: dict[Key, float] = {}
        for index in range(count):
            look = looks[min(index, len(looks) - 1)]
            at = base + index * situation.interval
            if look is Away.UNKNOWN:
                continue
            upstream.write({"__name__": "up", **own}, at, 0.0 if isinstance(look, Away) else 1.0)
            there: dict[Key, dict[str, str]] = {}
            page: Page = {} if isinstance(look, Away) else absolute(look, base, at)
            for row in rows(page):
                labels = {"__name__": row.name, **own, **row.labels}
                key = tuple(sorted(labels.items()))
                there[key] = labels
                value, time, begun = row.sample
                if situation.zeros and begun is not None and created.get(key) != begun:
                    if index:
                        upstream.write(labels, begun, 0.0, at + 0.5)
                    created[key] = begun
                upstream.write(labels, at if time is None else time, value, at + 0.5)
            for key in before.keys() - there.keys():
                upstream.write(before[key], at, STALE)
            before = there


Key = tuple[tuple[str, str], ...]
LAG = 4.0
"""Seconds from an upstream's scrape to slod's poll."""
_SCRAPED_ANEW, _ASKED_ANEW = (1, 3, 4, 6), (2, 4, 5, 7)
"""Looks before which slod is started again, where a way has restarts: about those at which most
situations turn. Behind a Prometheus the poll sees the look before it."""


class Cast:
    """Situations of one interval that one slod is shown at once, each from a source of its own."""

    def __init__(self, stage: Stage, situations: Sequence[Situation], way: Way) -> None:
        self.members = [Member(f"s{i}", one) for i, one in enumerate(situations)]
        self._stage, self._way = stage, way
        self._interval = situations[0].interval
        self._count = max(one.count for one in situations)

    async def play(self) -> Metrics:
        """Show all looks; the metrics page in the end."""
        if self._way.kind == SCRAPE:
            await self._scraped()
        elif self._way.kind == BACKFILL:
            await self._filled_up()
        else:
            await self._live()
        return await self._stage.metrics()

    async def _scraped(self) -> None:
        stage, way = self._stage, self._way
        for member in self.members:
            for target in member.situation.looks:
                handler = member.handler(stage, target, way.content)
                stage.network.hosts[member.host(target)] = handler
        await stage.start(self._targets(0))
        for index in range(1, self._count):
            changed = self._targets(index) != self._targets(index - 1)
            if changed or (way.restarts and index in _SCRAPED_ANEW):
                await stage.stop()
                await stage.advance(self._interval)
                await stage.start(self._targets(index))
            else:
                await stage.advance(self._interval)

    def _targets(self, index: int) -> str:
        return "".join(member.scraped(index) for member in self.members)

    async def _filled_up(self) -> None:
        stage, whole = self._stage, self._interval * self._count
        for member in self.members:
            member.store(stage, T, self._count)
        await stage.advance(whole + 60)
        reach = whole + 60 + 3 * self._interval
        await stage.start("".join(m.asked(reach, self._way.chunk) for m in self.members))
        for _ in range(3):
            await stage.advance(self._interval)

    async def _live(self) -> None:
        stage = self._stage
        for member in self.members:
            member.store(stage, T - LAG, self._count)
        await stage.start("".join(member.asked() for member in self.members))
        for index in range(1, self._count + 1):
            if self._way.restarts and index in _ASKED_ANEW:
                await stage.stop()
                await stage.advance(self._interval)
                await stage.start()
            else:
                await stage.advance(self._interval)


# --- outcomes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What slod counted and said of a situation; `error`: why it could not be played."""

    good: float = 0.0
    bad: float = 0.0
    groups: Mapping[tuple[str, str], tuple[float, float]] | None = None
    kinds: frozenset[str] = frozenset()
    told: bool = False
    error: BaseException | None = None


class Theatre:
    """Plays the situations of a table, all of a kind at once, and remembers what came of them."""

    def __init__(self, situations: Sequence[Situation]) -> None:
        self._situations = situations
        self._outcomes: dict[tuple[str, str], Outcome] = {}

    async def outcome(self, stage: Stage, situation: Situation, way: Way) -> Outcome:
        """What came of a situation that was played in a way."""
        key = (situation.name, way.name)
        if key not in self._outcomes:
            together = [
                one
                for one, how in plays(self._situations)
                if how is way and one.troupe == situation.troupe and stage.accepts(_alone(one, way))
            ]
            if situation not in together:
                together = [situation]
            for one, outcome in zip(together, await _perform(stage, together, way), strict=True):
                self._outcomes[one.name, way.name] = outcome
        return self._outcomes[key]


def _alone(situation: Situation, way: Way) -> str:
    member = Member("s0", situation)
    return member.scraped(situation.count) if way.kind == SCRAPE else member.asked()


async def _perform(stage: Stage, together: Sequence[Situation], way: Way) -> list[Outcome]:
    cast = Cast(stage, together, way)
    try:
        metrics = await cast.play()
    except Exception as error:  # noqa: BLE001 - it is raised where it is judged
        if len(together) == 1:
            return [Outcome(error=error)]
        # One of them ended the daemon: each alone tells which one.
        out = []
        for one in together:
            await stage.clear()
            out += await _perform(stage, [one], way)
        return out
    return [_outcome(stage, member, metrics) for member in cast.members]


def _outcome(stage: Stage, member: Member, metrics: Metrics) -> Outcome:
    name = member.name
    groups = {
        (label, value): metrics.events(name, **{label: value})
        for label, value in member.situation.groups or {}
    }
    kinds = {
        labels["kind"]
        for own, labels, value in metrics.samples
        if own == "slod_readings_total" and labels["source"] == name and value > 0
    }
    told = (
        metrics.sum("slod_slo_errors", slo=name) > 0
        or 0.0 in metrics.select("slod_source_up", source=name)
        or any(_is_about(line, name) for line in stage.warned(*_WORDS))
    )
    return Outcome(*metrics.events(name), groups, frozenset(kinds), told)


_WORDS = ("process", "reset", "fell", "fall", "several", "bucket")


def _is_about(line: str, name: str) -> bool:
    return any(f"{key}={name} " in f"{line} " for key in ("slo", "source")) or f".{name}:" in line


def fits(seen: float, expected: Number) -> bool:
    """Whether a number of events is right, but for rounding."""
    low, high = expected if isinstance(expected, tuple) else (expected, expected)
    slack = 1e-6 * max(1.0, abs(high))
    return low - slack <= seen <= high + slack


def judge(outcome: Outcome, situation: Situation, way: Way) -> None:
    """Compare what was counted with what is right."""
    if outcome.error is not None:
        raise outcome.error
    good, bad = outcome.good, outcome.bad
    expected = f"expected {situation.good} good, {situation.bad} bad; {situation.why}"
    if situation.told:
        assert outcome.told, f"nothing is said; counted {good:g} good, {bad:g} bad; {expected}"
    right = fits(good, situation.good) and fits(bad, situation.bad)
    assert right, f"counted {good:g} good, {bad:g} bad; {expected}"
    for group, (most, worst) in (situation.groups or {}).items():
        own = (outcome.groups or {})[group]
        assert fits(own[0], most) and fits(own[1], worst), (group, own, most, worst)
    if not way.restarts:
        missing = set(situation.kinds) - outcome.kinds
        assert not missing, f"no reading is {missing}"
