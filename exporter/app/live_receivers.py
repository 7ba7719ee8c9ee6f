"""Findings of `slod check --live` on receivers: whether somebody answers at their addresses.

Nothing is sent that anybody could take for an alert: over HTTP a HEAD, whose status does not
matter; to a mail server a greeting, with its encryption and login. Apprise's services and addresses
that are templates are not asked.
"""

from __future__ import annotations

import asyncio

from exporter.config import receivers as settings
from exporter.config.findings import Findings
from exporter.config.load import Config
from exporter.errors import ConfigError, DeliveryError
from exporter.http import Client, TransportError
from exporter.receivers.mailer import EmailReceiver

_ANSWERS = ("redirect", "too_large", "bad_encoding", "cut_short")
"""Reasons of failures by which somebody did answer."""


async def look(config: Config, findings: Findings) -> None:
    """Report each receiver that does not answer within its timeout."""
    names = list(config.receivers)
    errors = await asyncio.gather(*(_errors(config.receivers[name]) for name in names))
    for name, lines in zip(names, errors, strict=True):
        for line in lines:
            findings.warning(("receiver", name), f"does not answer: {line}")


async def _errors(receiver: settings.AnyReceiver) -> list[str]:
    """Return why its addresses cannot be reached; nothing where they can."""
    urls: tuple[str, ...] = ()
    try:
        match receiver:
            case settings.EmailReceiver():
                await EmailReceiver(receiver, external_url=None).greet()
                return []
            case settings.AppriseReceiver():
                return []
            case settings.AlertmanagerReceiver():
                urls = receiver.urls
            case settings.SlackReceiver():
                urls = (receiver.url.read(),)
            case _:
                urls = (receiver.url,)
    except (ConfigError, DeliveryError) as error:
        return [str(error)]
    # What stands in paths of addresses may be a secret.
    client = Client(receiver, hide_paths=True)
    try:
        found = [await _http_error(client, url) for url in urls if "{" not in url]
    finally:
        await client.close()
    return [line for line in found if line is not None]


async def _http_error(client: Client, url: str) -> str | None:
    try:
        await client.request("HEAD", url)
    except TransportError as error:
        return None if error.reason in _ANSWERS else str(error)
    return None
