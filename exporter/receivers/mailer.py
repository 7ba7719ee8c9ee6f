"""E-mail by SMTP: one connection a notification, encrypted unless told otherwise.

Sources: RFC 5321 (4.2.1: 4yz says "later", 5yz is for good), RFC 3207 (STARTTLS), RFC 8314 (TLS
from the first byte), RFC 4954 (AUTH), by aiosmtplib, which is imported when a mail is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from email.message import EmailMessage
from typing import TYPE_CHECKING

import msgspec
import structlog

from exporter.config.receivers import EmailReceiver as Settings
from exporter.core.notification import Notification
from exporter.errors import DeliveryError
from exporter.receivers.mail import compose
from exporter.receivers.payload import read_secret
from exporter.receivers.words import Count, Writer, ignore

if TYPE_CHECKING:
    import aiosmtplib

log = structlog.get_logger()

_GOODBYE = 1.0
_PORTS = {"starttls": 587, "implicit": 465, "none": 25}


class EmailReceiver:
    """One SMTP server and whom to write to."""

    resend: float | None = None

    def __init__(
        self, settings: Settings, *, external_url: str | None, count: Count = ignore
    ) -> None:
        self._port = settings.port or _PORTS[settings.tls]
        self.name = settings.name
        self._where = f"{settings.host}:{self._port}"
        self.endpoint = f"{settings.name} smtp://{self._where}"
        self.severities: Sequence[str] = settings.severities
        self._settings = settings
        self._writer = Writer(
            settings.name, external_url, msgspec.structs.asdict(settings.templates), count
        )

    async def send(self, notifications: Sequence[Notification], now: float) -> None:
        """Deliver them one after the other; `DeliveryError` at the first that is not taken."""
        for notification in notifications:
            words = self._writer.words(notification)
            _, plain = self._writer.plain(notification)
            message = compose(
                notification,
                words,
                plain,
                sender=self._settings.sender,
                to=self._settings.to,
                now=now,
            )
            await self._deliver(message)

    async def greet(self) -> None:
        """Connect and log in; `DeliveryError` where that cannot be."""
        async with self._connected():
            pass

    def _client(self) -> aiosmtplib.SMTP:
        import aiosmtplib

        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=self._port,
            # By default a name is looked up, which may hang where there is no DNS.
            local_hostname=socket.gethostname(),
            use_tls=settings.tls == "implicit",
            start_tls=settings.tls == "starttls",
            tls_context=None if settings.tls == "none" else self._context(),
            username=settings.username,
            password=read_secret(settings.password) if settings.username is not None else None,
            timeout=None,
        )

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Connect, log in and say goodbye; whatever fails before that is a `DeliveryError`."""
        import aiosmtplib

        client = self._client()
        try:
            # The library's timeout is for each command; a slow drip must end too.
            async with asyncio.timeout(float(self._settings.timeout)):
                await client.connect()
                yield client
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            raise _translated(error, self._where) from None
        # All was taken: a server that does not say goodbye must not get it twice.
        try:
            await client.quit(timeout=_GOODBYE)
        except (aiosmtplib.SMTPException, OSError):
            client.close()

    async def _deliver(self, message: EmailMessage) -> None:
        async with self._connected() as client:
            refused, _ = await client.send_message(message)
        for address, (code, said) in refused.items():
            log.warning(
                "notification.recipient_refused",
                receiver=self.name,
                recipient=address,
                code=code,
                error=" ".join(said.split())[:200],
            )

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise DeliveryError("config", f"cannot use the ca_file: {error}") from None

    async def close(self) -> None:
        """Nothing is kept open."""


def _translated(error: Exception, where: str) -> DeliveryError:
    import aiosmtplib

    code = getattr(error, "code", None)
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        # For good only if it is so for each of them.
        code = min(one.code for one in error.recipients)
    if isinstance(code, int) and code >= 400:
        return DeliveryError(f"smtp_{code}", f"{where}: {_line(error)}", permanent=code >= 500)
    if isinstance(error, TimeoutError):
        return DeliveryError("timeout", f"{where}: not taken within the timeout")
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    for kind, reason in _REASONS:
        for cause in causes:
            if isinstance(cause, kind):
                return DeliveryError(reason, f"{where}: {_line(cause)}")
    return DeliveryError("smtp", f"{where}: {_line(error)}")


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLError, "tls"),
    (socket.gaierror, "dns"),
    (ConnectionRefusedError, "refused"),
    (ConnectionError, "reset"),
    (OSError, "reset"),
)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
