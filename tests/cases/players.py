"""Players: each shows slod the same situation in another way and gives back the stage.

A situation is a list of looks for each target. A player that scrapes serves them one after the
other, a player with a Prometheus stores them as that would have, and slod polls it meanwhile or
fills up afterwards. `restarts`: slod is stopped and started again before every second look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from exporter.http import Response, TransportError
from tests.cases.pages import OPENMETRICS, PROTOBUF, START, TEXT, Page, Sample, render, rows
from tests.cases.stage import Metrics, Request, Stage, T, answer
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
    at each created time. `restarts`: also played with restarts of slod. `groups`: good and bad events of groups, by label and value.
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


async def play(stage: Stage, situation: Situation, way: Way) -> None:
    """Play a situation to its end."""
    if way.kind == SCRAPE:
        await Scraped(stage, situation, way).play()
    else:
        await _play_upstream(stage, situation, way)


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


class Scraped:
    """A site whose targets show the looks of a situation, one for each interval."""

    def __init__(self, stage: Stage, situation: Situation, way: Way) -> None:
        self._stage, self._situation, self._way = stage, situation, way
        for target in situation.looks:
            stage.network.hosts[f"{target}:80"] = self._handler(target)

    def _handler(self, target: str) -> Callable[[Request], Response]:
        situation = self._situation

        def serve(request: Request) -> Response:
            now = self._stage.now
            looks = situation.looks[target]
            index = min(round((now - T) / situation.interval), len(looks) - 1)
            look = looks[index]
            if isinstance(look, Away):
                if look is Away.FAILED:
                    return answer("out of order", status=503)
                raise TransportError("refused", f"{request.url}: connection refused")
            page = absolute(look, T, now)
            content = self._way.content
            return answer(render(page, content, situation.types), content)

        return serve

    def config(self, index: int) -> str:
        """The configuration while a look is the newest: which targets there are may change."""
        situation = self._situation
        targets = [
            f"http://{target}:80/metrics"
            for target, looks in situation.looks.items()
            if looks[min(index, len(looks) - 1)] is not Away.UNKNOWN
        ]
        return f"""
[source.x]
type = "scrape"
targets = {targets}
interval = "{situation.interval * 1000:.0f}ms"
{situation.source}
{slo(situation)}
""".replace("'http", '"http').replace("metrics'", 'metrics"')

    async def play(self) -> None:
        """Show all looks."""
        stage, situation = self._stage, self._situation
        await stage.start(self.config(0))
        for index in range(1, situation.count):
            changed = self.config(index) != self.config(index - 1)
            if changed or (self._way.restarts and index % 2):
                # A new target is found between two looks; slod then looks at all of them at once.
                await stage.stop()
                await stage.advance(situation.interval)
                await stage.start(self.config(index))
            else:
                await stage.advance(situation.interval)


def slo(situation: Situation) -> str:
    """The SLO of a situation."""
    return f"""
[slo.case]
objective = 99
window = "30d"
sli = {situation.sli}
{situation.slo}
"""


LAG = 4.0
"""Seconds from an upstream's scrape to slod's poll."""


def store(situation: Situation, upstream: Upstream, base: float) -> None:
    """All samples that a Prometheus has of a situation whose first scrape was at `base`."""
    for target, looks in situation.looks.items():
        before: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        created: dict[tuple[tuple[str, str], ...], float] = {}
        for index, look in enumerate(looks):
            at = base + index * situation.interval
            own = (situation.own or {}).get(target, {"job": "shop", "instance": f"{target}:80"})
            if look is Away.UNKNOWN:
                continue
            upstream.write({"__name__": "up", **own}, at, 0.0 if isinstance(look, Away) else 1.0)
            there: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
            page: Page = {} if isinstance(look, Away) else absolute(look, base, at)
            for row in rows(page):
                labels = {"__name__": row.name, **own, **row.labels}
                key = tuple(sorted(labels.items()))
                there[key] = labels
                begun = row.sample.created
                if situation.zeros and begun is not None and created.get(key) != begun:
                    if index:
                        upstream.write(labels, begun, 0.0, at + 0.5)
                    created[key] = begun
                time = row.sample.time
                upstream.write(labels, at if time is None else time, row.sample.value, at + 0.5)
            for key in before.keys() - there.keys():
                upstream.write(before[key], at, STALE)
            before = there


def upstream_config(situation: Situation, backfill: float = 0.0, chunk: str = "1d") -> str:
    """The configuration of a slod that asks a Prometheus."""
    return f"""
[source.x]
type = "prometheus"
url = "http://prom:9090"
interval = "{situation.interval * 1000:.0f}ms"
backfill = "{backfill:.0f}s"
chunk = "{chunk}"
{situation.source}
{slo(situation)}
"""


async def _play_upstream(stage: Stage, situation: Situation, way: Way) -> None:
    upstream = Upstream(stage.clock.now, Flavour(situation.shows_stale_markers))
    stage.network.hosts["prom:9090"] = upstream
    interval = situation.interval
    if way.kind == BACKFILL:
        whole = interval * situation.count
        store(situation, upstream, T)
        await stage.advance(whole + 60)
        await stage.start(upstream_config(situation, whole + 60 + 3 * interval, way.chunk))
        for _ in range(3):
            await stage.advance(interval)
        return
    store(situation, upstream, T - LAG)
    await stage.start(upstream_config(situation))
    for index in range(1, situation.count + 1):
        if way.restarts and index % 2 == 0:
            await stage.stop()
            await stage.advance(interval)
            await stage.start()
        else:
            await stage.advance(interval)


def fits(seen: float, expected: Number) -> bool:
    """Whether a number of events is right, but for rounding."""
    low, high = expected if isinstance(expected, tuple) else (expected, expected)
    slack = 1e-6 * max(1.0, abs(high))
    return low - slack <= seen <= high + slack


def judge(stage: Stage, situation: Situation, way: Way, metrics: Metrics) -> None:
    """Compare what was counted with what is right."""
    good, bad = metrics.events()
    expected = f"expected {situation.good} good, {situation.bad} bad; {situation.why}"
    told = told_of(stage, metrics)
    if situation.told:
        assert told, f"nothing is said; counted {good:g} good, {bad:g} bad; {expected}"
    right = fits(good, situation.good) and fits(bad, situation.bad)
    assert right, f"counted {good:g} good, {bad:g} bad; {expected}"
    for (label, value), (most, worst) in (situation.groups or {}).items():
        own = metrics.events(**{label: value})
        assert fits(own[0], most) and fits(own[1], worst), (label, value, own, most, worst)
    if not way.restarts:
        for kind in situation.kinds:
            assert metrics.sum("slod_readings_total", kind=kind) > 0, f"no reading is {kind}"


def told_of(stage: Stage, metrics: Metrics) -> bool:
    """Whether slod says that something is wrong: an error of the SLO or of a target, or a line in
    the log."""
    return (
        metrics.sum("slod_slo_errors", slo="case") > 0
        or 0.0 in metrics.select("slod_source_up")
        or bool(stage.warned("process", "reset", "fell", "fall", "several", "bucket"))
    )
