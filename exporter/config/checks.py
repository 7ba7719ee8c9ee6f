"""What a type cannot say about the settings of the edges: addresses, URLs, secrets, limits."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from exporter.config.findings import Findings
from exporter.config.lines import Path
from exporter.config.settings import (
    API,
    HTTP,
    BasicAuth,
    Discover,
    Duration,
    PrometheusSource,
    ScrapeSource,
    Server,
    Source,
)
from exporter.core.selector import LABEL_NAME

_UTF8_NAME = re.compile(r"[^\W\d][\w.:/-]*")
"""Label names of Prometheus 3 too (`k8s.pod.name`), but for what only a mistake has: blanks,
quotes, brackets."""
_OF_BUCKETS = ("le", "quantile", "vmrange")
_LISTEN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]\s/]*):(?P<port>[0-9]{1,5})")
_HOST = re.compile(r"(?:\*\.)?[\w-]+(?:\.[\w-]+)*")
_ORIGIN = re.compile(r"https?://[^/\s?#@*]+")
_MAY_BE_ZERO = ("backfill",)
_LIMITS = ("max_body_bytes", "max_series", "concurrency")


def check_server(server: Server, path: Path, findings: Findings) -> None:
    """The address to listen on and the one others know."""
    found = _LISTEN.fullmatch(server.listen)
    if found is None or int(found["port"]) > 65535:
        findings.error(
            (*path, "listen"), f'not an address: {server.listen!r}; write it like "127.0.0.1:9947"'
        )
    if server.external_url is not None:
        check_url(server.external_url, (*path, "external_url"), findings)
        if set(server.external_url) & set("?#"):
            findings.error(
                (*path, "external_url"),
                "has a query or a fragment, after which no link can go on; leave it out",
            )
    for i, host in enumerate(server.hosts):
        if _HOST.fullmatch(host) is None:
            findings.error(
                (*path, "hosts", i),
                f'not a host name: {host!r}; write it like "slod.example" or "*.svc"',
            )
    if server.roles and server.web_config is None:
        findings.error(
            (*path, "roles"), "are those of users, who come with web_config; set that too"
        )


def check_api(api: API, path: Path, findings: Findings) -> None:
    """Origins, as browsers write them."""
    for i, origin in enumerate(api.allow_origins):
        if origin != "*" and _ORIGIN.fullmatch(origin) is None:
            findings.error(
                (*path, "allow_origins", i),
                f'not an origin: {origin!r}; write it like "https://grafana.example"',
            )


def check_source(source: Source, path: Path, findings: Findings) -> None:
    """URLs, labels and limits of a source."""
    check_http(source, path, findings)
    _check_target_labels(source.target_labels, (*path, "target_labels"), findings)
    if isinstance(source, PrometheusSource):
        check_url(source.url, (*path, "url"), findings)
        return
    assert isinstance(source, ScrapeSource)
    for i, target in enumerate(source.targets):
        # As Prometheus writes targets: host:port is http and /metrics.
        url = target if "/" in target else f"http://{target}/metrics"
        check_url(url, (*path, "targets", i), findings, like="http://app:8080/metrics")
    for label in source.labels:
        if not LABEL_NAME.fullmatch(label) or label.startswith("__"):
            findings.error((*path, "labels", label), f"not a label name: {label!r}")
    if source.discover is not None:
        _check_discover(source.discover, (*path, "discover"), findings)


def _check_target_labels(names: tuple[str, ...], path: Path, findings: Findings) -> None:
    """Labels that tell processes apart: names as a page has them, each once."""
    for i, name in enumerate(names):
        if name in _OF_BUCKETS:
            findings.error((*path, i), f"{name!r} tells buckets apart, not processes")
        elif name.startswith("__") or _UTF8_NAME.fullmatch(name) is None:
            findings.error((*path, i), f'not a label name: {name!r}; write it like "instance"')
        elif name in names[:i]:
            findings.error((*path, i), f"{name!r} is given twice")


def check_url(
    url: str, path: Path, findings: Findings, *, like: str = "http://127.0.0.1:9090"
) -> None:
    """An absolute http(s) URL with a host. The URL itself is not repeated: it may hold a secret."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or any(c.isspace() for c in url):
        findings.error(path, f'not an http or https URL with a host; write it like "{like}"')


def _check_discover(discover: Discover, path: Path, findings: Findings) -> None:
    ways = (discover.file, discover.http, discover.dns, discover.kubernetes)
    if not any(ways):
        findings.error(path, "must have at least one of file, http, dns and kubernetes")
    if discover.http is not None:
        check_url(discover.http, (*path, "http"), findings)
    check_numbers(discover, path, findings)


def check_http(settings: HTTP, path: Path, findings: Findings) -> None:
    """What every HTTP client is told: limits, and one kind of credentials."""
    check_numbers(settings, path, findings)
    one_of(settings, "bearer_token_file", "bearer_token_env", path, findings)
    auth = settings.basic_auth
    if auth is not None:
        where = (*path, "basic_auth")
        one_of(auth, "password_file", "password_env", where, findings)
        if auth.password == BasicAuth("").password:
            findings.error(where, "must have one of 'password_file' and 'password_env'")
        if settings.bearer_token is not None:
            findings.error(where, "cannot be given together with a bearer token; leave one out")
    tls = settings.tls
    if tls is not None and tls.key_file is not None and tls.cert_file is None:
        findings.error((*path, "tls"), "'key_file' needs its 'cert_file'")


def check_numbers(struct: msgspec.Struct, path: Path, findings: Findings) -> None:
    """Durations longer than nothing, limits of at least one."""
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if isinstance(value, Duration) and value <= 0 and name not in _MAY_BE_ZERO:
            findings.error((*path, name), "must be longer than 0")
        if name in _LIMITS and value < 1:
            findings.error((*path, name), f"must be at least 1, not {value}")


def one_of(struct: msgspec.Struct, one: str, other: str, path: Path, findings: Findings) -> None:
    """At most one of two keys."""
    if getattr(struct, one) is not None and getattr(struct, other) is not None:
        findings.error((*path, other), f"{one!r} is given too; leave one of them out")
