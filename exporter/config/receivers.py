"""The receivers as the file writes them: frozen structs, one for each `type`.

What is secret is never a value here, only where to find it: Slack's URL, the keys of PagerDuty and
Opsgenie, the URLs of Apprise, passwords.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from exporter.config.settings import HTTP, Duration, Secret


class Templates(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Jinja2 templates in place of the built-in title and text."""

    title: str | None = None
    text: str | None = None


class Receiver(HTTP, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all receivers over HTTP share: whose notifications they take; an empty list: all."""

    name: str = ""
    severities: tuple[str, ...] = ()


class AlertmanagerReceiver(
    Receiver,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag="alertmanager",
    tag_field="type",
):
    """POST /api/v2/alerts to one or several Alertmanagers; each of them gets everything."""

    url: str | tuple[str, ...]
    resend: Duration = Duration(60)

    @property
    def urls(self) -> tuple[str, ...]:
        """Every Alertmanager."""
        return (self.url,) if isinstance(self.url, str) else self.url


class WebhookReceiver(
    Receiver, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="webhook", tag_field="type"
):
    """Alertmanager's webhook JSON, version 4, signed when there is a secret."""

    url: str
    secret_file: str | None = None
    secret_env: str | None = None

    @property
    def secret(self) -> Secret | None:
        """Where the HMAC key stands, if there is one."""
        if self.secret_file is None and self.secret_env is None:
            return None
        return Secret(self.secret_file, self.secret_env)


class SlackReceiver(
    Receiver, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="slack", tag_field="type"
):
    """An incoming webhook of Slack, or of what speaks like it; whoever has the URL may post."""

    url_file: str | None = None
    url_env: str | None = None
    templates: Templates = Templates()

    @property
    def url(self) -> Secret:
        """Where the webhook's URL stands."""
        return Secret(self.url_file, self.url_env)


class PagerDutyReceiver(
    Receiver,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag="pagerduty",
    tag_field="type",
):
    """An integration of type "Events API v2" of a PagerDuty service."""

    url: str = "https://events.pagerduty.com/v2/enqueue"
    routing_key_file: str | None = None
    routing_key_env: str | None = None
    severity_map: dict[str, Literal["critical", "error", "warning", "info"]] = msgspec.field(
        default_factory=dict
    )
    templates: Templates = Templates()

    @property
    def routing_key(self) -> Secret:
        """Where the integration key stands."""
        return Secret(self.routing_key_file, self.routing_key_env)


class OpsgenieReceiver(
    Receiver,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag="opsgenie",
    tag_field="type",
):
    """An API integration of Opsgenie; https://api.eu.opsgenie.com for accounts in the EU."""

    url: str = "https://api.opsgenie.com"
    api_key_file: str | None = None
    api_key_env: str | None = None
    priority_map: dict[str, Literal["P1", "P2", "P3", "P4", "P5"]] = msgspec.field(
        default_factory=dict
    )
    tags: tuple[str, ...] = ()
    templates: Templates = Templates()

    @property
    def api_key(self) -> Secret:
        """Where the API key stands."""
        return Secret(self.api_key_file, self.api_key_env)


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One templated request."""

    method: Literal["POST", "PUT", "PATCH", "DELETE", "GET"] = "POST"
    url: str
    body: str = ""


class HTTPReceiver(
    Receiver, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="http", tag_field="type"
):
    """Any HTTP API: `url` and `body` are templates. `resolved` says what to send at the end of an
    alert; without it the end is not said."""

    method: Literal["POST", "PUT", "PATCH", "DELETE", "GET"] = "POST"
    url: str
    body: str
    resolved: Request | None = None

    @property
    def firing(self) -> Request:
        """What to send when an alert fires."""
        return Request(method=self.method, url=self.url, body=self.body)


class EmailReceiver(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag="email",
    tag_field="type",
):
    """Mail by SMTP. `port` is by default that of `tls`: 587, 465, or 25 for none."""

    name: str = ""
    severities: tuple[str, ...] = ()
    host: str
    port: int | None = None
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca_file: str | None = None
    username: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    sender: str = msgspec.field(name="from")
    to: tuple[str, ...]
    timeout: Duration = Duration(10)
    templates: Templates = Templates()

    @property
    def password(self) -> Secret:
        """Where the password stands."""
        return Secret(self.password_file, self.password_env)


class AppriseReceiver(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag="apprise",
    tag_field="type",
):
    """Whatever Apprise reaches, by its URLs: one a line."""

    name: str = ""
    severities: tuple[str, ...] = ()
    urls_file: str | None = None
    urls_env: str | None = None
    timeout: Duration = Duration(30)
    templates: Templates = Templates()

    @property
    def urls(self) -> Secret:
        """Where the URLs stand."""
        return Secret(self.urls_file, self.urls_env)


RECEIVERS = (
    AlertmanagerReceiver,
    WebhookReceiver,
    SlackReceiver,
    PagerDutyReceiver,
    OpsgenieReceiver,
    HTTPReceiver,
    EmailReceiver,
    AppriseReceiver,
)

AnyReceiver = (
    AlertmanagerReceiver
    | WebhookReceiver
    | SlackReceiver
    | PagerDutyReceiver
    | OpsgenieReceiver
    | HTTPReceiver
    | EmailReceiver
    | AppriseReceiver
)
