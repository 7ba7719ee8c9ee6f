"""What is said once about something that is no alert of an SLO, and taken back at its end: an
override of the gate, a deploy that burns, a review.

A notice is an alert whose condition is a span of time. It is kept with the outbox, so that a
restart neither forgets it nor says it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from exporter.core.alert import Alert, State, to_say
from exporter.core.burn import Condition
from exporter.core.notification import Notification

REMEMBERED = 7 * 86_400.0
"""How long after its end a key is known, in seconds: to put it again says nothing."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Holds from `since` to `until`, in unix seconds; `key` makes it the same one. `receivers`: the
    names of those it is for; all, where there are none."""

    key: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    since: float
    until: float
    receivers: tuple[str, ...] = ()


class Notices:
    """All there are. `changed`: they are to be saved."""

    def __init__(self) -> None:
        self.changed = False
        self._kept: dict[str, tuple[Notice, Alert]] = {}

    def put(self, notice: Notice) -> None:
        """Say it at the next tick; nothing happens where the key is known."""
        if notice.key not in self._kept:
            alert = Alert(notice.labels, notice.annotations, receivers=notice.receivers)
            self._kept[notice.key] = (notice, alert)
            self.changed = True

    def reword(self, key: str, annotations: Mapping[str, str]) -> None:
        """Say these words from now on, when it is said again or is over."""
        if key in self._kept and self._kept[key][0].annotations != annotations:
            notice, alert = self._kept[key]
            self._kept[key] = (replace(notice, annotations=annotations), alert)
            alert.annotations = annotations
            self.changed = True

    def end(self, key: str, now: float) -> None:
        """Take it back before its time; one that is over or unknown stays as it is."""
        if key in self._kept:
            notice, alert = self._kept[key]
            self._kept[key] = (replace(notice, until=min(notice.until, now)), alert)
            self.changed = True

    def tick(self, now: float) -> list[Notification]:
        """What is to be said now."""
        out: list[Notification] = []
        for key, (notice, alert) in list(self._kept.items()):
            begins = alert.since == 0.0
            # One that is over before it was said is said all the same, and taken back thereafter.
            holds = begins or now < notice.until
            if alert.step(Condition.ABOVE if holds else Condition.BELOW, now) and begins:
                alert.since = notice.since
            said = to_say([alert])
            if not holds and now > notice.until + REMEMBERED:
                del self._kept[key]
                self.changed = True
            self.changed = self.changed or bool(said)
            out += said
        return out

    def alerts(self) -> Iterable[Alert]:
        """As alerts, those that are over too."""
        return [alert for _, alert in self._kept.values()]

    def dump(self) -> list[tuple[Any, ...]]:
        """All of them, as plain values."""
        return [
            (
                *(n.key, n.labels, n.annotations, n.since, n.until),
                *(a.since, a.firing, a.said, a.ended, n.receivers),
            )
            for n, a in self._kept.values()
        ]

    def load(self, dumped: Iterable[Iterable[Any]]) -> None:
        """Take back what `dump` gave; `ValueError` or `TypeError` when it is not that."""
        kept: dict[str, tuple[Notice, Alert]] = {}
        for key, labels, words, start, until, since, firing, said, ended, to in dumped:
            state = State.FIRING if firing else State.INACTIVE
            only = tuple(to)
            alert = Alert(labels, words, 0.0, state, since, said, ended, receivers=only)
            kept[key] = (Notice(key, labels, words, start, until, only), alert)
        self._kept = kept
