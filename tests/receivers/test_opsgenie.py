"""Opsgenie's Alert API, field by field as its documentation has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.receivers.base import Receiver
from tests.receivers.kit import FIRING, LABELS, NOTES, NOW, RESOLVED, Listener, like, receiver


@pytest.fixture
def opsgenie(api: Listener, tmp_path: Path) -> Receiver:
    (tmp_path / "key").write_text("g3nie\n")
    api.status, api.text = 202, '{"result":"Request will be processed","took":0.1,"requestId":"x"}'
    text = f'url = "{api.url}"\napi_key_file = "{tmp_path}/key"\ntags = ["slod"]\n'
    return receiver("opsgenie", text + 'priority_map = { ticket = "P4" }')


async def test_an_alert_is_created_under_its_alias(api: Listener, opsgenie: Receiver) -> None:
    await opsgenie.send([FIRING], NOW)
    await opsgenie.close()
    heard = api.one
    assert (heard.method, heard.path, heard.query) == ("POST", "/v2/alerts", {})
    assert heard.headers["Authorization"] == "GenieKey g3nie"
    assert heard.headers["Content-Type"] == "application/json"
    alert = heard.json
    description = alert.pop("description")
    assert alert == {
        "message": "checkout: error budget burns 20.0x over 1h",
        "alias": "00ff",
        "priority": "P1",
        "tags": [
            "slod",
            "alertname:ErrorBudgetBurn",
            "severity:page",
            "service:checkout",
            "slo:checkout-availability",
        ],
        "details": {**LABELS, **NOTES},
        "entity": "checkout",
        "source": "slod",
    }
    assert description.startswith("9 bad of 99 events & <rising>.\n\nService: checkout\n")
    assert "\nRunbook: https://runbooks.example/burn?a=1&b=2\n" in description


async def test_its_end_closes_it_by_the_alias(api: Listener, opsgenie: Receiver) -> None:
    await opsgenie.send([RESOLVED], NOW)
    await opsgenie.close()
    heard = api.one
    assert (heard.method, heard.path) == ("POST", "/v2/alerts/00ff/close")
    assert heard.query == {"identifierType": "alias"}
    assert heard.headers["Authorization"] == "GenieKey g3nie"
    assert heard.json == {
        "source": "slod",
        "note": "slod: resolved. checkout: error budget burns 20.0x over 1h",
    }


async def test_nothing_is_longer_than_opsgenie_takes(api: Listener, opsgenie: Receiver) -> None:
    labels = {"severity": "ticket", "slo": "s" * 999, "team": "t" * 7000}
    notes = {"summary": "x" * 999, "description": "d" * 20_000, "report": "r" * 20_000}
    await opsgenie.send([like(labels, notes)], NOW)
    await opsgenie.close()
    alert = api.one.json
    assert (len(alert["message"]), len(alert["description"]), len(alert["entity"])) == (
        130,
        15_000,
        512,
    )
    assert alert["priority"] == "P4"
    assert max(map(len, alert["tags"])) == 50
    assert sum(len(k) + len(v) for k, v in alert["details"].items()) <= 8000
