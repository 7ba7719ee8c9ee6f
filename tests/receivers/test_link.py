"""Links in notifications lead to the objective, or its group, on slod's own pages."""

from __future__ import annotations

import pytest

from exporter.receivers.link import where


@pytest.mark.parametrize(
    ("external", "labels", "url"),
    [
        (None, {"slo": "a"}, ""),
        ("", {"slo": "a"}, ""),
        ("https://x/slod", {"alertname": "ReliabilityReview"}, "https://x/slod/"),
        ("https://x", {"slo": "a b?", "severity": "page"}, "https://x/slo/a%20b%3F"),
        ("https://x", {"slo": "a", "route": "/p&q"}, "https://x/slo/a?route=%2Fp%26q"),
    ],
)
def test_a_link_leads_to_what_the_alert_is_about(
    external: str | None, labels: dict[str, str], url: str
) -> None:
    assert where(external, labels) == url
