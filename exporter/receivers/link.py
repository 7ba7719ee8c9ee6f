"""Where slod itself shows what an alert is about."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

_OWN = frozenset(
    {"alertname", "slo", "service", "severity", "state", "long_window", "short_window"}
)


def where(external_url: str | None, labels: Mapping[str, str]) -> str:
    """The page of the alert's objective, the overview where it is of none; empty where nobody said
    how slod is reached from outside."""
    if not external_url:
        return ""
    name = labels.get("slo")
    if not name:
        return f"{external_url}/"
    # The page takes of these what the SLO is grouped by.
    more = {key: value for key, value in labels.items() if key not in _OWN}
    return f"{external_url}/slo/{quote(name, safe='')}" + (f"?{urlencode(more)}" if more else "")
