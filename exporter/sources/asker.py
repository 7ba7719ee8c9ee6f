"""One question: all that a lane wants up to a moment, and the facts that it takes to count it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import NamedTuple

import structlog

from exporter.clock import Clock
from exporter.config.settings import PrometheusSource as Settings
from exporter.core.sample import Batch, Reading, Target
from exporter.core.selector import Query, Selector, Want
from exporter.errors import SourceError
from exporter.redaction import redact
from exporter.sources.base import Poll
from exporter.sources.facts import Facts
from exporter.sources.lane import Due, Lane
from exporter.sources.lateness import OVERLAP, Lateness
from exporter.sources.narrowing import Selection, halves, selection, text
from exporter.sources.processes import Processes
from exporter.sources.promapi import Row, Rows
from exporter.sources.promclient import PromClient
from exporter.sources.refusals import TooMuch

log = structlog.get_logger()


_SHORT = 900.0
"""Seconds of a range that is not made shorter any more where it is too much, but asked for in
parts of its series: a month in chunks of seconds would never be there."""


class _Answer(NamedTuple):
    """What a want brought: its rows since `start`; `width` of a query's windows, in seconds."""

    rows: Sequence[Row]
    start: float
    width: float | None = None


class Asker:
    """Asks one server for lanes of one source."""

    def __init__(self, settings: Settings, server: PromClient, clock: Clock) -> None:
        self._name = settings.name
        self._shown = redact(settings.url)
        self._interval = float(settings.interval)
        self._server = server
        self._clock = clock
        self._facts = Facts()
        self._factless = False
        self._processes = Processes(settings.target_labels)
        self._lateness = Lateness()
        self._walkers = asyncio.Semaphore(max(1, settings.concurrency // 2))

    async def ask(self, lane: Lane, end: float, *, live: bool, last: bool) -> Poll:
        """All a lane wants up to `end`, for those of its SLOs that get it; `TooMuch` when the
        server would not.

        Args:
            lane: what is wanted and since when; its cursors move.
            end: the poll's time, in unix seconds.
            live: it is polled again and again, so it reaches back for what was late.
            last: no further chunk follows at once.
        """
        begun = self._clock.monotonic()
        answers: dict[Want, _Answer] = {}
        errors: dict[Want, SourceError] = {}
        for want, answer in (await self._answers(lane, end, live)).items():
            if isinstance(answer, SourceError):
                errors[want] = answer
            else:
                answers[want] = answer
        targets: dict[str, Target] = {}
        if (too_much := _too_much(errors)) is None:
            try:
                targets = await self._targets(answers, end, live)
            except TooMuch as error:
                too_much = error
            except SourceError as error:
                # What the counters mean is not known without: the next poll bridges it.
                errors |= {want: error for want in answers if isinstance(want, Selector)}
        if too_much is not None:
            raise too_much
        return self._deliver(lane, end, begun, answers, errors, targets, live=live, last=last)

    def _deliver(
        self,
        lane: Lane,
        end: float,
        begun: float,
        answers: Mapping[Want, _Answer],
        errors: dict[Want, SourceError],
        targets: dict[str, Target],
        *,
        live: bool,
        last: bool,
    ) -> Poll:
        readings: dict[Want, list[Reading]] = {}
        for want, answer in answers.items():
            if want not in errors:
                try:
                    found = self._server.readings(answer.rows, self._processes.target_of)
                    readings[want] = found
                except SourceError as unreadable:
                    errors[want] = unreadable
        slos = lane.answered(errors)
        faults: dict[str, str] = {}
        for want, error in errors.items():
            if error.reason == "bad_query":
                faults |= dict.fromkeys(lane.wanting(want), f"{want}: {error}")
        others = (error for error in errors.values() if error.reason != "bad_query")
        poll = self.failed(begun, next(others, None))
        poll.faults = faults
        if not slos and errors:
            return poll
        batch = poll.batch = Batch(
            self._name,
            end,
            own_clock=False,
            readings=readings,
            targets=targets,
            failed=frozenset(errors),
            complete=last,
            slos=frozenset(slos),
        )
        for want in readings:
            answer = answers[want]
            batch.asked[want] = answer.start
            if answer.width is not None:
                batch.widths[want] = answer.width
            elif live:
                self._lateness.note(want, answer.rows, end)
        lane.moved(slos, end)
        samples = sum(len(r.samples) for some in readings.values() for r in some)
        # A start time comes with each look.
        lane.got(samples + sum(2 * len(target.looks) for target in targets.values()))
        return poll

    def failed(self, begun: float, error: SourceError | None) -> Poll:
        """A poll that brought nothing but an error, if that; `begun` on the monotonic clock."""
        if error is not None:
            error = type(error)(error.reason, f"{self._shown}: {error}")
        return Poll(self._name, self._shown, self._clock.monotonic() - begun, error=error)

    async def _answers(
        self, lane: Lane, end: float, live: bool
    ) -> dict[Want, _Answer | SourceError]:
        """What each want brings, as far back as it takes."""
        wants, late = lane.wants(), self._lateness.reach(end) if live else 0.0
        asked: dict[Want, Awaitable[_Answer]] = {}
        starts: dict[Want, float] = {}
        for want, due in wants.items():
            if isinstance(want, Query):
                asked[want] = self._steps(lane, want, due, end, late, live)
            elif live:
                starts[want] = self._lateness.start(want, due.cursor, end, late, fresh=due.fresh)
            else:
                starts[want] = due.cursor - OVERLAP
        if live:
            # A part without the others, such as errors without their total, cannot be counted.
            starts |= self._bounded(lane.together(starts))
        answers = await _all(asked | self._samples(starts, end, live))
        return answers | await self._further(lane, answers, end) if live else answers

    async def _further(
        self, lane: Lane, answers: Mapping[Want, _Answer | SourceError], end: float
    ) -> dict[Want, _Answer | SourceError]:
        """What comes of further back where a gap ended, or where nothing came."""
        come = {w: a for w, a in answers.items() if isinstance(a, _Answer) and a.width is None}
        starts: dict[Want, float] = {}
        for want, answer in come.items():
            start = self._lateness.further(want, answer.rows, answer.start, end)
            if start is not None:
                starts[want] = start
        more = await _all(self._samples(starts, end, live=True))
        more = {w: a for w, a in more.items() if isinstance(a, SourceError) or a.rows}
        rest = {
            want: start
            for want, start in self._bounded(lane.together({w: starts[w] for w in more})).items()
            if want in come and want not in more and start < come[want].start
        }
        return more | await _all(self._samples(rest, end, live=True))

    def _bounded(self, starts: Mapping[Want, float]) -> dict[Want, float]:
        return {want: self._lateness.bounded(want, start) for want, start in starts.items()}

    async def _steps(
        self, lane: Lane, want: Query, due: Due, end: float, late: float, live: bool
    ) -> _Answer:
        async with self._pace(live):
            width = await self._server.width(want, end)
            newest = self._server.last_step(end, width)
            first = lane.first_step(want, due, late, newest, width)
            return _Answer(await self._server.steps(want, first, newest, width), first, width)

    def _samples(
        self, starts: Mapping[Want, float], end: float, live: bool
    ) -> dict[Want, Awaitable[_Answer]]:
        async def answer(selector: Selector, start: float) -> _Answer:
            async with self._pace(live):
                rows = await self._raw(selection(selector), start, end, str(selector))
                return _Answer(rows, start)

        return {w: answer(w, start) for w, start in starts.items() if isinstance(w, Selector)}

    async def _targets(
        self, answers: Mapping[Want, _Answer], end: float, live: bool
    ) -> dict[str, Target]:
        """What is to be known of the processes that these samples are of, over the same time."""
        counters = {w: answer for w, answer in answers.items() if isinstance(w, Selector)}
        if not counters:
            return {}
        start = min(answer.start for answer in counters.values()) - self._interval

        async def samples(matchers: Selection) -> list[Row]:
            async with self._pace(live):
                return await self._raw(matchers, start, end)

        async def count(matchers: Selection) -> list[Row]:
            async with self._pace(live):
                return await self._server.count(text(matchers), end)

        try:
            facts = await self._facts.ask(
                (row for answer in counters.values() for row in answer.rows),
                self._clock.monotonic(),
                samples,
                count,
                all_jobs=live,
            )
        except SourceError as error:
            if error.reason != "bad_query":
                raise
            # A server that refuses to be asked for two metrics at once will always do so.
            if not self._factless:
                self._factless = True
                log.warning("source.facts_refused", source=self._name, error=str(error))
            return {}
        names = {want.name for want in counters}
        try:
            return self._processes.learn(facts, self._clock.now(), names)
        except ValueError as error:
            raise SourceError("malformed", f"answered with unreadable samples: {error}") from None

    async def _raw(self, matchers: Selection, start: float, end: float, selector: str = "") -> Rows:
        """All raw samples of a range; of what is too much in a short one, in halves."""
        selector = selector or text(matchers)
        try:
            return await self._server.raw(selector, start, end)
        except TooMuch as too_much:
            if end - start > _SHORT:
                raise
            try:
                series = await self._server.series(selector, start, end)
            except SourceError:
                raise too_much from None
            parts = halves(matchers, series)
            if not parts:
                raise
        return Rows.joined([await self._raw(part, start, end) for part in parts])

    def _pace(self, live: bool) -> AbstractAsyncContextManager[object]:
        """Lanes share half of the connections; the live one waits for none of them."""
        return nullcontext() if live else self._walkers


async def _all(asked: Mapping[Want, Awaitable[_Answer]]) -> dict[Want, _Answer | SourceError]:
    """All answers, asked for at once; an error in the place of one that failed."""
    found = await asyncio.gather(*asked.values(), return_exceptions=True)
    for answer in found:
        if isinstance(answer, BaseException) and not isinstance(answer, SourceError):
            raise answer
    return dict(zip(asked, found, strict=True))  # type: ignore[arg-type]  # of no other kind


def _too_much(errors: Mapping[Want, SourceError]) -> TooMuch | None:
    return next((e for e in errors.values() if isinstance(e, TooMuch)), None)
