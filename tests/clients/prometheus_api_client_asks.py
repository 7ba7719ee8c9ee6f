"""What `prometheus-api-client` is told by the server at a URL, around a moment, as JSON."""

import json
import sys
from datetime import UTC, datetime, timedelta

from prometheus_api_client import (
    MetricRangeDataFrame,
    MetricsList,
    MetricSnapshotDataFrame,
    PrometheusConnect,
)

url, now = sys.argv[1], datetime.fromtimestamp(float(sys.argv[2]), UTC)
span = {"start_time": now - timedelta(minutes=5), "end_time": now}
at = {"time": now.timestamp()}

client = PrometheusConnect(url=url)
snapshot = MetricSnapshotDataFrame(client.custom_query("slo_objective_ratio", params=at))
graph = client.custom_query_range("slo_burn_rate", step="1m", **span)
chunks = client.get_metric_range_data("slo_objective_ratio", chunk_size=None, **span)
told = {
    "connected": client.check_prometheus_connection(),
    "metrics": client.all_metrics(),
    "labels": client.get_label_names(),
    "services": client.get_label_values("service"),
    "help": client.get_metric_metadata("slo_burn_rate"),
    "objectives": dict(zip(snapshot["slo"], snapshot["value"].astype(float), strict=True)),
    "points": sorted({len(series["values"]) for series in graph}),
    "rows": len(MetricRangeDataFrame(graph)),
    "named": sorted(metric.label_config["slo"] for metric in MetricsList(chunks)),
    "largest": client.get_metric_aggregation("slo_objective_ratio", ["max"], **span, step="60"),
}
print(json.dumps(told))
