"""Slack's incoming webhook, field by field as its documentation has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exporter.errors import DeliveryError
from exporter.receivers.base import Receiver
from tests.receivers.kit import FIRING, LABELS, NOTES, NOW, RESOLVED, Listener, like, receiver


def slack(api: Listener, folder: Path, more: str = "") -> Receiver:
    (folder / "slack-url").write_text(f"{api.url}/services/T0/B0/s3cret\n")
    return receiver("slack", f'url_file = "{folder}/slack-url"\n{more}')


def sections(message: dict[str, Any]) -> dict[str, Any]:
    [attachment] = message["attachments"]
    section: dict[str, Any] = attachment["blocks"][0]
    return section


async def test_a_channel_sees_a_header_and_a_coloured_section_with_fields_and_links(
    api: Listener, tmp_path: Path
) -> None:
    told = slack(api, tmp_path)
    await told.send([FIRING], NOW)
    await told.close()
    heard = api.one
    assert (heard.method, heard.path) == ("POST", "/services/T0/B0/s3cret")
    assert heard.headers["Content-Type"] == "application/json"
    assert heard.json == {
        "text": "[page] checkout: error budget burns 20.0x over 1h",
        "blocks": [
            {
                "type": "header",
                "text": {
                    "type": "plain_text",
                    "text": "[page] checkout: error budget burns 20.0x over 1h",
                    "emoji": False,
                },
            }
        ],
        "attachments": [
            {
                "color": "#d72631",
                "blocks": [
                    {
                        "type": "section",
                        "text": {
                            "type": "mrkdwn",
                            "text": "9 bad of 99 events &amp; &lt;rising&gt;.",
                        },
                        "fields": [
                            {"type": "mrkdwn", "text": "*Service*\ncheckout"},
                            {"type": "mrkdwn", "text": "*SLO*\ncheckout-availability"},
                            {"type": "mrkdwn", "text": "*Budget remaining*\n43.2%"},
                            {"type": "mrkdwn", "text": "*Exhausts in*\n1d 2h"},
                            {"type": "mrkdwn", "text": "*Owner*\npayments"},
                            {"type": "mrkdwn", "text": "*Action*\nfreeze deploys"},
                            {"type": "mrkdwn", "text": "*Burns over*\n1h and 5m"},
                            {"type": "mrkdwn", "text": "*Since*\n2023-11-14T22:13:20.250Z"},
                        ],
                    },
                    {
                        "type": "context",
                        "elements": [
                            {
                                "type": "mrkdwn",
                                "text": "<https://runbooks.example/burn?a=1&amp;b=2|Runbook>"
                                " · <https://slod.example/slo/checkout-availability|slod>",
                            }
                        ],
                    },
                ],
            }
        ],
    }


async def test_the_colour_follows_the_severity_and_the_end(api: Listener, tmp_path: Path) -> None:
    told = slack(api, tmp_path)
    await told.send([like({**LABELS, "severity": "ticket"}, NOTES), RESOLVED], NOW)
    await told.close()
    colors = [heard.json["attachments"][0]["color"] for heard in api.requests]
    assert colors == ["#e8912d", "#2e9e5b"]
    assert api.requests[1].json["text"].startswith("[resolved] checkout")


async def test_no_block_is_longer_than_slack_takes(api: Listener, tmp_path: Path) -> None:
    long = "&" * 5000
    notes = dict.fromkeys([*NOTES, "deadline"], long) | {"report": "<" * 9000}
    told = slack(api, tmp_path)
    await told.send([like(LABELS, notes)], NOW)
    await told.close()
    message = api.one.json
    section = sections(message)
    assert len(message["blocks"][0]["text"]["text"]) == 150
    assert 2990 < len(section["text"]["text"]) <= 3000
    assert section["text"]["text"].endswith("&lt;…")
    assert len(section["fields"]) <= 10
    assert 1990 < max(len(field["text"]) for field in section["fields"]) <= 2000
    assert all(
        field["text"].endswith(("&amp;…", "Z", "m", "y", "t")) for field in section["fields"]
    )


async def test_an_alert_that_says_little_is_still_a_message(api: Listener, tmp_path: Path) -> None:
    told = slack(api, tmp_path)
    await told.send([like({"alertname": "GateOverride"}, {})], NOW)
    await told.close()
    message = api.one.json
    assert message["text"] == "GateOverride"
    assert "text" not in sections(message)
    assert [f["text"][:7] for f in sections(message)["fields"]] == ["*Since*"]


async def test_templates_take_the_place_of_title_and_text(api: Listener, tmp_path: Path) -> None:
    told = slack(
        api,
        tmp_path,
        "[receiver.told.templates]\n"
        'title = "{{ status | upper }} {{ slo }}"\n'
        'text = "{{ annotations.owner }} <!channel> {{ labels.long_window }}"\n',
    )
    await told.send([FIRING], NOW)
    await told.close()
    assert api.one.json["text"] == "FIRING checkout-availability"
    # A template is escaped as all else is: what fills it could come from anywhere.
    assert sections(api.one.json)["text"]["text"] == "payments &lt;!channel&gt; 1h"


@pytest.mark.parametrize(
    ("status", "text", "permanent"),
    [
        (400, "invalid_payload", True),
        (403, "action_prohibited", True),
        (404, "no_service", True),
        (410, "channel_is_archived", True),
        (500, "rollup_error", False),
    ],
)
async def test_slacks_errors_are_told_without_the_url(
    api: Listener, tmp_path: Path, status: int, text: str, permanent: bool
) -> None:
    api.status, api.text = status, text
    told = slack(api, tmp_path)
    with pytest.raises(DeliveryError) as caught:
        await told.send([FIRING], NOW)
    await told.close()
    assert (caught.value.reason, caught.value.permanent) == (f"http_{status}", permanent)
    assert str(caught.value) == f"told (Slack) answered {status}: {text}"
    assert "s3cret" not in told.endpoint


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/s3cret", "s3cret", "http://[s3cret", ""])
async def test_an_url_that_nobody_answers_at_is_not_told_either(tmp_path: Path, url: str) -> None:
    (tmp_path / "url").write_text(url)
    told = receiver("slack", f'url_file = "{tmp_path}/url"')
    with pytest.raises(DeliveryError) as caught:
        await told.send([FIRING], NOW)
    await told.close()
    assert not caught.value.permanent
    assert "s3cret" not in str(caught.value)


async def test_a_missing_secret_is_waited_for(tmp_path: Path) -> None:
    told = receiver("slack", f'url_file = "{tmp_path}/nowhere"')
    with pytest.raises(DeliveryError) as caught:
        await told.send([FIRING], NOW)
    assert (caught.value.reason, caught.value.permanent) == ("no_secret", False)
