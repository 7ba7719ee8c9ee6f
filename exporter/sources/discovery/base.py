"""The one shape of a discovery mechanism, and what they share.

An error never empties a list: the targets that were there stay until the mechanism says otherwise,
as in Prometheus.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol
from urllib.parse import urlencode

from exporter.address import parsed
from exporter.config.settings import ScrapeSource
from exporter.errors import ConfigError, SourceError
from exporter.redaction import redact
from exporter.sources.discovery.bounds import most_targets, too_many

META = "__"
"""Labels that begin so are for relabelling and do not stay, as in Prometheus."""
_PARAM = "__param_"


@dataclass(frozen=True, slots=True)
class Found:
    """A target: its URL, and the labels that its mechanism knows of it."""

    url: str
    labels: Mapping[str, str] = field(default_factory=dict)


Publish = Callable[[str, Sequence[Found]], None]
"""Takes the name of a list (a file, a URL) and all its targets."""


class Discovery(Protocol):
    """Runs until cancelled."""

    async def run(self, publish: Publish) -> None:
        """Publish each list at first sight and whenever it changes."""
        ...


def target_url(address: str, labels: Mapping[str, str], scheme: str, path: str) -> str:
    """The URL of `host:port`, or of a whole URL; `__scheme__`, `__metrics_path__` and `__param_*`
    among the labels win, as in Prometheus."""
    url = address
    if "://" not in address:
        scheme = labels.get("__scheme__", scheme)
        path = labels.get("__metrics_path__", path)
        url = f"{scheme}://{address}{path if path.startswith('/') else '/' + path}"
    params = {k.removeprefix(_PARAM): v for k, v in labels.items() if k.startswith(_PARAM)}
    if not params:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"


def instance_of(url: str) -> str | None:
    """`host:port`, the port always there, as Prometheus writes it; None for what is no such URL."""
    try:
        address = parsed(url)
        host, port = address.host, address.port
    except ValueError:
        return None
    if address.scheme not in ("http", "https") or not host or not port or " " in host:
        return None
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def shown(url: str) -> str:
    """A target's name: its URL without userinfo. A query's values may be secret and are not shown,
    but tell targets apart (`/probe?target=...`), so a hash stands for them."""
    name = redact(url)
    # A name that hides the host is told apart by all of the address.
    told_by = url if "://..." in name else parsed(url).raw_query_string
    digest = blake2b(told_by.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{name}#{digest}" if told_by else name


def groups(document: object, settings: ScrapeSource) -> list[Found]:
    """The targets of a file_sd or http_sd document: `[{"targets": [], "labels": {}}, ...]`."""
    assert settings.discover is not None
    scheme, path = settings.discover.scheme, settings.discover.path
    if not isinstance(document, list):
        raise SourceError("malformed", "a list of target groups was expected")
    out: list[Found] = []
    most = most_targets()
    for group in document:
        targets = group.get("targets") if isinstance(group, dict) else None
        labels = (group.get("labels") or {}) if isinstance(group, dict) else {}
        if not isinstance(targets, list) or not isinstance(labels, dict):
            raise SourceError("malformed", 'each group needs {"targets": [...], "labels": {...}}')
        texts = {str(k): str(v) for k, v in labels.items()}
        kept = {k: v for k, v in texts.items() if not k.startswith(META)}
        if len(out) + len(targets) > most:
            raise too_many(most)
        out += [Found(target_url(str(t), texts, scheme, path), kept) for t in targets]
    return out


def expand(text: str) -> str:
    """`$NAME` and `${NAME}` from the environment; `ConfigError` when it is not set."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in os.environ:
            raise ConfigError(f"the environment variable {name} of a discovery is not set")
        return os.environ[name]

    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, text)
