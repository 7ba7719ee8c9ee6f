"""Everybody who takes part in one run, started and stopped together."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture.churn import Configuration, Ports
from tests.torture.honest import CHURNED, Outages, Target
from tests.torture.hostile import Hostile
from tests.torture.names import Names
from tests.torture.receivers import Honest, Odd
from tests.torture.slod import Slod
from tests.torture.truth import Counts
from tests.torture.upstream import FakePrometheus, fake_prometheus
from tests.torture.verdict import Calm, Verdict
from tests.torture.watch import Watch

HONEST, HOSTILE = 4, 4


@dataclass
class Stage:
    """Everybody. `calm`: the stopwatch of faults that take time of all SLOs."""

    slod: Slod
    verdict: Verdict
    calm: Calm
    honest: list[Target]
    outages: list[Outages]
    hostile: list[Hostile]
    prometheus: FakePrometheus
    hook: Honest
    odd: list[Odd]
    names: Names
    configuration: Configuration
    watch: Watch

    @property
    def counts(self) -> dict[str, Counts]:
        """All truths about events, by SLO."""
        return _counts(self.honest, self.prometheus)


@contextlib.asynccontextmanager
async def stage(folder: Path, seed: int) -> AsyncIterator[Stage]:
    """Everybody listens; slod was not started yet."""
    verdict = Verdict()

    def rng(name: str) -> random.Random:
        return random.Random(f"{seed} {name}")

    # The first one is never in an outage: an alert of it is a false one.
    honest = [
        Target(f"shop-{n}", verdict, rng(f"shop-{n}"), churned=CHURNED if n == 0 else 0)
        for n in range(HONEST)
    ]
    hostile = [Hostile() for _ in range(HOSTILE)]
    hook, odd = Honest(), [Odd(), Odd()]
    hook.alerts = {target.name: target.alerts for target in honest}
    slod = Slod(folder, verdict)
    names = Names(slod.control)
    wires = [part.wire for part in (*honest, *hostile, *odd, hook)]
    async with contextlib.AsyncExitStack() as stack:
        for wire in wires:
            await wire.start()
            stack.push_async_callback(wire.stop)
        await names.start()
        stack.callback(names.stop)
        (folder / "nameserver").write_text(str(names.port))
        prometheus = await stack.enter_async_context(fake_prometheus(verdict, rng("prometheus")))
        stack.push_async_callback(slod.end)
        configuration = Configuration(
            slod,
            Ports(
                slod=slod.port,
                honest=tuple(target.wire.port for target in honest),
                hostile=tuple(target.wire.port for target in hostile),
                prometheus=prometheus.wire.port,
                hook=hook.wire.port,
                odd=tuple(one.wire.port for one in odd),
            ),
        )
        configuration.write()
        yield Stage(
            slod=slod,
            verdict=verdict,
            calm=Calm(),
            honest=honest,
            outages=[Outages(target, rng(f"outages of {target.name}")) for target in honest[1:]],
            hostile=hostile,
            prometheus=prometheus,
            hook=hook,
            odd=odd,
            names=names,
            configuration=configuration,
            watch=Watch(slod, _counts(honest, prometheus), verdict),
        )


def _counts(honest: list[Target], prometheus: FakePrometheus) -> dict[str, Counts]:
    truths = [target.counts for target in honest] + honest[0].churned + [prometheus.counts]
    return {counts.slo: counts for counts in truths}
