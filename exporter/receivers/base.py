"""The one shape of a receiver: takes notifications, or says why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from exporter.core.notification import Notification


class Receiver(Protocol):
    """Adding one is a file in this folder, its settings, and a case in app/receivers.py.

    `name` is the configured name; `endpoint` is unique and stable across restarts (a receiver with
    two Alertmanagers is two of these), so that each has a queue of its own in the outbox.
    `resend` is the seconds after which a firing alert is to be said again, None for never; such a
    receiver is level-triggered and hears of resolved alerts for five minutes.
    """

    name: str
    endpoint: str
    severities: Sequence[str]
    resend: float | None

    async def send(self, notifications: Sequence[Notification], now: float) -> None:
        """Deliver all of them or raise `DeliveryError`."""
        ...

    async def close(self) -> None:
        """Give back the connections."""
        ...
