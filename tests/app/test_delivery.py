"""What a receiver's own fault costs: that message's attempt, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from exporter.app.delivery import Delivery, routes
from exporter.core.notification import Notification, Reason
from exporter.core.outbox import Outbox
from exporter.receivers.payload import rfc3339
from exporter.web.self_metrics import SelfMetrics
from tests.support import ManualClock

SOME = 'slod_notifications_total{receiver="hook",outcome='


class Faulty:
    """A receiver that cannot write some alerts down."""

    def __init__(self, resend: float | None, *bad: str) -> None:
        self.name = self.endpoint = "hook"
        self.severities: Sequence[str] = ()
        self.resend = resend
        self.bad = set(bad)
        self.taken: list[str] = []

    async def send(self, notifications: Sequence[Notification], now: float) -> None:
        slos = [n.labels["slo"] for n in notifications]
        for slo in slos:
            if slo in self.bad:
                raise ValueError(f"year of {slo} is out of range")
        self.taken += slos

    async def close(self) -> None:
        pass


def note(slo: str, key: str = "1") -> Notification:
    labels = {"slo": slo, "severity": "page"}
    return Notification(f"{slo}-{key}", slo, Reason.FIRING, labels, {}, 1.0, None)


@pytest.mark.parametrize("resend", [None, 60.0])
async def test_an_exception_of_a_receiver_is_that_messages_failure(resend: float | None) -> None:
    receiver, clock, metrics = Faulty(resend, "b"), ManualClock(), SelfMetrics("1")
    outbox = Outbox(routes([receiver]))
    delivery = Delivery(receiver, outbox, clock, metrics, lambda: None)
    for slo in "abc":
        outbox.put(note(slo), clock.now())
    with capture_logs() as logs:
        running = asyncio.create_task(delivery.run())
        await clock.until_sleeping()
        assert receiver.taken == ["a", "c"] and outbox.waiting("hook") == 1
        # Tried again, as often as it takes.
        for _ in range(3):
            await clock.advance(60.0)
            await clock.until_sleeping()
        receiver.bad.clear()
        await clock.advance(60.0)
        while outbox.waiting("hook"):
            await asyncio.sleep(0)
        running.cancel()
    assert receiver.taken == ["a", "c", "b"]
    # Once, though all at once and the one that is to blame failed again and again.
    (fault,) = [line for line in logs if line["event"] == "part.failed"]
    assert "in send" in fault["exception"]
    retries = [line for line in logs if line["event"] == "notification.retry_scheduled"]
    assert len(retries) >= 2 and {line["reason"] for line in retries} == {"internal"}
    assert retries[0]["error"] == "ValueError: year of b is out of range"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (1_700_000_000.25, "2023-11-14T22:13:20.250Z"),
        (1.7e12, "9999-12-31T23:59:59.000Z"),
        (float("inf"), "9999-12-31T23:59:59.000Z"),
        (-1e300, "0001-01-01T00:00:00.000Z"),
        (float("nan"), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_no_time_is_too_absurd_to_be_written_down(moment: float, text: str) -> None:
    assert rfc3339(moment) == text
