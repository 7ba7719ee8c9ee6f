"""Receivers against real local servers: the exact payloads, and what each refusal means."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web

from exporter.app.parts import make_receivers
from exporter.config.load import parse
from exporter.config.receivers import AlertmanagerReceiver as AlertmanagerSettings
from exporter.config.receivers import WebhookReceiver as WebhookSettings
from exporter.config.settings import Duration
from exporter.core.notification import Notification, Reason
from exporter.errors import DeliveryError
from exporter.http import Client
from exporter.receivers.alertmanager import AlertmanagerReceiver
from exporter.receivers.webhook import WebhookReceiver

LABELS = {"alertname": "ErrorBudgetBurn", "slo": "checkout", "severity": "page"}
NOTES = {"summary": "it burns"}
FIRING = Notification("k-1", "00ff", Reason.FIRING, LABELS, NOTES, 1_700_000_000.25, None)
RESOLVED = Notification(
    "k-2", "00ff", Reason.RESOLVED, LABELS, NOTES, 1_700_000_000.25, 1_700_000_600.0
)


class Listener:
    """Remembers what it was told and answers as it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.status, text="no, thank\nyou", headers=self.headers)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listener.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield listener
    await runner.cleanup()


@pytest.fixture
async def hook(listener: Listener) -> AsyncIterator[WebhookReceiver]:
    settings = WebhookSettings(name="hook", url=f"{listener.url}/hook", timeout=Duration(1))
    receiver = WebhookReceiver(settings, Client(settings), external_url="https://slod.example")
    yield receiver
    await receiver.close()


@pytest.mark.parametrize("outside", ["https://slod.example/slod", "https://slod.example/slod/"])
async def test_links_go_on_from_the_outside_address_with_one_slash(
    listener: Listener, outside: str
) -> None:
    text = f'[server]\nexternal_url = "{outside}"\n[receiver.hook]\ntype = "webhook"\n'
    [hook] = make_receivers(parse(f'{text}url = "{listener.url}/hook"\n', "slod.toml"))
    await hook.send([FIRING], 1_700_000_001.0)
    await hook.close()
    [(_, _, body)] = listener.requests
    told = json.loads(body)
    assert told["externalURL"] == "https://slod.example/slod"
    assert told["alerts"][0]["generatorURL"] == "https://slod.example/slod/slo/checkout"


async def test_a_webhook_hears_alertmanagers_json_version_4(
    listener: Listener, hook: WebhookReceiver
) -> None:
    await hook.send([FIRING, RESOLVED], 1_700_000_001.0)
    [(path, headers, first), (_, _, second)] = listener.requests
    assert path == "/hook"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "k-1"
    assert "X-Slod-Signature" not in headers
    assert json.loads(first) == {
        "version": "4",
        "groupKey": "{}:{fingerprint=00ff}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "hook",
        "groupLabels": LABELS,
        "commonLabels": LABELS,
        "commonAnnotations": NOTES,
        "externalURL": "https://slod.example",
        "alerts": [
            {
                "status": "firing",
                "labels": LABELS,
                "annotations": NOTES,
                "startsAt": "2023-11-14T22:13:20.250Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://slod.example/slo/checkout",
                "fingerprint": "00ff",
            }
        ],
    }
    told = json.loads(second)
    assert (told["status"], told["alerts"][0]["endsAt"]) == (
        "resolved",
        "2023-11-14T22:23:20.000Z",
    )


async def test_a_webhook_is_signed_with_todays_secret(listener: Listener, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    settings = WebhookSettings(name="hook", url=listener.url, secret_file=str(file))
    hook = WebhookReceiver(settings, Client(settings), external_url=None)
    with pytest.raises(DeliveryError) as caught:
        await hook.send([FIRING], 0.0)
    assert (caught.value.reason, caught.value.permanent) == ("no_secret", False)
    for secret in ("first", "rotated"):
        file.write_text(secret + "\n")
        await hook.send([FIRING], 0.0)
        _, headers, body = listener.requests[-1]
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        assert headers["X-Slod-Signature"] == f"sha256={expected}"
    await hook.close()


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (404, True), (410, True), (408, False), (425, False), (429, False), (500, False)],
)
async def test_a_4xx_is_for_good_and_what_says_later_is_not(
    listener: Listener, hook: WebhookReceiver, status: int, permanent: bool
) -> None:
    listener.status = status
    with pytest.raises(DeliveryError) as caught:
        await hook.send([FIRING], 0.0)
    assert (caught.value.reason, caught.value.permanent) == (f"http_{status}", permanent)
    assert "no, thank you" in str(caught.value)


async def test_retry_after_is_read_as_seconds_and_as_a_date(
    listener: Listener, hook: WebhookReceiver
) -> None:
    listener.status = 503
    expected = {"17": 17.0, "": None, "soon": None, formatdate(time.time() - 99, usegmt=True): 0.0}
    for text, seconds in expected.items():
        listener.headers = {"Retry-After": text}
        with pytest.raises(DeliveryError) as caught:
            await hook.send([FIRING], 0.0)
        assert caught.value.retry_after == seconds
    listener.headers = {"Retry-After": formatdate(time.time() + 1000, usegmt=True)}
    with pytest.raises(DeliveryError) as caught:
        await hook.send([FIRING], 0.0)
    assert caught.value.retry_after is not None
    assert 900 < caught.value.retry_after <= 1000


async def test_a_receiver_that_nobody_answers_for_is_refused_and_may_be_tried_again() -> None:
    settings = WebhookSettings(name="hook", url="http://user:secret@127.0.0.1:1/x")
    hook = WebhookReceiver(settings, Client(settings), external_url=None)
    with pytest.raises(DeliveryError) as caught:
        await hook.send([FIRING], 0.0)
    assert (caught.value.reason, caught.value.permanent) == ("refused", False)
    assert "secret" not in str(caught.value) + hook.endpoint
    await hook.close()


async def test_alertmanager_hears_a_list_and_lets_a_firing_alert_end_by_itself(
    listener: Listener,
) -> None:
    settings = AlertmanagerSettings(name="am", url=f"{listener.url}/prefix/", resend=Duration(60))
    receiver = AlertmanagerReceiver(settings, settings.urls[0], Client(settings), external_url=None)
    assert (receiver.name, receiver.resend) == ("am", 60.0)
    await receiver.send([FIRING, RESOLVED], 1_700_000_100.0)
    [(path, _, body)] = listener.requests
    assert path == "/prefix/api/v2/alerts"
    assert json.loads(body) == [
        {
            "labels": LABELS,
            "annotations": NOTES,
            "startsAt": "2023-11-14T22:13:20.250Z",
            "endsAt": "2023-11-14T22:19:00.000Z",
        },
        {
            "labels": LABELS,
            "annotations": NOTES,
            "startsAt": "2023-11-14T22:13:20.250Z",
            "endsAt": "2023-11-14T22:23:20.000Z",
        },
    ]
    await receiver.send([FIRING] * 150, 1_700_000_100.0)
    assert [len(json.loads(body)) for _, _, body in listener.requests[1:]] == [64, 64, 22]
    await receiver.close()


def test_each_of_several_alertmanagers_is_an_endpoint_of_its_own() -> None:
    settings = AlertmanagerSettings(name="am", url=("http://a:1", "http://b:1"))
    made = [
        AlertmanagerReceiver(settings, url, Client(settings), external_url=None)
        for url in settings.urls
    ]
    assert [r.endpoint for r in made] == ["am http://a:1", "am http://b:1"]
