"""Writes the dashboards: `python -m deploy.grafana.generate`.

They are checked in as JSON, so that nobody who uses them needs this program.
"""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.generate.alerts import alerts
from deploy.grafana.generate.overview import overview
from deploy.grafana.generate.slo import slo
from deploy.grafana.generate.slod import slod

FOLDER = Path(__file__).parent.parent / "dashboards"
DASHBOARDS = {"overview": overview, "slo": slo, "alerts": alerts, "slod": slod}


def text_of(name: str) -> str:
    """A dashboard's file."""
    found = json.loads(json.dumps(DASHBOARDS[name](), cls=JSONEncoder))
    for variable in found["templating"]["list"]:
        # The SDK gives every kind of variable what only an interval has.
        for key in [key for key in variable if key.startswith("auto")]:
            del variable[key]
    return json.dumps(found, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write every file anew."""
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text_of(name), "utf-8")


if __name__ == "__main__":
    main()
