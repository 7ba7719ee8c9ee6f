// What the client behind Prometheus' own query editor is told by the server at a URL, as JSON.
"use strict";

const { HTTPPrometheusClient } = require("@prometheus-io/codemirror-promql/dist/cjs/client/prometheus.js");

async function told(url, httpMethod) {
  const wrong = [];
  const client = new HTTPPrometheusClient({ url, httpMethod, httpErrorHandler: (error) => wrong.push(`${error}`) });
  return {
    metrics: await client.metricNames(),
    labels: await client.labelNames("slo_burn_rate"),
    services: await client.labelValues("service", "slo_objective_ratio"),
    series: (await client.series("slo_objective_ratio")).length,
    help: (await client.metricMetadata()).slo_burn_rate,
    flags: await client.flags(),
    wrong,
  };
}

(async () => {
  const [url] = process.argv.slice(2);
  console.log(JSON.stringify({ GET: await told(url, "GET"), POST: await told(url, "POST") }));
})();
