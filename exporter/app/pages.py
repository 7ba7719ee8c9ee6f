"""Gathers what stands on the pages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from exporter.app.detail import Details
from exporter.app.heard import Heard, alerts_of
from exporter.app.host import Host
from exporter.charts import figures
from exporter.config.policies import DEFAULT, WORKBOOK
from exporter.core.engine import Engine
from exporter.core.history import History, burn_rates
from exporter.core.status import SLOStatus
from exporter.errors import look_up
from exporter.page import alerts as alerts_page
from exporter.page import configuration as configuration_page
from exporter.page import detail as detail_page
from exporter.page import groups as groups_page
from exporter.page import overview as overview_page
from exporter.page import sources as sources_page
from exporter.page.filters import Filters
from exporter.page.state import see
from exporter.series.recorded import labels_of
from exporter.web.exposition import Family

WEEK = 7 * 86_400.0
HOURS = 6.0
"""How far back a small picture of the burn rate goes."""
_POINTS = 36
_KEPT = 16
"""Overviews that are kept for others who want the same, some 100 KB each."""
_AT_ONCE = 10
"""Rows that are computed before others have their turn."""

Facts = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]
"""What slod says about itself: labels and values by name."""


class Pages:
    """See `page.routes.Shows`."""

    def __init__(self, engine: Engine, heard: Heard, host: Host, details: Details) -> None:
        self._engine = engine
        self._heard = heard
        self._host = host
        self._details = details
        self._drawn: tuple[int, dict[Filters, asyncio.Task[str]]] = (-1, {})
        """The overviews of the numbers of now: in an incident many people look at the same one."""

    async def overview(self, filters: Filters) -> str:
        """All objectives."""
        version, drawn = self._drawn
        if version != self._host.version:
            drawn = {}
            self._drawn = (self._host.version, drawn)
        if filters not in drawn:
            if len(drawn) >= _KEPT:
                drawn.clear()
            drawn[filters] = asyncio.create_task(self._overview(filters))
        # Whoever goes away must not take it from the others.
        return await asyncio.shield(drawn[filters])

    async def _overview(self, filters: Filters) -> str:
        snapshot = self._host.snapshot()
        seen = see(snapshot)
        present = {one.status.slo.name for one in seen}
        waiting = [a.slo for n, a in self._engine.accounts.items() if n not in present]
        found = filters.found(seen)
        filters = filters.within(len(found))
        burned: dict[int, overview_page.Burned] = {}
        for k, one in enumerate(filters.shown(found)):
            if k % _AT_ONCE == 0:
                await asyncio.sleep(0)
            with snapshot.apart(one.status.slo.name, "burned"):
                if (past := self._burned(one.status, snapshot.now)) is not None:
                    burned[id(one.status)] = past
        deaf = list(alerts_page.stuck(self._delivered({})))
        return overview_page.render(snapshot, seen, waiting, found, filters, burned, deaf)

    async def slo(self, name: str, query: Mapping[str, str]) -> tuple[str, bool]:
        """One of them."""
        snapshot = self._host.snapshot()
        account = look_up(name, self._engine.accounts)
        group = tuple(query[label] for label in account.slo.group_by if label in query)
        exists, unknown = group in account.memory.instances, None
        if exists:
            await self._heard.listen(snapshot.now)
            with self._engine.apart(name, "page", MemoryError) as work:
                detail = self._details.of(account, group, query.get(detail_page.SPAN), snapshot)
                if detail is not None:
                    return detail_page.render(detail), True
            if work.failed:
                unknown = f"it cannot be computed: {work.why}"
        seen = [one for one in see(snapshot) if one.status.slo.name == name]
        unknown, gone = unknown or snapshot.unknown.get(name), any(group) and not exists
        text = groups_page.render(account.slo, seen, unknown, gone=gone, failed=exists)
        return text, not gone

    async def alerts(self) -> str:
        """What fires and was said."""
        now = self._host.snapshot().now
        said = await self._heard.said(now - WEEK, now + 1)
        return alerts_page.render(
            [alert for alert in alerts_of(self._engine) if alert.firing],
            said[::-1],
            list(self._delivered(_facts(self._host.metrics.families()))),
            {entry.notification.key for entry in self._engine.outbox.entries()},
        )

    def sources(self) -> str:
        """Where numbers come from."""
        facts = _facts(self._host.metrics.families())
        return sources_page.render(
            [self._source(name, facts) for name in self._host.config.sources],
            self._host.snapshot().now,
        )

    def configuration(self) -> str:
        """What is in force."""
        config, facts = self._host.config, _facts(self._host.metrics.families())
        [(_, since)] = facts["slod_config_last_reload_success_timestamp_seconds"]
        [(_, ok)] = facts["slod_config_last_reload_successful"]
        said = f"In force since {figures.when(since)} UTC."
        if not ok:
            said += " The file was changed since, and cannot be used: slod check says why."
        built_in: dict[str, Any] = {
            "alert_policy": {"workbook": msgspec.to_builtins(WORKBOOK, enc_hook=_spelled)},
            "budget_policy": {"default": msgspec.to_builtins(DEFAULT, enc_hook=_spelled)},
        }
        return configuration_page.render(config.path, config.keys.document, built_in, said)

    # --- inside ---------------------------------------------------------------------------------

    def _burned(self, status: SLOStatus, now: float) -> overview_page.Burned | None:
        slo = status.slo
        account = self._engine.accounts.get(slo.name)
        if account is None:
            return None
        instance = account.memory.instances.get(tuple(status.labels[k] for k in slo.group_by))
        if instance is None:
            return None
        fastest = min((r.long for r in slo.rules), key=lambda w: w.seconds, default=None)
        label, seconds = (
            (fastest.label, fastest.seconds)
            if fastest is not None
            else (slo.period.label, slo.period.nominal)
        )
        past = History(instance)
        span = min(HOURS * 3600, slo.period.nominal, max(60.0, now - past.first))
        moments = [now - span * (1 - k / _POINTS) for k in range(_POINTS + 1)]
        rates = burn_rates(past.window(seconds, moments), slo.objective)
        return overview_page.Burned(label, span, rates)

    def _delivered(self, facts: Facts) -> Iterable[alerts_page.Delivered]:
        outbox = self._engine.outbox
        entries = outbox.entries()
        for name in dict.fromkeys(route.receiver for route in outbox.routes.values()):
            own = {r.endpoint for r in outbox.routes.values() if r.receiver == name}
            tries = [entry.attempts for entry in entries if entry.endpoint in own]
            yield alerts_page.Delivered(
                receiver=name,
                waiting=len(tries),
                attempts=max(tries, default=0),
                trouble=next((w for e, w in outbox.trouble.items() if e in own), None),
                outcomes=_by(facts, "slod_notifications_total", "receiver", name, "outcome"),
            )

    def _source(self, name: str, facts: Facts) -> sources_page.Source:
        settings = self._host.config.sources[name]
        own = [a for a in self._engine.accounts.values() if a.slo.source == name]
        up = _by(facts, "slod_source_up", "source", name, "target")
        newest = max((a.memory.newest for a in own), default=0.0)
        return sources_page.Source(
            name=name,
            kind=type(settings).__struct_config__.tag or "",  # type: ignore[arg-type]
            interval=settings.interval,
            slos=len(own),
            targets={target: bool(value) for target, value in up.items()},
            samples=sum(_by(facts, "slod_samples_total", "source", name, "source").values()),
            errors=_by(facts, "slod_poll_errors_total", "source", name, "reason"),
            refused=_by(facts, "slod_samples_refused_total", "source", name, "reason"),
            progress=_by(facts, "slod_backfill_progress_ratio", "source", name, "source").get(
                name, 1.0
            ),
            newest=newest or None,
        )


def _facts(families: Iterable[Family]) -> Facts:
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for family in families:
        if family.type in ("counter", "gauge"):
            for rest, value in zip(family.rests, family.values, strict=True):
                name, labels = labels_of(family.name + rest)
                found.setdefault(name, []).append((labels, value))
    return found


def _by(facts: Facts, name: str, of: str, wanted: str, by: str) -> dict[str, float]:
    """The values of a metric's series with one label's value, by another label."""
    return {labels[by]: value for labels, value in facts.get(name, ()) if labels[of] == wanted}


def _spelled(value: object) -> object:
    """A duration as the file would spell it."""
    return getattr(value, "label", None) or str(value)
