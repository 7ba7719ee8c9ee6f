"""An SMTP server in the test's own loop: remembers mails, answers as it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


class Post:
    """`replies` are answers by the command's name, in place of the good one."""

    def __init__(self) -> None:
        self.port = 0
        self.replies: dict[str, str] = {}
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str | None, list[str], bool]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.silent = False
        self.stays = False

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.silent:
            await asyncio.sleep(60)
        envelope.mail_from = address
        return self.replies.get("MAIL", "250 fine")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.replies:
            return self.replies[address]
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        reply = self.replies.get("DATA", "250 taken")
        if reply.startswith("2"):
            content = envelope.content
            assert isinstance(content, bytes)
            mail = message_from_bytes(content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            secure = session.ssl is not None
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos, secure))
        return reply

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.stays:
            await asyncio.sleep(60)
        return "221 bye"

    def login(self, server: Any, session: Any, envelope: Any, kind: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"s3cret", handled=False)


@asynccontextmanager
async def post_office(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False
) -> AsyncIterator[Post]:
    """One on a port of its own; with a context it asks for STARTTLS, or speaks TLS at once."""
    post = Post()
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            post,
            hostname="post.example",
            tls_context=None if implicit else tls,
            require_starttls=tls is not None and not implicit,
            authenticator=post.login,
            auth_require_tls=tls is not None and not implicit,
            loop=loop,
        )

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls if implicit else None)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
        await server.wait_closed()
