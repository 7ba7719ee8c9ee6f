"""`/api/slo/v1/alerts`: what fires or did so lately, and who was told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

import msgspec
from aiohttp import web

from exporter.config.moments import rfc3339
from exporter.core.alert import Alert
from exporter.core.apart import Apart
from exporter.core.notification import Reason
from exporter.core.outbox import Outbox
from exporter.web.api import ROOT, Part, Refusal, answer
from exporter.web.schemas import MOMENT, SCHEMA_REF, answers, list_of, object_, query

PATH = f"{ROOT}/alerts"
LATELY = 3600.0
"""How long ago, in seconds, what has ended may have ended."""
_STATES = ("firing", "resolved")


class Alerts(Protocol):
    """Whoever knows them."""

    def now(self) -> float:
        """The time, in unix seconds."""
        ...

    def alerts(self) -> Iterable[Alert]:
        """Every alert there is, also those that do not fire."""
        ...

    def apart(self, slo: str, work: str) -> Apart:
        """Context of what is computed for one SLO; its failure ends there."""
        ...

    def outbox(self) -> Outbox:
        """What waits to be delivered, and for whom."""
        ...


class ToldSaid(msgspec.Struct, frozen=True):
    """A receiver of an alert. `waiting`: the newest word on the alert was not taken yet, after so
    many `attempts`; the next is at `next_attempt`. Once it waits no more, the receiver has taken
    it, or refused it for good (which `slod_notifications_total` counts)."""

    receiver: str
    waiting: bool
    attempts: int
    next_attempt: str | None


class AlertSaid(msgspec.Struct, frozen=True):
    """One alert. `said`: the receivers were told; a ticket is kept back while a faster page of the
    same SLO fires. `ended`: null while it fires."""

    labels: dict[str, str]
    annotations: dict[str, str]
    state: Literal["firing", "resolved"]
    since: str
    ended: str | None
    said: bool
    receivers: list[ToldSaid]


def part(alerts: Alerts) -> Part:
    """The endpoint and its description."""

    async def listed(request: web.Request) -> web.Response:
        state = request.query.get("state")
        if state is not None and state not in _STATES:
            raise Refusal(400, f"state: must be {' or '.join(_STATES)}, not {state!r}")
        found = [one for one in said(alerts) if state in (None, one.state)]
        return answer(
            {"now": rfc3339(alerts.now()), "alerts": found}, headers={"Cache-Control": "no-store"}
        )

    _, schemas = msgspec.json.schema_components([AlertSaid], ref_template=SCHEMA_REF + "{name}")
    return Part((web.get(PATH, listed),), _PATHS, schemas)


def said(alerts: Alerts) -> list[AlertSaid]:
    """All of them: those that fire first, and of these the newest."""
    now, told = alerts.now(), _Told(alerts.outbox())
    found = [a for a in alerts.alerts() if a.firing or _is_late(a, now)]
    found.sort(key=lambda a: (not a.firing, -(a.since if a.firing else a.ended or 0.0)))
    out: list[AlertSaid] = []
    for alert in found:
        with alerts.apart(alert.labels.get("slo", ""), "alerts_api"):
            out.append(_said(alert, told))
    return out


def _said(alert: Alert, told: _Told) -> AlertSaid:
    return AlertSaid(
        labels=dict(alert.labels),
        annotations=dict(alert.annotations),
        state="firing" if alert.firing else "resolved",
        since=rfc3339(alert.since),
        ended=None if alert.firing or alert.ended is None else rfc3339(alert.ended),
        said=alert.said or not alert.firing,
        receivers=told.of(alert),
    )


def _is_late(alert: Alert, now: float) -> bool:
    return alert.ended is not None and now - alert.ended <= LATELY


class _Told:
    """Who was told what, by what waits still."""

    def __init__(self, outbox: Outbox) -> None:
        self._routes = list(outbox.routes.values())
        self._waiting = {(e.endpoint, e.notification.fingerprint): e for e in outbox.entries()}

    def of(self, alert: Alert) -> list[ToldSaid]:
        """One for each receiver; several endpoints of one are one."""
        if alert.firing and not alert.said:
            return []
        notification = alert.notification(Reason.FIRING)
        found: dict[str, ToldSaid] = {}
        for route in self._routes:
            if not route.takes(notification):
                continue
            entry = self._waiting.get((route.endpoint, notification.fingerprint))
            if entry is not None:
                due = rfc3339(entry.due)
                found[route.receiver] = ToldSaid(route.receiver, True, entry.attempts, due)
            else:
                found.setdefault(route.receiver, ToldSaid(route.receiver, False, 0, None))
        return list(found.values())


_PATHS = {
    PATH: {
        "get": {
            "operationId": "listAlerts",
            "summary": "What fires or did so lately, and who was told",
            "parameters": [
                query("state", "Only these.", schema={"type": "string", "enum": list(_STATES)})
            ],
            "responses": {
                "200": answers(
                    "The alerts, firing ones first, newest first.",
                    object_(("now", "alerts"), now=MOMENT, alerts=list_of(AlertSaid.__name__)),
                )
            },
        }
    }
}
