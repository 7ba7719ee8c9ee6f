"""Asks a Prometheus again for the raw samples of a window, and counts them as others would.

Bounded in every way: one question at a time, chunk by chunk, so many samples and so many seconds at
most, counted beside the event loop.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import inf

from exporter.clock import Clock
from exporter.config.duration import approximate, format_duration
from exporter.config.settings import PrometheusSource as Settings
from exporter.core.account import Account
from exporter.core.differences import differences
from exporter.core.events import Group, terms
from exporter.core.explained import PeerSaid, PeersSaid
from exporter.core.ledger import Counts
from exporter.core.peers import RATE_OVER, Heard, Peers, bad_and_total
from exporter.core.query_sli import QuerySLI
from exporter.core.sample import Ask, Batch, Reading, Value
from exporter.core.selector import Want
from exporter.core.slo import CompositeSLI, GaugeSLI
from exporter.errors import SourceError
from exporter.http import Client
from exporter.sources.base import Poll
from exporter.sources.prometheus import PrometheusSource

MOST_SAMPLES = 5_000_000
MOST_SECONDS = 60.0


class Comparison:
    """One window of one SLO, for all its groups."""

    def __init__(self, account: Account, seconds: float, end: float) -> None:
        self.seconds = seconds
        self.start, self.end = end - seconds, end
        self.samples = 0
        self._slo = account.slo
        self._ledgers = {group: i.ledger for group, i in account.memory.instances.items()}
        self._recount = Account(account.slo)
        self._recount.memory.bucket_known = account.memory.bucket_known
        # A native histogram is no series of numbers.
        self._terms = [t for t in terms(account.slo.sli) if t.role != "native"]
        self._roles = [t.role for t in self._terms]
        self._began = False
        self._peers = Peers(self.start, end, self._group)
        self._said: dict[Group, Heard] = {}

    def _group(self, reading: Reading) -> Group:
        return self._slo.group_of(reading.series.labels)

    async def ask(self, settings: Settings, clock: Clock) -> None:
        """Fetch and count; `SourceError` when that is not to be had."""
        client = Client(settings)
        source = PrometheusSource(settings, client, clock)
        # Five minutes more: what was there before the window is no birth in it.
        since = self.start - RATE_OVER
        asks = [Ask(self._slo.name, self._slo.sli.wants(), since)]
        try:
            async with asyncio.timeout(MOST_SECONDS):
                await source.history(asks, self.end, self._sink)
        except TimeoutError:
            raise SourceError("timeout", f"took over {MOST_SECONDS:g}s") from None
        finally:
            await client.close()
        self._said = self._peers.said()

    async def _sink(self, poll: Poll) -> None:
        if poll.failure is not None:
            raise poll.failure
        assert poll.batch is not None  # it would have been an error
        self.samples += sum(len(r.samples) for some in poll.batch.readings.values() for r in some)
        if self.samples > MOST_SAMPLES:
            raise SourceError("too_much", f"has over {MOST_SAMPLES:,} samples for it")
        await asyncio.to_thread(self._count, poll.batch)

    def _count(self, batch: Batch) -> None:
        for term in self._terms:
            self._peers.feed(term.role, batch.readings.get(term.want, ()))
        self._peers.advance(batch.at)
        if not self._began:
            # The first poll only finds out where the counters stand.
            self._began = True
            before, batch = _split(batch, self.start)
            self._recount.take(before)
        self._recount.take(batch)

    def said(self, group: Group) -> PeersSaid:
        """What the comparison says of one group."""
        instance = self._recount.memory.instances.get(group)
        exact = instance.ledger.counts(self.start, self.end) if instance else Counts(0.0, 0.0)
        heard = self._said.get(group) or Heard({}, {}, {})
        rows = [_row("slod", exact.bad, exact.total, self._slo.objective)]
        found = bad_and_total(heard.increase)
        if found is not None:
            rows.append(_row("increase", *found, self._slo.objective))
        if (ratio := heard.averaged) is not None:
            rows.append(PeerSaid("sloth", ratio, burn_rate=ratio / (1 - self._slo.objective)))
        why = differences(exact, heard, self._roles, self._peers.every, approximate)
        kept = self._ledgers[group].unadjusted(self.start, self.end)
        if abs(kept.total - exact.total) > max(1.0, exact.total / 1000):
            ours = (
                f"slod's own ledger has {kept.bad:,.1f} bad of {kept.total:,.1f} events here: it "
                "did not count all of this window, or the server has other samples now."
            )
            why = (ours, *why)
        return PeersSaid(
            format_duration(self.seconds),
            self.start,
            self.end,
            self.samples,
            tuple(rows),
            why,
        )


async def compare(
    account: Account, settings: object, seconds: float, now: float, clock: Clock
) -> Comparison | str:
    """The comparison, or in words why there is none."""
    if isinstance(account.slo.sli, GaugeSLI):
        return "a gauge has no increases to compare"
    if isinstance(account.slo.sli, QuerySLI):
        return "a query is computed by the server; there are no raw samples to compare"
    if isinstance(account.slo.sli, CompositeSLI):
        return "its events are those of other SLOs; ask for those"
    if not isinstance(settings, Settings):
        return f"source {account.slo.source} is scraped: its raw samples are not kept"
    comparison = Comparison(account, seconds, account.as_of(now))
    try:
        await comparison.ask(settings, clock)
    except SourceError as error:
        return f"source {settings.name} {error}; a shorter window asks for less"
    return comparison


def _row(by: str, bad: float, total: float, objective: float) -> PeerSaid:
    ratio = bad / total if total > 0 else None
    return PeerSaid(by, ratio, bad, total, None if ratio is None else ratio / (1 - objective))


def _split(batch: Batch, at: float) -> tuple[Batch, Batch]:
    """The same samples as two batches: up to a moment, and after it."""

    def part(low: float, high: float) -> dict[Want, list[Reading]]:
        out: dict[Want, list[Reading]] = {}
        for want, readings in batch.readings.items():
            some = out.setdefault(want, [])
            for reading in readings:
                samples: list[tuple[float, Value]] = [
                    s for s in reading.samples if low < s[0] <= high
                ]
                if samples:
                    some.append(reading._replace(samples=samples))
        return out

    before = replace(batch, at=at, readings=part(-inf, at), targets={}, complete=False)
    return before, replace(batch, readings=part(at, inf))
