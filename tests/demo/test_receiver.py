from __future__ import annotations

import io
from typing import Any

import aiohttp

from exporter.demo.receiver import ConsoleReceiver, block

FIRING = {
    "status": "firing",
    "labels": {
        "alertname": "ErrorBudgetBurn",
        "slo": "checkout-availability",
        "service": "checkout",
        "severity": "page",
        "long_window": "20s",
        "short_window": "5s",
    },
    "annotations": {
        "summary": "burns 48 times too fast",
        "budget_remaining": "0.7102",
        "exhausts_in": "2m7s",
    },
}


async def post(receiver: ConsoleReceiver, body: Any) -> int:
    port = await receiver.start()
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{port}/", json=body) as answer,
        ):
            return answer.status
    finally:
        await receiver.stop()


async def test_each_alert_of_a_message_is_shown_as_a_block() -> None:
    out = io.StringIO()
    resolved = {**FIRING, "status": "resolved"}
    assert await post(ConsoleReceiver(out), {"version": "4", "alerts": [FIRING, resolved]}) == 200
    assert out.getvalue() == (
        "\n"
        "| PAGE FIRING  ErrorBudgetBurn\n"
        "| service=checkout slo=checkout-availability long_window=20s short_window=5s\n"
        "| burns 48 times too fast\n"
        "| budget remaining: 71.0%, gone in 2m7s if this goes on\n"
        "\n"
        "\n"
        "| page resolved  ErrorBudgetBurn\n"
        "| service=checkout slo=checkout-availability long_window=20s short_window=5s\n"
        "| burns 48 times too fast\n"
        "| budget remaining: 71.0%\n"
        "\n"
    )


async def test_what_is_no_alert_is_refused_and_nothing_shown() -> None:
    out = io.StringIO()
    assert await post(ConsoleReceiver(out), {"alerts": "none"}) == 400
    assert out.getvalue() == ""


def test_on_a_terminal_a_page_is_red_and_its_end_green() -> None:
    assert "\x1b[1;31mPAGE FIRING" in block(FIRING, color=True)
    assert "\x1b[1;32mpage resolved" in block({**FIRING, "status": "resolved"}, color=True)


def test_what_comes_from_the_network_does_not_steer_the_terminal() -> None:
    evil = {**FIRING, "annotations": {"summary": "\x1b[2Jgone\nline"}}
    shown = block(evil, color=False)
    assert "\x1b" not in shown
    assert "| \\x1b[2Jgone\\nline\n" in shown


def test_an_alert_without_most_of_its_labels_is_still_shown() -> None:
    assert "ALERT FIRING" in block(
        {"status": "firing", "labels": {"alertname": "X"}, "annotations": {}}, color=False
    )


def test_a_spent_budget_has_no_time_left_to_tell() -> None:
    spent = {**FIRING, "annotations": {"budget_remaining": "-0.3", "exhausts_in": "0s"}}
    assert "budget remaining: -30.0%\n" in block(spent, color=False)
