"""From settings to receivers; each is imported when there is one: the others cost nothing."""

from __future__ import annotations

from exporter.config import receivers as settings
from exporter.http import Client
from exporter.receivers.base import Receiver
from exporter.receivers.words import Count


def make_receiver(one: settings.AnyReceiver, url: str | None, count: Count) -> list[Receiver]:
    """The receivers that a [receiver.NAME] table describes; `url` is slod's own, for links."""
    match one:
        case settings.AlertmanagerReceiver():
            from exporter.receivers.alertmanager import AlertmanagerReceiver

            return [AlertmanagerReceiver(one, u, Client(one), external_url=url) for u in one.urls]
        case settings.WebhookReceiver():
            from exporter.receivers.webhook import WebhookReceiver

            return [WebhookReceiver(one, Client(one, hide_paths=True), external_url=url)]
        case settings.SlackReceiver():
            from exporter.receivers.slack import SlackReceiver

            return [SlackReceiver(one, Client(one), external_url=url, count=count)]
        case settings.PagerDutyReceiver():
            from exporter.receivers.pagerduty import PagerDutyReceiver

            return [PagerDutyReceiver(one, Client(one), external_url=url, count=count)]
        case settings.OpsgenieReceiver():
            from exporter.receivers.opsgenie import OpsgenieReceiver

            return [OpsgenieReceiver(one, Client(one), external_url=url, count=count)]
        case settings.HTTPReceiver():
            from exporter.receivers.templated import TemplatedReceiver

            return [
                TemplatedReceiver(one, Client(one, hide_paths=True), external_url=url, count=count)
            ]
        case settings.EmailReceiver():
            from exporter.receivers.mailer import EmailReceiver

            return [EmailReceiver(one, external_url=url, count=count)]
        case settings.AppriseReceiver():
            from exporter.receivers.apprise import AppriseReceiver

            return [AppriseReceiver(one, external_url=url, count=count)]
