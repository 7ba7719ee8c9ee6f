"""Basic auth against bcrypt hashes, slow for who guesses and cheap for who scrapes every 5 s.

Source: RFC 7617; github.com/prometheus/exporter-toolkit. A password that was verified is remembered
by a digest salted for this process, so bcrypt runs once for each user, not once for each request.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.errors import ConfigError

_REMEMBERED = 128
# bcrypt looks at no more; the hashing tools cut longer passwords off here too.
_LONGEST_PASSWORD = 72
_MOST_WAITING = 16
"""Passwords of one address that wait to be compared; a browser asks for some things at once."""


class TooManyGuesses(Exception):
    """An address already has as many passwords to be compared as may wait."""


@dataclass(slots=True)
class _Line:
    """The passwords of one address, which are compared one after the other."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class BasicAuth:
    """Says whether a request's Authorization header names one of the users.

    Comparing is slow on purpose, so addresses take turns: whoever guesses waits behind the own
    guesses, and everybody else behind one of them.
    """

    def __init__(self) -> None:
        self._salt = os.urandom(32)
        # Apart, so that guesses cannot push the verified ones out.
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._lines: dict[str, _Line] = {}
        # One comparison at a time: guessing takes one core at most. The lock is taken in the
        # order in which it was asked for, and by each address once at a time.
        self._lock = asyncio.Lock()

    async def allows(self, users: Mapping[str, str], header: str | None, address: str = "") -> bool:
        """True if the credentials are those of a user; `TooManyGuesses` if too many are compared.

        Args:
            users: Names and their bcrypt hashes.
            header: The request's `Authorization`.
            address: Of whoever asks.
        """
        credentials = parse_basic(header or "")
        if credentials is None:
            return False
        user, password = credentials
        known = user in users
        # An unknown user takes as long as a known one, so that time tells nothing.
        hashed = users[user] if known else next(iter(users.values()))
        digest = self._digest(user, hashed, password)
        if (verdict := self._remembered(digest)) is not None:
            return verdict
        line = self._lines.setdefault(address, _Line())
        if line.waiting >= _MOST_WAITING:
            raise TooManyGuesses
        line.waiting += 1
        try:
            async with line.lock:
                # Another request of the same browser may have been first.
                if (verdict := self._remembered(digest)) is not None:
                    return verdict
                async with self._lock:
                    matches = await asyncio.to_thread(check, password, hashed)
        finally:
            line.waiting -= 1
            if not line.waiting:
                del self._lines[address]
        verdict = matches and known
        seen = self._right if verdict else self._wrong
        seen[digest] = None
        if len(seen) > _REMEMBERED:
            seen.popitem(last=False)
        return verdict

    def _remembered(self, digest: bytes) -> bool | None:
        for verdict, seen in ((True, self._right), (False, self._wrong)):
            if digest in seen:
                seen.move_to_end(digest)
                return verdict
        return None

    def _digest(self, user: str, hashed: str, password: bytes) -> bytes:
        parts = (user.encode("utf-8", "surrogateescape"), hashed.encode(), password)
        framed = b"".join(len(p).to_bytes(4, "big") + p for p in parts)
        return hmac.new(self._salt, framed, hashlib.sha256).digest()


def parse_basic(header: str) -> tuple[str, bytes] | None:
    """User and password of `Basic dXNlcjpwYXNz`; None when it is nothing of the kind."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user.decode("utf-8", "surrogateescape"), password) if colon else None


def check(password: bytes, hashed: str) -> bool:
    """Whether the password is the hash's; takes its time on purpose, so call it in a thread."""
    import bcrypt

    try:
        return bcrypt.checkpw(password[:_LONGEST_PASSWORD], hashed.encode())
    except ValueError:
        return False


def require_bcrypt() -> None:
    """Fail at the start, not at the first request, when bcrypt is not installed."""
    try:
        import bcrypt  # noqa: F401
    except ImportError:
        raise ConfigError("basic_auth_users needs bcrypt: pip install bcrypt") from None
