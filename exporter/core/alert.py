"""Alert states: a table, with a column for not knowing.

Theory of operation
-------------------
| state | above | below | unknown |
| --- | --- | --- | --- |
| INACTIVE | FIRING, say so | INACTIVE | INACTIVE |
| FIRING | FIRING | INACTIVE, say so | FIRING |

Silence is not health: without data a firing alert goes on firing, and none begins. A rule may ask
that it is below for a while before it ends (`keep_firing_for`); until then it fires.

What is *said* is a second question. While a faster page of the same instance fires, a ticket that
begins is not said; it is said once the page is over and the ticket still fires, unless the errors
have ended with the page. A resolution is said only for what was said before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Any

from exporter.core.burn import Condition
from exporter.core.notification import Notification, Reason

PAGE = "page"
WORDS_LAST = 30.0
"""How long annotations are good for, in seconds: they are text, and dearer than the alert."""
RESOLVED_FOR = 300.0
"""How long those who want to hear again are told of a resolved alert, in seconds."""


class State(Enum):
    """Whether an alert holds."""

    INACTIVE = "inactive"
    FIRING = "firing"


TABLE: Mapping[tuple[State, Condition], State] = {
    (State.INACTIVE, Condition.ABOVE): State.FIRING,
    (State.INACTIVE, Condition.BELOW): State.INACTIVE,
    (State.INACTIVE, Condition.UNKNOWN): State.INACTIVE,
    (State.FIRING, Condition.ABOVE): State.FIRING,
    (State.FIRING, Condition.BELOW): State.INACTIVE,
    (State.FIRING, Condition.UNKNOWN): State.FIRING,
}


@dataclass(slots=True)
class Alert:
    """One alert of one instance; `labels` identify it.

    `since`: when it began to fire. `said`: its firing was handed to the receivers. `ended`: when it
    last ceased, so that level-triggered receivers hear of it for a while.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    speed: float = 0.0
    """The long window in seconds: a page suppresses slower tickets."""
    state: State = State.INACTIVE
    since: float = 0.0
    said: bool = False
    ended: float | None = None
    below: float | None = None
    """Since when a firing alert's condition is below; None while it is not."""
    worded: float = -inf
    """When the annotations were written; not kept."""
    silent: float | None = None
    """Since when there is no data on which it could end; not kept."""
    receivers: tuple[str, ...] = ()
    """Whom it is said to; to all, where there are none."""
    held: bool = False
    """It fires, and was not said beside a faster page; not kept."""
    calm: bool = False
    """While it is held: the errors have ended, as far as the fastest window shows; not kept."""

    @property
    def firing(self) -> bool:
        """Whether it holds now."""
        return self.state is State.FIRING

    @property
    def fingerprint(self) -> str:
        """The same for the same labels, always."""
        return fingerprint(self.labels)

    def needs_words(self, now: float) -> bool:
        """Whether the annotations of a firing alert are missing or out of date."""
        return self.firing and abs(now - self.worded) >= WORDS_LAST

    def is_past(self, now: float) -> bool:
        """Whether nobody is to hear of it any more."""
        if self.firing or self.said:
            return False
        return self.ended is None or abs(now - self.ended) > RESOLVED_FOR

    def step(self, condition: Condition, now: float, keep: float = 0.0) -> bool:
        """Go where the table says; True when the state changed. `keep`: for how many seconds it
        must have been below to end."""
        if condition is Condition.ABOVE or not self.firing:
            self.below = None
        elif condition is Condition.BELOW and self.below is None:
            self.below = now
        new = TABLE[self.state, condition]
        if new is self.state or (self.below is not None and now - self.below < keep):
            return False
        self.state = new
        if new is State.FIRING:
            self.since, self.said, self.ended = now, False, None
        else:
            self.ended = now if self.said else None
        return True

    def shift(self, seconds: float) -> None:
        """Move it in time, after the clock that dated it was set."""
        self.since += seconds
        self.silent = self.silent + seconds if self.silent is not None else None
        self.ended = self.ended + seconds if self.ended is not None else None
        self.below = self.below + seconds if self.below is not None else None

    def values(self) -> tuple[Any, ...]:
        """What is kept of it, as plain values in the order of its fields."""
        return (
            dict(self.labels),
            dict(self.annotations),
            self.speed,
            self.state.value,
            self.since,
            self.said,
            self.ended,
            self.below,
        )

    def notification(self, reason: Reason) -> Notification:
        """What to tell a receiver about it now."""
        over = None if self.firing else self.ended
        print_ = self.fingerprint
        moment = f"{self.since:.3f}" if over is None else f"{self.since:.3f}-{over:.3f}"
        return Notification(
            key=f"{print_}-{moment}",
            fingerprint=print_,
            reason=reason,
            labels=self.labels,
            annotations=self.annotations,
            starts_at=self.since,
            ends_at=over,
            receivers=self.receivers,
        )


def to_say(alerts: Iterable[Alert]) -> list[Notification]:
    """What is to be said about one instance's alerts now; each thing once."""
    alerts = list(alerts)
    pages = [a.speed for a in alerts if a.firing and a.labels.get("severity") == PAGE]
    fastest = min(pages, default=inf)
    out: list[Notification] = []
    for alert in alerts:
        if alert.firing and not alert.said:
            page = alert.labels.get("severity") == PAGE
            if page or (alert.speed <= fastest and not alert.calm):
                alert.said = True
                out.append(alert.notification(Reason.FIRING))
            alert.held = not alert.said
        elif not alert.firing and alert.said:
            alert.said = False
            out.append(alert.notification(Reason.RESOLVED))
    return out


def fingerprint(labels: Mapping[str, str]) -> str:
    """64 bits over the sorted labels, in hex, as Prometheus' `LabelSet.Fingerprint` (FNV-1a)."""
    value = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in (*name.encode(), 0xFF, *labels[name].encode(), 0xFF):
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"
