"""Collects what a review is made of: ledgers, causes, what was said, where the last one ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from exporter.clock import Clock
from exporter.core.account import Account
from exporter.core.attribution import EXCLUSION, Cause
from exporter.core.engine import Engine
from exporter.core.exclusion import Exclusion
from exporter.core.instance import Instance
from exporter.core.notification import Notification
from exporter.errors import NotFound, StateError
from exporter.store.database import Store
from exporter.store.documents import Change, Documents
from exporter.web.report_api import LAST, Asked, Written

if TYPE_CHECKING:  # What writes reviews is loaded when one is asked for.
    from exporter.report.data import Review, SLOReview
    from exporter.report.history import Span

log = structlog.get_logger()

PERIOD = 30 * 86_400.0
"""What is looked back on where nobody says, in seconds."""
BEFORE = 30 * 86_400.0
"""Alerts that began so many seconds before the time reviewed are known."""
MOST = 300
"""SLO instances that one review has."""
MARK = ("report", "last")
_UNREADABLE = (msgspec.MsgspecError, RecursionError, TypeError, ValueError)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Notification).decode
_decode_moment = msgspec.msgpack.Decoder(float).decode
Excluded = Sequence[tuple[Exclusion, str]]
"""Exclusions, each with its reason."""


class Causes(Protocol):
    """Who knows what went on: deploys, incidents, changes."""

    def causes(self, slo: str, service: str, start: float, end: float) -> Iterable[Cause]:
        """What concerned an SLO between two moments."""
        ...


class Nothing:
    """Nobody knows of anything."""

    def causes(self, slo: str, service: str, start: float, end: float) -> Iterable[Cause]:
        """As `Causes`."""
        del slo, service, start, end
        return ()


class Reports:
    """Writes reviews of what the engine knows; `excluded` gives the exclusions."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: Clock,
        excluded: Callable[[], Excluded],
        causes: Causes,
    ) -> None:
        self._engine = engine
        self._store = store
        self._table = Documents(store, "report")
        self._clock = clock
        self._excluded = excluded
        self._causes = causes
        self._writing = asyncio.Lock()

    async def write(self, asked: Asked, form: str) -> Written:
        """A review in words; see `web.report_api`."""
        from exporter.report import html, markdown, plain

        made = await self.make(asked)
        if form == "html":
            return Written(html.to_html(made), made.end)
        text = plain.to_json(made) if form == "json" else markdown.to_markdown(made)
        return Written(text, made.end)

    async def make(self, asked: Asked, end: float | None = None) -> Review:
        """A review up to `end`, or now. `NotFound` with a service that there is not, `StateError`
        when the state cannot be read."""
        known = self.services()
        for name in asked.services:
            if name not in known:
                raise NotFound(name)
        # It takes a while for a fleet; one at a time, or polls would wait for all of them.
        async with self._writing:
            return await self._make(asked, end)

    async def _make(self, asked: Asked, end: float | None) -> Review:
        from exporter.report.data import Review

        now = self._clock.now()
        end = now if end is None else end
        start = min(await self._start(asked, end), end)
        notes: list[str] = []
        said = await self._said(start, max(now, end), notes)
        made: list[SLOReview] = []
        left_out = 0
        for account in list(self._engine.accounts.values()):
            if asked.services and account.slo.service not in asked.services:
                continue
            for instance in list(account.memory.instances.values()):
                if len(made) >= MOST:
                    left_out += 1
                    continue
                with self._engine.apart(account.slo.name, "review") as work:
                    made.append(self._review(account, instance, (start, end), said))
                if work.failed:
                    notes.append(f"{instance.title} cannot be reviewed: {work.why}")
                # Many take a while; meanwhile polls go on.
                await asyncio.sleep(0)
        if left_out:
            notes.append(f"{left_out} SLO instances are left out; name a service")
        made.sort(key=lambda one: (one.service, one.slo, tuple(one.group.values())))
        return Review(start, end, now, tuple(made), notes=tuple(notes))

    async def mark(self, end: float) -> None:
        """The last report is up to here."""
        await self._table.write(Change(put={MARK: _encode(end)}))

    async def marked(self, key: tuple[str, str] = MARK) -> float | None:
        """What was marked there; None while nothing was."""
        body = (await self._table.load()).get(key)
        try:
            return None if body is None else _decode_moment(body)
        except _UNREADABLE:
            return None

    async def keep(self, moments: dict[tuple[str, str], float]) -> None:
        """Mark several at once."""
        await self._table.write(Change(put={key: _encode(at) for key, at in moments.items()}))

    def services(self) -> list[str]:
        """All there are."""
        return sorted({account.slo.service for account in self._engine.accounts.values()})

    def now(self) -> float:
        """The time."""
        return self._clock.now()

    # --- inside ---------------------------------------------------------------------------------

    async def _start(self, asked: Asked, end: float) -> float:
        if asked.period is not None:
            return end - asked.period
        if isinstance(asked.since, float):
            return asked.since
        last = await self.marked() if asked.since == LAST else None
        return end - PERIOD if last is None or last >= end else last

    async def _said(self, start: float, end: float, notes: list[str]) -> list[Span]:
        from exporter.report.history import spans

        out: list[Notification] = []
        try:
            bodies = await self._store.said(start - BEFORE, end + 1)
        except StateError as error:
            notes.append(f"what was said to receivers cannot be read: {error}")
            return []
        for body in bodies:
            try:
                out.append(_decode(body))
            except _UNREADABLE as error:
                log.error("report.notification_unreadable", error=str(error))
        return spans(out)

    def _review(
        self, account: Account, instance: Instance, span: tuple[float, float], said: Sequence[Span]
    ) -> SLOReview:
        from exporter.report.review import review

        slo, (start, end) = account.slo, span
        labels = {**instance.labels, "slo": slo.name, "service": slo.service}
        causes = [
            Cause(EXCLUSION, reason, begin, until)
            for exclusion, reason in self._excluded()
            if exclusion.covers(labels)
            for begin, until in exclusion.spans
            if begin < end and until > start
        ]
        causes += self._causes.causes(slo.name, slo.service, start, end)
        status = instance.status(instance.as_of(self._clock.now()))
        return review(instance, status, span, causes, said, account.memory.watched)
