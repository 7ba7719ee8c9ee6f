"""Every query of the dashboards, with values in place of Grafana's variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "deploy" / "grafana" / "dashboards"
DEFAULTS = {
    "__interval": "1m",
    "__rate_interval": "5m",
    "__range": "1h",
    "instance": ".*",
    "service": ".*",
    "slo": ".*",
    "window": "1h",
}


def dashboards() -> dict[str, dict[str, Any]]:
    """As they are checked in, by the name of the file."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.iterdir())}


def targets(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What its panels and its marks for alerts ask."""
    for panel in dashboard["panels"]:
        yield from panel.get("targets", ())
    for annotation in dashboard["annotations"]["list"]:
        if annotation["datasource"]["type"] == "prometheus":
            yield annotation["target"]


def substituted(expr: str, **values: str) -> str:
    """A query as the data source gets it; a variable without a value is a KeyError."""
    known = {**DEFAULTS, **values}
    return re.sub(r"\$\{?(\w+)\}?", lambda found: known[found[1]], expr)


def queries(**values: str) -> list[str]:
    """All of them, each once, in order; `values` are of variables, beside the defaults."""
    found = (
        substituted(target["expr"], **values)
        for dashboard in dashboards().values()
        for target in targets(dashboard)
    )
    return list(dict.fromkeys(found))
