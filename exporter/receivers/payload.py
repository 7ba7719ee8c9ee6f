"""What all receivers say in the same way: RFC 3339 times, and answers turned into outcomes."""

from __future__ import annotations

import time
from collections.abc import Mapping

from exporter.config.settings import Secret
from exporter.core import timestamps
from exporter.errors import ConfigError, DeliveryError
from exporter.headers import retry_after
from exporter.http import Client, TransportError
from exporter.printable import printable
from exporter.redaction import redact

_RETRY = frozenset({408, 425, 429})
"""The 4xx that say "later": request timeout, too early (RFC 8470), too many requests (RFC 6585)."""


def rfc3339(moment: float) -> str:
    """Unix seconds as Alertmanager writes times, to the millisecond."""
    return timestamps.rfc3339(moment, "milliseconds")


def read_secret(secret: Secret) -> str:
    """The secret as it is now; `DeliveryError` when it is not there.

    Without it the notification would be refused for good; it may be there at the next try.
    """
    try:
        return secret.read()
    except ConfigError as error:
        raise DeliveryError("no_secret", str(error)) from error


async def post(
    client: Client,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    method: str = "POST",
    kind: str | None = "application/json",
    shown: str | None = None,
) -> None:
    """Send it; return when it was taken, raise `DeliveryError` when not.

    `kind` is the content type. `shown` stands for the URL in errors where all of it is secret.
    """
    content = {} if kind is None else {"Content-Type": kind}
    try:
        answer = await client.request(method, url, body=body, headers={**content, **headers})
    except TransportError as error:
        if shown is None:
            raise DeliveryError(error.reason, str(error)) from error
        # What the client says may hold the URL.
        raise DeliveryError(error.reason, f"{shown}: no answer ({error.reason})") from None
    if 200 <= answer.status < 300:
        return
    wait = retry_after(answer.headers, time.time())
    # GitHub, for one, says "later" by a 403 with Retry-After.
    later = answer.status in _RETRY or (answer.status == 403 and wait is not None)
    raise DeliveryError(
        f"http_{answer.status}",
        f"{shown or redact(url, paths=False)} answered {answer.status}: {_shortened(answer.body)}",
        permanent=400 <= answer.status < 500 and not later,
        retry_after=wait,
    )


def _shortened(body: bytes) -> str:
    return printable(" ".join(body[:300].decode("utf-8", "replace").split()))[:200]
