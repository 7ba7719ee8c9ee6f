"""Dovecot's histograms: bounds with six decimals, families with a series at each level."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

import pytest

from tests.real import servers
from tests.real.counts import prometheus_config, scrape, slo, slod, upstream
from tests.real.load import Imap
from tests.real.software import Dovecot

pytestmark = pytest.mark.real

FAST = """histogram = 'dovecot_imap_command{cmd_name=~"NOOP|IDLE"}', threshold = "1s\""""
IDLE = """histogram = 'dovecot_imap_idle', threshold = "1000ms\""""
REPLIES = """bad = 'dovecot_imap_reply_total{tagged_reply_state=~"NO|BAD"}',
 total = 'dovecot_imap_reply_total{tagged_reply_state!=""}'""".replace("\n", "")
SLIS = {"fast": FAST, "idle": IDLE, "replies": REPLIES}


class Sessions:
    """Drives Dovecot, and counts what it asked and was answered."""

    def __init__(self, dovecot: Dovecot) -> None:
        self._dovecot = dovecot
        self.done = {name: Counter(good=0, bad=0) for name in SLIS}

    async def work(self, *, noops: int, short: int, long: int, wrong: int) -> None:
        """Some sessions at once: NOOPs, IDLEs under and over a second, and what is no command."""
        await asyncio.gather(
            self._session(noops, wrong),
            *[self._idle(0.1, "good") for _ in range(short)],
            *[self._idle(1.2, "bad") for _ in range(long)],
        )

    async def _session(self, noops: int, wrong: int) -> None:
        async with self._imap() as imap:
            for _ in range(noops):
                assert await imap.command("NOOP") == "OK"
                self.done["fast"]["good"] += 1
                self.done["replies"]["good"] += 1
            for _ in range(wrong):
                assert await imap.command("NOSUCH") == "BAD"
                self.done["replies"]["bad"] += 1
        self.done["replies"]["good"] += 1  # LOGOUT

    async def _idle(self, seconds: float, kind: str) -> None:
        async with self._imap() as imap:
            assert await imap.idle(seconds) == "OK"
        for name in ("fast", "idle"):
            self.done[name][kind] += 1
        self.done["replies"]["good"] += 2  # IDLE and LOGOUT

    def _imap(self) -> contextlib.AbstractAsyncContextManager[Imap]:
        return Imap.session(self._dovecot.imap, self._dovecot.imap_environment)


async def test_bounds_are_numbers_and_a_reload_begins_anew(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        dovecot = await stack.enter_async_context(Dovecot.running(tmp_path))
        sessions = Sessions(dovecot)
        config = prometheus_config(dovecot.metrics_address)
        url = await stack.enter_async_context(servers.prometheus(tmp_path, config))
        config = scrape("pages", f"http://{dovecot.metrics_address}/metrics")
        config += upstream("prom", url)
        for name, sli in SLIS.items():
            config += slo(f"{name}-scraped", "pages", sli) + slo(f"{name}-asked", "prom", sli)
        daemon = await stack.enter_async_context(slod(tmp_path, config))
        await daemon.looks("pages")
        await servers.eventually(lambda: has_scraped(url), "Prometheus scrapes")
        await daemon.looks("prom")

        async def counts() -> None:
            ways = ("scraped", "asked")
            await daemon.counts({f"{k}-{way}": v for k, v in sessions.done.items() for way in ways})

        await sessions.work(noops=60, short=12, long=1, wrong=2)
        await counts()
        await dovecot.reload()
        # The process that ended goes on to answer on connections that are kept, so the first look
        # at the new one may come late: it must not have overtaken the old one by then.
        await sessions.work(noops=6, short=2, long=0, wrong=0)
        await counts()
        await sessions.work(noops=90, short=11, long=1, wrong=3)
        await counts()
        await daemon.is_calm()


async def has_scraped(url: str) -> bool:
    _, body = await servers.fetch(f"{url}/api/v1/query?query=process_start_time_seconds")
    return b'"result":[{' in body
