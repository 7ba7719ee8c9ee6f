"""What a type cannot say about receivers: where a secret stands, templates, mail addresses."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from typing import Any

import msgspec

from exporter.config.checks import check_http, check_numbers, check_url, one_of
from exporter.config.findings import Findings
from exporter.config.lines import Path
from exporter.config.receivers import (
    AlertmanagerReceiver,
    AnyReceiver,
    AppriseReceiver,
    EmailReceiver,
    HTTPReceiver,
    OpsgenieReceiver,
    PagerDutyReceiver,
    Request,
    Templates,
    WebhookReceiver,
)
from exporter.config.settings import HTTP
from exporter.config.templates import TemplateFault, check_template, is_template

_ADDRESS = re.compile(r"[^@\s<>,;:\"()\[\]\x00-\x1f]+@[^@\s<>,;:\"()\[\]\x00-\x1f]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*\]?")
_KEYS = {"slack": "url", "pagerduty": "routing_key", "opsgenie": "api_key", "apprise": "urls"}
"""What each type cannot do without and may not have in the file."""


def check_receiver(receiver: AnyReceiver, path: Path, findings: Findings) -> None:
    """URLs, secrets and templates of a receiver."""
    kind = str(receiver.__struct_config__.tag)
    if isinstance(receiver, HTTP):
        check_http(receiver, path, findings)
    else:
        check_numbers(receiver, path, findings)
    if kind in _KEYS:
        _must_have(receiver, _KEYS[kind], path, findings)
    if kind in _MORE:
        _MORE[kind](receiver, path, findings)
    templates = getattr(receiver, "templates", None)
    if isinstance(templates, Templates):
        for name in ("title", "text"):
            _check_text(getattr(templates, name), (*path, "templates", name), findings)


def _check_webhook(receiver: WebhookReceiver, path: Path, findings: Findings) -> None:
    check_url(receiver.url, (*path, "url"), findings)
    one_of(receiver, "secret_file", "secret_env", path, findings)


def _check_api(
    receiver: PagerDutyReceiver | OpsgenieReceiver, path: Path, findings: Findings
) -> None:
    check_url(receiver.url, (*path, "url"), findings)


def _check_urls(receiver: AlertmanagerReceiver, path: Path, findings: Findings) -> None:
    if not receiver.urls:
        findings.error((*path, "url"), "must name at least one Alertmanager")
    for i, url in enumerate(receiver.urls):
        where = (*path, "url") if isinstance(receiver.url, str) else (*path, "url", i)
        check_url(url, where, findings)


def _check_requests(receiver: HTTPReceiver, path: Path, findings: Findings) -> None:
    _check_request(receiver.firing, path, findings)
    if receiver.resolved is not None:
        _check_request(receiver.resolved, (*path, "resolved"), findings)


def _check_request(request: Request, path: Path, findings: Findings) -> None:
    head = request.url.split("{", 1)[0]
    if head != request.url and "/" not in head.partition("://")[2]:
        # What fills a template may not choose the host.
        findings.error((*path, "url"), "scheme and host cannot be templates; write them out")
    else:
        check_url(head, (*path, "url"), findings, like="https://api.example/repos/o/r/issues")
    _check_text(request.url, (*path, "url"), findings)
    _check_text(request.body, (*path, "body"), findings)


def _check_email(email: EmailReceiver, path: Path, findings: Findings) -> None:
    if not _HOST.fullmatch(email.host):
        findings.error((*path, "host"), f"not a host name: {email.host!r}; the port is a key")
    if email.port is not None and not 0 < email.port < 65536:
        findings.error((*path, "port"), f"not a port: {email.port}")
    _check_address(email.sender, (*path, "from"), findings)
    if not email.to:
        findings.error((*path, "to"), 'is empty; give addresses, like ["sre@example.org"]')
    for i, address in enumerate(email.to):
        _check_address(address, (*path, "to", i), findings)
    if email.username is not None:
        _must_have(email, "password", path, findings)
        if email.tls == "none":
            findings.warning((*path, "tls"), "the password goes over the network in the clear")
    elif (email.password_file, email.password_env) != (None, None):
        findings.error(path, "a password needs its 'username'")


def _check_address(address: str, path: Path, findings: Findings) -> None:
    if not _ADDRESS.fullmatch(address):
        findings.error(path, f'not a plain address: {address!r}; like "sre@example.org"')


def _check_apprise(_: AppriseReceiver, path: Path, findings: Findings) -> None:
    # Found, not imported: it is large, and `check` does not send anything.
    if importlib.util.find_spec("apprise") is None:
        findings.error((*path, "type"), "Apprise is not installed; pip install 'slod[apprise]'")


def _check_text(source: str | None, path: Path, findings: Findings) -> None:
    if source is None or not is_template(source):
        return
    try:
        check_template(source)
    except TemplateFault as fault:
        findings.error(path, str(fault))


def _must_have(struct: msgspec.Struct, key: str, path: Path, findings: Findings) -> None:
    names = (f"{key}_file", f"{key}_env")
    one_of(struct, *names, path, findings)
    if all(getattr(struct, name) is None for name in names):
        findings.error(path, f"must have one of {names[0]!r} and {names[1]!r}")


_MORE: dict[str, Callable[[Any, Path, Findings], None]] = {
    "alertmanager": _check_urls,
    "webhook": _check_webhook,
    "pagerduty": _check_api,
    "opsgenie": _check_api,
    "http": _check_requests,
    "email": _check_email,
    "apprise": _check_apprise,
}
