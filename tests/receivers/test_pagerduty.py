"""PagerDuty's Events API v2, field by field as its documentation has it."""

from __future__ import annotations

import pytest

from exporter.errors import DeliveryError
from exporter.receivers.base import Receiver
from tests.receivers.kit import FIRING, LABELS, NOTES, NOW, RESOLVED, Listener, like, receiver

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def pager(api: Listener, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setenv("PD_KEY", KEY)
    api.status = 202
    text = f'url = "{api.url}/v2/enqueue"\nrouting_key_env = "PD_KEY"\n'
    return receiver("pagerduty", text + 'severity_map = { info = "info" }')


async def test_an_alert_triggers_an_incident(api: Listener, pager: Receiver) -> None:
    await pager.send([FIRING], NOW)
    await pager.close()
    heard = api.one
    assert (heard.method, heard.path) == ("POST", "/v2/enqueue")
    assert heard.headers["Content-Type"] == "application/json"
    event = heard.json
    details = event["payload"].pop("custom_details")
    assert event == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "00ff",
        "payload": {
            "summary": "checkout: error budget burns 20.0x over 1h",
            "source": "checkout",
            "severity": "critical",
            "timestamp": "2023-11-14T22:13:20.250Z",
            "component": "checkout-availability",
            "group": "checkout",
            "class": "ErrorBudgetBurn",
        },
        "links": [
            {"href": "https://runbooks.example/burn?a=1&b=2", "text": "Runbook"},
            {"href": "https://slod.example/slo/checkout-availability", "text": "slod"},
        ],
        "client": "slod",
        "client_url": "https://slod.example/slo/checkout-availability",
    }
    assert details.items() >= {**LABELS, **NOTES, "Budget remaining": "43.2%"}.items()


async def test_its_end_resolves_the_incident(api: Listener, pager: Receiver) -> None:
    await pager.send([RESOLVED], NOW)
    await pager.close()
    assert api.one.json == {
        "routing_key": KEY,
        "event_action": "resolve",
        "dedup_key": "00ff",
    }


async def test_severities_are_pagerdutys_own_and_the_summary_is_short(
    api: Listener, pager: Receiver
) -> None:
    for severity in ("page", "ticket", "info", "other"):
        await pager.send([like({"severity": severity}, {"summary": "x" * 2000})], NOW)
    await pager.close()
    events = [heard.json["payload"] for heard in api.requests]
    assert [e["severity"] for e in events] == ["critical", "warning", "info", "warning"]
    assert {len(e["summary"]) for e in events} == {1024}
    assert {e["source"] for e in events} == {"slod"}


async def test_a_refused_event_is_given_up_without_showing_the_key(
    api: Listener, pager: Receiver
) -> None:
    api.status, api.text = 400, '{"status":"invalid event","errors":["bad routing_key"]}'
    with pytest.raises(DeliveryError) as caught:
        await pager.send([FIRING], NOW)
    await pager.close()
    assert caught.value.permanent
    assert KEY not in str(caught.value)
    assert "invalid event" in str(caught.value)
