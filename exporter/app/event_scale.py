"""Weighs events with the SLOs that they concern, so that others have their turn meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf

from exporter.app import event_words as words
from exporter.core.account import Account
from exporter.core.engine import Engine
from exporter.core.instance import Instance
from exporter.core.slo import SLO
from exporter.core.timeline import Blame, Cost, Event, Span, blame, cost

PAIRS = 5000
"""So many pairs of a change and an SLO instance are weighed in a look: some 0.1 s. Of more than
that, those have their turn at the next look that wait longest."""
_AT_ONCE = 100
"""Pairs that are weighed before others have their turn: some milliseconds."""


class Scale:
    """What events spent of an engine's SLOs, and what they are to blame for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._weighed: dict[str, float] = {}
        """When each change that has an effect was weighed last."""

    async def costs(self, event: Event, start: float, end: float, now: float) -> list[Cost]:
        """Return what an event spent, by SLO instance."""
        costs: list[Cost] = []
        for slo, instance in self._concerned(event, self._services()):
            with self._engine.apart(slo.name, "events"):
                costs.append(cost(slo, instance, start, end, now))
            if len(costs) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return costs

    def as_of(self, one: Blame, span: Span, now: float) -> Blame:
        """Return a blame with what the change has spent by now, as every other reader says."""
        account = self._engine.accounts.get(one.slo)
        for instance in account.memory.instances.values() if account is not None else ():
            if account is not None and instance.title == one.title:
                share = cost(account.slo, instance, *span, now).share
                return replace(one, spent=one.spent if share is None else share)
        return one

    def announce(self, event: Event, one: Blame, span: Span, now: float) -> None:
        """Have it told to receivers, or put what was told into the words of now."""
        if (account := self._engine.accounts.get(one.slo)) is not None:
            instances = account.memory.instances.values()
            group = next((i.group for i in instances if i.title == one.title), {})
            current = self.as_of(one, span, now)
            notice = words.notice(account.slo, group, event, current, span[1])
            self._engine.notices.put(notice)
            self._engine.notices.reword(notice.key, notice.annotations)

    async def weigh(
        self,
        changes: Sequence[tuple[Event, Span]],
        significance: float,
        min_bad_events: float,
        now: float,
    ) -> dict[str, list[Blame]]:
        """Return what changes are newly to blame for, by their ids.

        Args:
            changes: those that have an effect, newest first, and from when to when.
            significance: of the test; see `blame`.
            min_bad_events: since the change; see `blame`.
            now: unix seconds.
        """
        self._weighed = {event.id: self._weighed.get(event.id, -inf) for event, _ in changes}
        services = self._services()
        blames: dict[str, list[Blame]] = {}
        pairs = 0
        # Sorting keeps the newest first among those that wait equally long.
        for event, (start, end) in sorted(changes, key=lambda one: self._weighed[one[0].id]):
            if pairs >= PAIRS:
                break
            self._weighed[event.id] = now
            known = {one.title for one in event.blamed}
            for slo, instance in self._concerned(event, services):
                pairs += 1
                if pairs % _AT_ONCE == 0:
                    await asyncio.sleep(0)
                if instance.title in known:
                    continue
                with self._engine.apart(slo.name, "events"):
                    one = blame(slo, instance, start, end, now, significance, min_bad_events)
                    if one is not None:
                        blames.setdefault(event.id, []).append(one)
        return blames

    def _services(self) -> Mapping[str, Sequence[Account]]:
        """Return the SLOs of each service."""
        services: dict[str, list[Account]] = {}
        for account in self._engine.accounts.values():
            services.setdefault(account.slo.service, []).append(account)
        return services

    def _concerned(
        self, event: Event, services: Mapping[str, Sequence[Account]]
    ) -> Iterator[tuple[SLO, Instance]]:
        accounts = self._engine.accounts
        if event.slos:
            mine = [accounts[name] for name in event.slos if name in accounts]
        else:
            mine = list(services.get(event.service, ()))
        for account in mine:
            for instance in list(account.memory.instances.values()):
                yield account.slo, instance
