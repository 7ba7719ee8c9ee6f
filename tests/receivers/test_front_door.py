"""A daemon whose SLO burns: every receiver hears of it, once, and of its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.test_daemon import PageServer, page, running, until, value
from tests.receivers.kit import Listener
from tests.receivers.smtp import Post, post_office

__all__ = ["page"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RECEIVERS = """
[server]
listen = "127.0.0.1:0"
[state]
path = ":memory:"
[source.app]
type = "scrape"
targets = ["{page}"]
interval = "50ms"
[alert_policy.quick]
rules = [{{ severity = "page", burn_rate = 1, long = "2s", short = "1s" }}]
[slo.shop]
objective = 99
sli = {{ bad = 'requests_total{{code="500"}}', total = 'requests_total' }}
alert_policy = "quick"
[receiver.slack]
type = "slack"
url_file = "{folder}/slack"
severities = ["page"]
[receiver.slack.templates]
title = "{{{{ annotations.nowhere }}}}"
[receiver.pager]
type = "pagerduty"
url = "{api}/pagerduty"
routing_key_file = "{folder}/key"
severities = ["page"]
[receiver.opsgenie]
type = "opsgenie"
url = "{api}/opsgenie"
api_key_file = "{folder}/key"
severities = ["page"]
[receiver.issue]
type = "http"
url = "{api}/issues"
body = '{{"title": {{{{ title | tojson }}}}}}'
severities = ["page"]
[receiver.apprise]
type = "apprise"
urls_file = "{folder}/urls"
severities = ["page"]
[receiver.mail]
type = "email"
host = "127.0.0.1"
port = {smtp}
tls = "none"
from = "slod@example.org"
to = ["sre@example.org"]
severities = ["page"]
"""
FIRED = ["/apprise", "/issues", "/opsgenie/v2/alerts", "/pagerduty", "/slack"]


async def test_a_burn_reaches_every_receiver_and_so_does_its_end(
    tmp_path: Path, page: PageServer, api: Listener
) -> None:
    (tmp_path / "slack").write_text(f"{api.url}/slack")
    (tmp_path / "key").write_text("k")
    (tmp_path / "urls").write_text(api.url.replace("http://", "json://") + "/apprise")
    file = tmp_path / "slod.toml"
    async with post_office() as post:
        file.write_text(
            RECEIVERS.format(page=page.url, folder=tmp_path, api=api.url, smtp=post.port)
        )
        async with running(file) as daemon:
            await until(counting(page, post, 1, bad=5))
            await until(heard(api, 5))
            assert sorted(h.path for h in api.requests) == FIRED
            await until(counting(page, post, 2, bad=0))
            await until(heard(api, 9))
            alias = api.requests[[h.path for h in api.requests].index("/opsgenie/v2/alerts")]
            ended = sorted(h.path for h in api.requests[5:])
            assert ended == [
                "/apprise",
                f"/opsgenie/v2/alerts/{alias.json['alias']}/close",
                "/pagerduty",
                "/slack",
            ]
            for name in ("slack", "pager", "opsgenie", "issue", "apprise", "mail"):
                series = f'slod_notifications_total{{receiver="{name}",outcome="delivered"}}'
                assert await value(daemon, series) == 2
    assert [mail["Subject"].partition("]")[0] for mail in post.mails] == ["[page", "[resolved"]


def counting(page: PageServer, post: Post, mails: int, *, bad: int) -> Callable[..., object]:
    """Goes on serving requests until so many mails came."""

    async def look() -> bool:
        page.counts["200"] += 5
        page.counts["500"] = page.counts.get("500", 0) + bad
        return len(post.mails) >= mails

    return look


def heard(api: Listener, count: int) -> Callable[..., object]:
    async def look() -> bool:
        return len(api.requests) >= count

    return look
