"""Answers who asks for an explanation: the engine's own, and what others make of the samples."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from exporter.app.compare import Comparison, compare
from exporter.app.counting import Counting
from exporter.clock import Clock
from exporter.config.duration import approximate, format_duration
from exporter.core.account import Account
from exporter.core.engine import Engine
from exporter.core.explain import explain, find
from exporter.core.explained import Explanation, PeersSaid
from exporter.errors import look_up

MOST_GROUPS = 100
"""Instances that one answer explains."""
MOST_UNASKED = 500_000
"""So many samples take two or three seconds; for more, somebody has to name the window."""
_WINDOW = 3600.0


class Explainer:
    """`sources`: the settings of the sources, by name, as they are now."""

    def __init__(
        self,
        engine: Engine,
        sources: Callable[[], Mapping[str, object]],
        clock: Clock,
        counting: Counting | None = None,
    ) -> None:
        self._engine = engine
        self._counting = counting or Counting(engine)
        self._sources = sources
        self._clock = clock
        self._comparing = False

    async def explain(
        self, name: str, group: Mapping[str, str], window: float | None
    ) -> list[Explanation]:
        """One explanation for each instance of an SLO whose group has these labels.

        `window`: for the comparison with others, in seconds; None is the longest alert window that
        is no great work, 0 leaves it out. `NotFound` when there is no such SLO.
        """
        # What is told of each series changes while a large page is counted.
        await self._counting.idle()
        account = look_up(name, self._engine.accounts)
        now = self._clock.now()
        groups = [tuple(i.group.values()) for i in find(account, dict(group))][:MOST_GROUPS]
        found = []
        for one in groups:
            if one in account.memory.instances:
                found.append((one, explain(account, one, now, approximate)))
            # Many groups take a while; meanwhile polls go on, and groups may go.
            await asyncio.sleep(0)
            await self._counting.idle()
        if window == 0 or not found:
            return [one for _, one in found]
        seconds = window or _usual_window(account)
        answer = await self._compare(account, seconds, now)
        return [replace(one, peers=_peers(answer, g, seconds, now)) for g, one in found]

    async def _compare(self, account: Account, seconds: float, now: float) -> Comparison | str:
        if self._comparing:
            return "another comparison is under way; ask again in a moment"
        self._comparing = True
        try:
            settings = self._sources().get(account.slo.source)
            return await compare(account, settings, seconds, now, self._clock)
        finally:
            self._comparing = False

    def names(self) -> list[str]:
        """Every SLO there is."""
        return list(self._engine.accounts)


def _usual_window(account: Account) -> float:
    targets = account.memory.targets.values()
    series = sum(len(column) for state in targets for column in state.series)
    lengths = [w.seconds for w in account.slo.windows] or [_WINDOW]
    most = MOST_UNASKED * account.slo.interval / max(series, 1)
    return max((s for s in lengths if s <= most), default=lengths[0])


def _peers(
    answer: Comparison | str, group: tuple[str, ...], seconds: float, now: float
) -> PeersSaid:
    if isinstance(answer, str):
        return PeersSaid(format_duration(seconds), now - seconds, now, note=answer)
    return answer.said(group)
