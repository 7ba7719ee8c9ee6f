"""Reviews that are sent by themselves: once for each moment, whatever happens to the daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from exporter.app.daemon import Daemon
from tests.app.test_daemon import PageServer, get, page, until
from tests.app.test_quarter import CONFIG, DAY, HOUR, Hook, Shop, hook

__all__ = ["hook", "page"]

T = 1_700_006_400.0  # Wednesday, 2023-11-15T00:00:00Z
REVIEW = """
[report]
schedule = "{schedule}"
timezone = "Europe/Berlin"
period = "{period}"
"""


def shop(folder: Path, page: PageServer, hook: Hook, *more: str, period: str = "1d") -> Shop:
    """Every day at eight in Berlin, which is seven in UTC."""
    said = REVIEW.format(schedule="08:00", period=period)
    return Shop(folder, page, hook, "".join((CONFIG, said, *more)), T)


def reviews(hook: Hook, status: str = "firing") -> list[dict[str, Any]]:
    return [
        alert
        for alert in hook.heard
        if alert["labels"]["alertname"] == "ReliabilityReview" and alert["status"] == status
    ]


async def settled(of: Shop, daemon: Daemon) -> None:
    """Move on until every look at the schedule, tick and save that was due is over."""
    for _ in range(4):
        await of.clock.advance(10)
        await until(of.polled(daemon))


async def heard(of: Shop, hook: Hook, count: int) -> None:
    async def look() -> bool:
        await of.clock.advance(5)
        return len(reviews(hook)) >= count

    await until(look)


async def test_it_is_sent_at_its_time_with_what_there_is_to_say(
    tmp_path: Path, page: PageServer, hook: Hook
) -> None:
    of = shop(tmp_path, page, hook)
    async with of.slod() as daemon:
        await settled(of, daemon)
        for _ in range(3):
            await of.pass_by(daemon, 990, 10)
        assert reviews(hook) == []
        await of.pass_by(daemon, 990, 10)
        await heard(of, hook, 1)
        await settled(of, daemon)
        [review] = reviews(hook)
        assert review["labels"] == {"alertname": "ReliabilityReview", "severity": "info"}
        assert review["startsAt"] == "2023-11-15T07:00:00.000Z"
        words = review["annotations"]
        assert words["summary"].startswith(
            "Reliability review of 2023-11-14 07:00 to 2023-11-15 07:00"
        )
        assert "1 SLO reviewed" in words["description"]
        assert words["report"].startswith("# Reliability review\n")
        assert "\n## shop\n" in words["report"] and len(words["report"].encode()) <= 20_000
        await of.pass_by(daemon, 990, 10)
        await settled(of, daemon)
        assert len(reviews(hook)) == 1 and len(reviews(hook, "resolved")) == 1


async def test_killed_at_any_moment_it_is_sent_once_and_missed_ones_late_and_as_one(
    tmp_path: Path, page: PageServer, hook: Hook
) -> None:
    of = shop(tmp_path, page, hook)
    async with of.slod() as daemon:
        await settled(of, daemon)
        for _ in range(4):
            await of.pass_by(daemon, 990, 10)
        await heard(of, hook, 1)
        # What was heard and is not written down yet would be said again, under the same key.
        await until(of.polled(daemon))
    async with of.slod() as daemon:
        await settled(of, daemon)
        assert len(reviews(hook)) == 1
    of.clock.step(3 * DAY)
    async with of.slod() as daemon:
        await heard(of, hook, 2)
        await settled(of, daemon)
    async with of.slod() as daemon:
        await settled(of, daemon)
    assert [r["startsAt"] for r in reviews(hook)] == [
        "2023-11-15T07:00:00.000Z",
        "2023-11-18T07:00:00.000Z",
    ]


async def test_since_last_begins_where_the_last_one_ended(
    tmp_path: Path, page: PageServer, hook: Hook
) -> None:
    of = shop(tmp_path, page, hook, period="last")
    async with of.slod() as daemon:
        await settled(of, daemon)
        for _ in range(16):
            await of.pass_by(daemon, 990, 10)
        await heard(of, hook, 1)
        await settled(of, daemon)
        of.clock.step(DAY)
        await heard(of, hook, 2)
        await settled(of, daemon)
        last = reviews(hook)[-1]["annotations"]["summary"]
        assert "2023-11-16 07:00 to 2023-11-17 07:00 UTC, 1d" in last
        found = json.loads((await get(daemon, "/api/slo/v1/report?since=last"))[1])
        assert found["start"] == T + 2 * DAY + 7 * HOUR
