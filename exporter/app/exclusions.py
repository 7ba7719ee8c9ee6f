"""Exclusions, those of the configuration and those made at run time: kept, recorded, handed to the
engine as spans of time.

One that is made at run time counts once it and its record are on disk, so that nothing is ever
left out of a budget without a trace.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog

from exporter.app.exclusion_quarantine import Quarantine
from exporter.app.exclusion_rows import Kept, Refused, packed, read_record, record, unpacked
from exporter.clock import Clock
from exporter.config.exclusions import Planned, read_exclusion
from exporter.config.expansion import Expansion
from exporter.config.findings import Findings
from exporter.core.engine import Engine
from exporter.core.exclusion import Exclusion, Span
from exporter.errors import ConfigError, NotFound, StateError
from exporter.store.database import Store
from exporter.store.documents import Change, Documents
from exporter.web.exclusions_api import Entry, Record

log = structlog.get_logger()

EVERY = 3600.0
"""Seconds between two looks at what recurs."""
AHEAD = 8 * 86_400.0
"""How far what recurs is looked ahead, in seconds: more than a machine sleeps."""
MOST = 1000
"""So many can be made at run time."""
_AT_ONCE = 20
"""Exclusions that are weighed with all SLOs before others have their turn."""
CONFIG, API = "config", "api"


class Exclusions:
    """All exclusions of a daemon; `changed` is called when the engine was given others."""

    def __init__(
        self, engine: Engine, store: Store, clock: Clock, changed: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._table = Documents(store, "exclusion")
        self._clock = clock
        self._changed = changed
        self._configured: dict[str, Kept] = {}
        self._made: dict[str, Kept] = {}
        self._recorded: dict[str, Kept] = {}
        """Those of the configuration as the record has them."""
        self._quarantine = Quarantine(engine, clock.now)
        self._expansions: dict[tuple[str, str], Expansion] = {}
        """Of those in `_configured` and `_made`."""
        self._given: list[Exclusion] = []
        self._changing = asyncio.Lock()

    async def start(self, plans: Sequence[Planned]) -> None:
        """Load what was made before, and take those of the configuration."""
        try:
            rows = await self._table.load()
        except StateError as error:
            log.error("exclusions.not_loaded", error=str(error))
            rows = {}
        refused: dict[str, Refused] = {}
        for (origin, ident), body in rows.items():
            kept = unpacked(body, ident)
            if isinstance(kept, Refused) and origin == API:
                refused[ident] = kept
            elif not isinstance(kept, Kept):
                log.error(
                    "exclusion.unreadable", id=ident, origin=origin, outcome="its time counts"
                )
            else:
                (self._made if origin == API else self._recorded)[ident] = kept
        self._quarantine.start(refused, self._made)
        await self.configure(plans)

    async def configure(self, plans: Sequence[Planned]) -> None:
        """Take the configuration's; what changed in it since the last time is recorded."""
        async with self._changing:
            now = self._clock.now()
            configured = {
                plan.name: old
                if (old := self._recorded.get(plan.name)) and old.plan.document == plan.document
                else Kept(plan, CONFIG, now)
                for plan in plans
            }
            self._expansions = await self._unfold(configured)
            self._configured = configured
            await self._record()
        self._give()

    async def run(self) -> None:
        """Look again once an hour: what recurs comes nearer, what is too old is dropped."""
        while True:
            # Before the pause: a retry after a failure must not come an hour late.
            async with self._changing:
                await self._record()
            self._give()
            await self._clock.sleep(EVERY)

    # --- what the API asks ----------------------------------------------------------------------

    async def listed(self) -> list[Entry]:
        """All of them, those of the configuration first."""
        now = self._clock.now()
        entries: list[Entry] = []
        for origin, ident, kept in list(self._all()):
            entries.append(self._entry(origin, ident, kept, now))
            if len(entries) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return [*entries, *self._quarantine.entries(API)]

    def given(self) -> list[tuple[Exclusion, str]]:
        """As the engine has them, each with its reason."""
        kept = {**self._made, **self._configured}
        return [
            (one, str(kept[one.name].plan.document["reason"]))
            for one in self._given
            if one.name in kept
        ]

    async def add(self, raw: Mapping[str, Any], by: str) -> Entry:
        """Make one at run time; `ConfigError` in one line when it cannot be."""
        findings = Findings("")
        now = self._clock.now()
        # A rule can take seconds until it is clear that it never holds.
        given = {key: value for key, value in raw.items() if value is not None}
        plan = await asyncio.to_thread(read_exclusion, (), given, findings)
        findings.raise_errors()
        assert plan is not None  # or there were errors
        expansion = Expansion(plan)
        try:
            await asyncio.to_thread(expansion.spans, *self._horizon(now))
        except ValueError as error:
            raise ConfigError(f"rrule: {error}") from None
        async with self._changing:
            if len(self._made) + len(self._quarantine) >= MOST:
                raise ConfigError(f"there are {MOST} exclusions already; remove old ones first")
            ident, kept = secrets.token_hex(4), Kept(plan, by, now)
            why = str(plan.document["reason"])
            said = record("added", API, ident, plan.document, by, now, why)
            await self._table.write(Change(put={(API, ident): packed(kept)}, audit=[said]))
            self._made[ident] = kept
            self._expansions[API, ident] = expansion
        log.info("exclusion.added", id=ident, by=by, **plan.document)
        self._give()
        return self._entry(API, ident, kept, now)

    async def remove(self, ident: str, by: str, why: str) -> None:
        """Take one back; the record stays."""
        async with self._changing:
            kept, refused = self._made.get(ident), self._quarantine.get(ident)
            if kept is None and refused is None and ident in self._configured:
                raise ConfigError(
                    f"it is made in the configuration; remove [exclusion.{ident}] there"
                )
            if kept is not None:
                document = kept.plan.document
            elif refused is not None:
                document = refused.document
            else:
                raise NotFound(ident)
            said = record("removed", API, ident, document, by, self._clock.now(), why)
            await self._table.write(Change(drop=[(API, ident)], audit=[said]))
            if kept is not None:
                del self._made[ident]
                self._expansions.pop((API, ident), None)
            else:
                self._quarantine.remove(ident)
                self._changed()
        log.info("exclusion.removed", id=ident, by=by, why=why)
        self._give()

    async def records(self, most: int) -> list[Record]:
        """The audit record, newest first."""
        return [read_record(number, body) for number, body in await self._table.audit(most)]

    # --- inside ---------------------------------------------------------------------------------

    def _all(self) -> Iterator[tuple[str, str, Kept]]:
        for origin, all_ in ((CONFIG, self._configured), (API, self._made)):
            for ident, kept in all_.items():
                yield origin, ident, kept

    def _give(self) -> None:
        """Hand the spans of all to the engine, if they are others than it has."""
        given: list[Exclusion] = []
        horizon = self._horizon(self._clock.now())
        for origin, ident, kept in self._all():
            try:
                spans = self._expansion(origin, ident, kept.plan).spans(*horizon)
            except ValueError as error:
                log.error(
                    "exclusion.not_used", id=ident, error=str(error), outcome="its time counts"
                )
                continue
            if spans:
                given.append(Exclusion(ident, kept.plan.where, spans))
        if given != self._given:
            self._given = given
            self._engine.exclude(given)
            self._changed()

    async def _unfold(self, configured: Mapping[str, Kept]) -> dict[tuple[str, str], Expansion]:
        """Follow those that are new up to now, which may take some tenths of a second for each."""
        horizon = self._horizon(self._clock.now())
        expansions: dict[tuple[str, str], Expansion] = {}
        for origin, all_ in ((CONFIG, configured), (API, self._made)):
            for ident, kept in all_.items():
                expansion = self._expansions.get((origin, ident))
                if expansion is None or expansion.plan != kept.plan:
                    expansion = Expansion(kept.plan)
                    if kept.plan.rule is not None:
                        with suppress(ValueError):  # Said where its spans are given to the engine.
                            await asyncio.to_thread(expansion.spans, *horizon)
                expansions[origin, ident] = expansion
        return expansions

    def _expansion(self, origin: str, ident: str, plan: Planned) -> Expansion:
        return self._expansions.setdefault((origin, ident), Expansion(plan))

    def _horizon(self, now: float) -> Span:
        """The longest period there is, and what is to come soon."""
        periods = [a.slo.period.length(now) for a in self._engine.accounts.values()]
        return now - max(periods, default=0.0) - AHEAD, now + AHEAD

    async def _record(self) -> None:
        """Write down what changed in the configuration; tried again later when it fails."""
        change = Change()
        for ident, kept in self._configured.items():
            old = self._recorded.get(ident)
            if old is None or old.plan.document != kept.plan.document:
                action = "added" if old is None else "changed"
                document = kept.plan.document
                why = str(document["reason"])
                change.put[CONFIG, ident] = packed(kept)
                change.audit.append(record(action, CONFIG, ident, document, CONFIG, kept.at, why))
        for ident, kept in self._recorded.items():
            if ident not in self._configured:
                now, why = self._clock.now(), "no longer in the configuration"
                change.drop.append((CONFIG, ident))
                document = kept.plan.document
                change.audit.append(record("removed", CONFIG, ident, document, CONFIG, now, why))
        if change.audit:
            try:
                await self._table.write(change)
            except StateError as error:
                log.error("exclusions.not_recorded", error=str(error), outcome="tried again later")
                return
            self._recorded = dict(self._configured)

    def _entry(self, origin: str, ident: str, kept: Kept, now: float) -> Entry:
        plan = kept.plan
        try:
            expansion = self._expansion(origin, ident, plan)
            spans, coming = expansion.spans(*self._horizon(now)), expansion.following(now)
        except ValueError:
            spans, coming = (), None
        last = max((span for span in spans if span[0] <= now), default=None)
        return Entry(
            id=ident,
            origin=origin,
            document=plan.document,
            by=kept.by,
            at=kept.at,
            last=last,
            next=coming,
            active=last is not None and now < last[1],
            covers=tuple(self._covers(plan, spans, now)),
        )

    def _covers(
        self, plan: Planned, spans: Sequence[Span], now: float
    ) -> Iterator[tuple[str, float]]:
        excluded: dict[float, float] = {}
        for account in self._engine.accounts.values():
            if plan.may_cover(account.slo):
                start = account.slo.period.start(now)
                if start not in excluded:
                    inside = (min(b, now) - max(a, start) for a, b in spans)
                    excluded[start] = sum(max(0.0, seconds) for seconds in inside)
                yield account.slo.name, excluded[start]
