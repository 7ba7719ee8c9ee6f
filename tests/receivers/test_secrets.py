"""A daemon whose receivers all fail: no URL, key or password of theirs is in its log or metrics."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from exporter import log
from exporter.config.settings import Log
from tests.app.test_daemon import PageServer, get, page, running
from tests.receivers.kit import Listener
from tests.receivers.smtp import post_office
from tests.receivers.test_front_door import RECEIVERS

__all__ = ["page"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NAMES = ("slack", "pager", "opsgenie", "issue", "apprise", "mail")


@pytest.mark.parametrize("status", [500, 400])
async def test_no_secret_of_a_receiver_is_said_when_it_fails(
    status: int, tmp_path: Path, page: PageServer, api: Listener
) -> None:
    api.status, api.text = status, "no"
    (tmp_path / "slack").write_text(f"{api.url}/services/hunter2-slack?x=hunter2-query")
    (tmp_path / "key").write_text("hunter2-key")
    there = api.url.removeprefix("http://")
    (tmp_path / "urls").write_text(f"json://user:hunter2-login@{there}/hunter2-apprise")
    file = tmp_path / "slod.toml"
    said = io.StringIO()
    log.configure(Log(level="debug", format="json"), said)
    try:
        async with post_office() as post:
            post.replies = {"DATA": f"{status} no"}
            text = RECEIVERS.format(page=page.url, folder=tmp_path, api=api.url, smtp=post.port)
            file.write_text(text + f'username = "u"\npassword_file = "{tmp_path}/key"\n')
            async with running(file) as daemon, asyncio.timeout(20):
                while not all(f'"receiver": "{n}"' in failures(said) for n in NAMES):
                    page.counts["500"] = page.counts.get("500", 0) + 5
                    await asyncio.sleep(0.02)
                shown = (await get(daemon, "/metrics"))[1] + (await get(daemon, "/"))[1]
    finally:
        log.configure(Log(), io.StringIO())
    assert "hunter2" not in said.getvalue() + shown


def failures(said: io.StringIO) -> str:
    """The log's lines on deliveries, without the spaces that its writer may put in."""
    events = ("notification.retry_scheduled", "notification.given_up")
    lines = [line for line in said.getvalue().splitlines() if any(e in line for e in events)]
    return "\n".join(lines).replace('":"', '": "')
