"""What is written down and said of an event, and of what it is blamed for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from exporter.core.amounts import is_time
from exporter.core.notices import Notice
from exporter.core.slo import SLO
from exporter.core.timeline import Blame, Event

ALERT = "DeploymentBurn"
_TINY = 1e-12
packed = msgspec.json.Encoder(order="sorted").encode
"""An event as it is kept."""


def record(action: str, event: Event, by: str, at: float, why: str) -> bytes:
    """One line of the audit record."""
    return packed({"action": action, "by": by, "at": at, "why": why, "event": event})


def key(event: Event, one: Blame) -> str:
    """What makes the notice of a blame the same one."""
    return f"event/{event.id}/{one.title}"


def blamed(one: Blame) -> str:
    """A blame in a line."""
    return (
        f"{one.title} burns {one.after:.3g}x since then and {one.before:.3g}x before "
        f"(p {_chance(one.p)}); {one.spent:.1%} of the budget is spent on it"
    )


def _chance(p: float) -> str:
    return f"= {p:.1g}" if p >= _TINY else f"< {_TINY:g}"


def notice(slo: SLO, group: Mapping[str, str], event: Event, one: Blame, end: float) -> Notice:
    """What receivers hear of a blame; it holds until the event's effect is over."""
    labels = {
        **slo.labels,
        **group,
        "alertname": ALERT,
        "slo": one.slo,
        "service": slo.service,
        "severity": one.severity,
        "event_id": event.id,
    }
    said = {
        "summary": f"{one.title}: errors rose with {event.kind} {event.name}",
        "description": blamed(one),
        "budget_spent": f"{one.spent:.4f}",
        "owner": event.by,
        "link": event.link,
    }
    annotations = {name: text for name, text in said.items() if text}
    return Notice(key(event, one), labels, annotations, one.at, end)


def require_times(event: Event) -> None:
    """`ValueError` for one whose times are none: they are in every number made of it."""
    blamed = (one.at for one in event.blamed)
    times = (event.start, event.end, event.at, *blamed)
    if not all(is_time(when) for when in times if when is not None):
        raise ValueError("a time of the event is none")
