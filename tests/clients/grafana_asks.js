// Grafana's own data source of the type Prometheus, as its front end uses it, in a page that lies
// on the server itself. What Grafana's back end would pass on is asked straight away.
import { dateTime } from "@grafana/data";
import { PrometheusDatasource } from "@grafana/prometheus";
import { config, setBackendSrv, setTemplateSrv } from "@grafana/runtime";
import { from } from "rxjs";

const RESOURCES = /^.*\/resources\//;

function pairs(of) {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(of ?? {})) {
    for (const one of [value].flat()) if (one !== undefined) out.append(name, one);
  }
  return out;
}

async function ask({ url, method, params, data, headers }, asked) {
  const address = `/${url.replace(RESOURCES, "")}`;
  const query = pairs(params).toString();
  asked.push(`${method} ${address}`);
  const answer = await fetch(query ? `${address}?${query}` : address, {
    method, headers: Object.fromEntries(new Headers(headers)), body: method === "POST" ? pairs(data) : undefined,
  });
  const said = { status: answer.status, ok: answer.ok, data: await answer.json() };
  if (!answer.ok) throw said;
  return said;
}

window.askAsGrafana = async (jsonData, at) => {
  const asked = [];
  config.featureToggles ??= {};
  setBackendSrv({ fetch: (request) => from(ask(request, asked)) });
  const templates = { replace: (text) => text, containsTemplate: () => false, getVariables: () => [] };
  setTemplateSrv(templates);
  const [end, start] = [dateTime(at * 1000), dateTime((at - 600) * 1000)];
  const range = { from: start, to: end, raw: { from: start, to: end } };
  const source = new PrometheusDatasource({
    id: 1, uid: "slod", type: "prometheus", name: "slod", access: "proxy", url: "/slod", meta: {},
    jsonData,
  }, templates);
  await source.languageProvider.start(range);
  const find = async (query) => (await source.metricFindQuery(query, { range })).map(({ text }) => text);
  const tags = async (found) => (await found).map(({ text, value }) => value ?? text);
  const filters = [{ key: "service", operator: "=", value: "shop" }];
  const queries = [{ refId: "A", expr: 'slo_burn_rate{window="1h"}' }];
  await source.loadRules();
  return {
    metrics: source.languageProvider.retrieveMetrics(),
    help: source.languageProvider.retrieveMetricsMetadata().slo_burn_rate,
    slos: await find('label_values(slo_objective_ratio{service="shop"}, slo)'),
    services: await find("label_values(service)"),
    names: await find("metrics(slo_burn_.*)"),
    labels: await find("label_names()"),
    result: await find("query_result(slo_objective_ratio)"),
    keys: await tags(source.getTagKeys({ filters: [], timeRange: range })),
    values: await tags(source.getTagValues({ key: "slo", filters: [], timeRange: range })),
    keysLeft: await tags(source.getTagKeys({ filters, queries, timeRange: range })),
    valuesLeft: await tags(source.getTagValues({ key: "slo", filters, queries, timeRange: range })),
    exemplars: await source.areExemplarsAvailable(),
    rules: Object.keys(source.ruleMappings),
    asked,
  };
};
