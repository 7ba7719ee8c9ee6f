"""The templated request: GitHub's and Jira's as their documentation has them, and bad templates."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from exporter.errors import DeliveryError
from exporter.receivers.base import Receiver
from tests.receivers.examples import example
from tests.receivers.kit import (
    FIRING,
    LABELS,
    NOW,
    RESOLVED,
    Listener,
    from_page,
    like,
    receiver,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "github-token").write_text("s3cret\n")
    (tmp_path / "jira-token").write_text("s3cret\n")
    return tmp_path


def github(api: Listener, folder: Path) -> Receiver:
    url = f'"{api.url}/repos/acme/shop/issues"'
    return from_page(example("GitHub issue", folder=folder, url=url))


async def test_an_issue_is_opened_at_github_and_its_end_is_not_said(
    api: Listener, folder: Path
) -> None:
    api.status = 201
    told = github(api, folder)
    await told.send([FIRING, RESOLVED], NOW)
    await told.close()
    heard = api.one
    assert (heard.method, heard.path) == ("POST", "/repos/acme/shop/issues")
    assert heard.headers["Authorization"] == "Bearer s3cret"
    assert heard.headers["Accept"] == "application/vnd.github+json"
    assert heard.headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert heard.headers["Content-Type"] == "application/json"
    assert heard.headers["User-Agent"].startswith("slod/")
    assert heard.headers["Idempotency-Key"] == FIRING.key
    assert heard.json["title"] == "[page] checkout: error budget burns 20.0x over 1h"
    assert heard.json["body"].startswith("9 bad of 99 events & <rising>.\n\nService: checkout\n")
    assert heard.json["labels"] == ["slo", "page"]
    assert heard.json.keys() == {"title", "body", "labels"}


async def test_githubs_403_with_retry_after_is_later_and_another_one_is_for_good(
    api: Listener, folder: Path
) -> None:
    told = github(api, folder)
    api.status, api.headers = 403, {"Retry-After": "60"}
    with pytest.raises(DeliveryError) as later:
        await told.send([FIRING], NOW)
    api.headers = {}
    with pytest.raises(DeliveryError) as never:
        await told.send([FIRING], NOW)
    await told.close()
    assert (later.value.permanent, later.value.retry_after) == (False, 60.0)
    assert never.value.permanent


async def test_a_ticket_is_made_in_jira(api: Listener, folder: Path) -> None:
    api.status = 201
    url = f'"{api.url}/rest/api/2/issue"'
    told = from_page(example("Jira ticket", folder=folder, url=url))
    await told.send([FIRING], NOW)
    await told.close()
    heard = api.one
    assert (heard.method, heard.path) == ("POST", "/rest/api/2/issue")
    # RFC 7617 of slod@acme.example:s3cret
    assert heard.headers["Authorization"] == "Basic c2xvZEBhY21lLmV4YW1wbGU6czNjcmV0"
    fields = heard.json["fields"]
    assert fields["description"].endswith("slod: https://slod.example/slo/checkout-availability\n")
    del fields["description"]
    assert fields == {
        "project": {"key": "SRE"},
        "issuetype": {"name": "Bug"},
        "summary": "[page] checkout: error budget burns 20.0x over 1h",
        "labels": ["slo", "checkout-availability"],
    }


async def test_the_end_has_a_request_of_its_own(api: Listener) -> None:
    told = receiver(
        "http",
        f'url = "{api.url}/open/{{{{ fingerprint }}}}"\nmethod = "PUT"\nbody = "on"\n'
        'headers = { Content-Type = "text/plain" }\n'
        f'resolved = {{ method = "DELETE", url = "{api.url}/open/{{{{ slo | urlencode }}}}" }}',
    )
    await told.send([FIRING, RESOLVED], NOW)
    await told.close()
    heard = [(h.method, h.path, h.body, h.headers["Content-Type"]) for h in api.requests]
    assert heard == [
        ("PUT", "/open/00ff", b"on", "text/plain"),
        ("DELETE", "/open/checkout-availability", b"", "text/plain"),
    ]


async def test_an_alert_without_what_the_body_asks_for_is_told_in_built_in_words(
    api: Listener,
) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    told = receiver(
        "http",
        f'url = "{api.url}"\nbody = "{{{{ annotations.deadline }}}}"',
        lambda name, outcome: counted.update([(name, outcome)]),
    )
    await told.send([FIRING], NOW)
    await told.close()
    assert api.one.json["title"] == "[page] checkout: error budget burns 20.0x over 1h"
    assert "9 bad of 99 events" in api.one.json["body"]
    assert counted == {("told", "template_error"): 1}


@pytest.mark.parametrize("label", ["a b", "a\nb"])
async def test_a_label_cannot_break_the_url(api: Listener, label: str) -> None:
    told = receiver("http", f'url = "{api.url}/{{{{ slo }}}}"\nbody = "x"')
    with pytest.raises(DeliveryError) as caught:
        await told.send([like({**LABELS, "slo": label}, {})], NOW)
    await told.close()
    assert caught.value.reason == "template"
    assert api.requests == []
