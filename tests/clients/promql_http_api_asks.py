"""What `promql-http-api` is told by the server at a URL, around a moment, as JSON."""

import json
import sys
from datetime import UTC, datetime, timedelta

from promql_http_api import PromqlHttpApi

url, now = sys.argv[1], datetime.fromtimestamp(float(sys.argv[2]), UTC)
before = now - timedelta(minutes=5)

api = PromqlHttpApi(url)
instant = api.query("slo_objective_ratio", now).to_dataframe()
graph = api.query_range("slo_burn_rate", before, now, "1m").to_dataframe()

told = {
    "objectives": dict(zip(instant["slo"], instant["value"].astype(float), strict=True)),
    "rows": len(graph),
    "labels": api.labels()(),
    "services": api.label_values("service")(),
    "series": len(api.series("slo_objective_ratio")()),
    "formatted": api.format_query("sum(slo_burn_rate)by(slo)>1")(),
    "rules": [group["name"] for group in api.rules()()["groups"]],
    "alerts": len(api.alerts()()["alerts"]),
    "version": api.buildinfo()()["version"],
    "flags": api.flags()(),
}
print(json.dumps(told))
