"""Whatever Apprise reaches: its URLs say which services, in whose name, with which keys.

Source: Apprise's documentation, "Development API" (`Apprise.add`, `notify` with title, body, type).
It comes with `pip install 'slod[apprise]'`. The URLs are secrets, so what Apprise itself would log
is not logged; it says whether it worked and no more.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from exporter.config.receivers import AppriseReceiver as Settings
from exporter.core.notification import Notification
from exporter.errors import DeliveryError
from exporter.receivers.payload import read_secret
from exporter.receivers.words import Count, Writer, ignore


class AppriseReceiver:
    """All services of one list of URLs."""

    resend: float | None = None

    def __init__(
        self, settings: Settings, *, external_url: str | None, count: Count = ignore
    ) -> None:
        self.name = settings.name
        self.endpoint = f"{settings.name} apprise"
        self.severities: Sequence[str] = settings.severities
        self._settings = settings
        self._writer = Writer(
            settings.name, external_url, msgspec.structs.asdict(settings.templates), count
        )
        # One thread of its own: a service that hangs may hold up nothing else.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="apprise")
        self._done: tuple[str, set[str]] = ("", set())

    async def send(self, notifications: Sequence[Notification], now: float) -> None:
        """Deliver them one after the other; `DeliveryError` at the first that is not taken."""
        for notification in notifications:
            await self._send(notification)

    async def _send(self, notification: Notification) -> None:
        lines = read_secret(self._settings.urls).splitlines()
        urls = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not urls:
            raise DeliveryError("no_secret", f"{self.name}: there is no URL in the secret")
        title, text = self._writer.plain(notification)
        kind = "success"
        if notification.ends_at is None:
            kind = "failure" if notification.severity == "page" else "warning"
        # Where one of several failed, the others are not told again.
        if self._done[0] != notification.key:
            self._done = (notification.key, set())
        told = self._done[1]
        failed = 0
        for number, url in enumerate(urls, 1):
            if url in told:
                continue
            if await self._tell(url, number, title, text, kind):
                told.add(url)
            else:
                failed += 1
        if failed:
            raise DeliveryError(
                "apprise", f"{self.name}: {failed} of {len(urls)} services did not take it"
            )

    async def _tell(self, url: str, number: int, title: str, text: str, kind: str) -> bool:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(float(self._settings.timeout)):
                return await loop.run_in_executor(self._thread, _notify, url, title, text, kind)
        except TimeoutError:
            raise DeliveryError(
                "timeout", f"{self.name}: no answer from service {number} within the timeout"
            ) from None
        except ImportError:
            raise DeliveryError(
                "not_installed", "Apprise is not installed; pip install 'slod[apprise]'"
            ) from None

    async def close(self) -> None:
        """Nothing is begun any more; what hangs is left to its own timeouts."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="apprise")


def _not_from_here(record: logging.LogRecord) -> bool:
    """Whether a line of a library may be logged: those that Apprise calls name URLs and paths, in
    its own threads too. Nothing else of slod logs so outside the main thread."""
    return record.thread == threading.main_thread().ident


def _notify(url: str, title: str, text: str, kind: str) -> bool:
    import apprise

    for handler in logging.getLogger().handlers:
        handler.addFilter(_not_from_here)
    service = apprise.Apprise()
    try:
        return service.add(url) and bool(
            service.notify(
                title=title,
                body=text,
                notify_type=apprise.NotifyType(kind),
                body_format=apprise.NotifyFormat.TEXT,
            )
        )
    # Its plugins are by many hands, and what one raises may hold the URL.
    except Exception:  # noqa: BLE001
        return False
