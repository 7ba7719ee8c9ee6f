"""SLOs that have been watched for a month: their ledgers are full and every window has an edge.

One SLO is fed 30 days of traffic with a rhythm and outages, through the engine; the others get a
copy of it, as a restart would load it. The month was counted on another target, `past`, so that
whatever counters come next only go on from their first values.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from exporter.app.keeper import Keeper
from exporter.config.duration import approximate
from exporter.config.load import parse
from exporter.core.engine import Engine
from exporter.core.sample import Batch, Reading, Series, Target
from exporter.core.slo import SLO, CounterSLI
from exporter.store.database import Store

DAYS = 30.0
ONE = 10**9
_AGO = 900.0
"""Seconds; room for polls that come after it and before now."""
_STEPS = ((math.inf, 60.0), (12 * 3600.0, 60.0), (2 * 3600.0, 10.0))
"""Up to so many seconds before the end, a poll every so many: quick to make, and as full."""
_SOURCE = """
[source.app{k}]
type = "scrape"
targets = ["http://{target}/{k}"]
interval = "{interval}"
"""
_SLO = """
[slo.s{n}]
objective = 99.9
service = "shop"
source = "app{k}"
sli = {{ bad = 'errors_total{{slo="{n}"}}', total = 'requests_total{{slo="{n}"}}' }}
"""


def config(slos: int, target: str = "127.0.0.1:1", interval: float = 10.0, block: int = ONE) -> str:
    """A configuration of so many SLOs with the workbook's rules.

    `block`: so many of them share a source and a page; `app0` on /0, then `app1` on /1.
    """
    sources = range((slos - 1) // block + 1)
    return "".join(
        [_SOURCE.format(k=k, target=target, interval=duration(interval)) for k in sources]
        + [_SLO.format(n=n, k=n // block) for n in range(slos)]
    )


def page(slos: int, seconds: float, path: str = "/0", block: int = ONE) -> bytes:
    """What a page shows so many seconds after the service's start."""
    first = int(path[1:]) * block
    own = range(first, min(slos, first + block))
    found = list(zip(own, counts(own, seconds), strict=True))
    lines = ["# TYPE requests_total counter"]
    lines += [f'requests_total{{slo="{n}"}} {total}' for n, (total, _) in found]
    lines.append("# TYPE errors_total counter")
    lines += [f'errors_total{{slo="{n}"}} {bad}' for n, (_, bad) in found]
    return ("\n".join(lines) + "\n").encode()


def engine(slos: int, block: int = ONE) -> Engine:
    """An engine with so many SLOs that have watched until `month().end`."""
    made = Engine(parse(config(slos, block=block), "bench").slos, (), approximate)
    state = month().state
    for name in made.accounts:
        # Decoded for each, since copies that share memory would share the processor's cache too.
        dump = {**made.dump(name), "state": msgspec.msgpack.decode(state)}
        reason = made.restore(name, dump, ())
        assert reason is None, reason
    return made


def save(made: Engine, path: str, feed: Callable[[], None], rounds: int) -> None:
    """Write a state file as the daemon does: `feed` brings the next samples before each save."""

    async def work() -> None:
        keeper = Keeper(made, Store(path, now=lambda: 0.0))
        await keeper.restore()
        for _ in range(rounds):
            assert await keeper.save() is None
            feed()
        assert await keeper.save() is None
        await keeper.close()

    asyncio.run(work())


def batch(
    slos: Sequence[SLO],
    series: Sequence[tuple[Series, Series]],
    at: float,
    counts: Iterable[tuple[float, float]],
    target: str = "t",
) -> Batch:
    """One poll: for each SLO the counters of requests and of errors, with their series."""
    out = Batch("app0", at, True, targets={target: Target()})
    for slo, (requests, errors), (total, bad) in zip(slos, series, counts, strict=True):
        sli = slo.sli
        assert isinstance(sli, CounterSLI)
        assert sli.bad
        assert sli.total
        out.readings[sli.total] = [Reading(requests, [(at, float(total))])]
        out.readings[sli.bad] = [Reading(errors, [(at, float(bad))])]
    return out


def counts(slos: Iterable[int], seconds: float) -> list[tuple[float, float]]:
    """Requests and errors of these SLOs so many seconds after the service's start."""
    return [(int(seconds * (50 + n % 7)), int(seconds / (20 + n % 7))) for n in slos]


def duration(seconds: float) -> str:
    """As the configuration takes it: whole numbers."""
    return f"{seconds * 1000:.0f}ms"


class Month(NamedTuple):
    """When it ended, in unix seconds, and the state of an SLO after it."""

    end: float
    state: bytes


@cache
def month() -> Month:
    """A month that ended some minutes ago, made once."""
    now = time.time() - _AGO
    rng = random.Random(3)
    made = Engine(parse(config(1), "bench").slos, (), approximate)
    (slo,) = (account.slo for account in made.accounts.values())
    series = [(Series("requests", "past", {}), Series("errors", "past", {}))]
    total, bad, outage, share = 0.0, 0.0, 0.0, 0.0
    at, ticked = now - DAYS * 86_400, 0.0
    while at <= now:
        step = next(pause for left, pause in reversed(_STEPS) if now - at < left)
        if outage <= 0 and rng.random() < step / (5 * 86_400):
            outage, share = rng.choice((300, 900, 3600, 7200)), rng.choice((0.005, 0.02, 0.05))
        outage -= step
        mean = 50 * step * (1 + 0.6 * math.sin(at / 86_400 * math.tau))
        events = poisson(rng, mean)
        total += events
        bad += round(events * share) if outage > 0 else poisson(rng, events * 0.0002)
        made.ingest(batch([slo], series, at, [(total, bad)], "past"))
        if at - ticked >= 3600:
            ticked = at
            made.tick(at)
        made.drain()
        at += step
    return Month(now, msgspec.msgpack.encode(made.dump(slo.name)["state"]))


def poisson(rng: random.Random, mean: float) -> int:
    """How many events there are, where `mean` are expected."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, n, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        n += 1
        product *= rng.random()
    return n
