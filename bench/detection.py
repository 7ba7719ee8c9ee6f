"""From a fault to the webhook: how long over what arithmetic alone asks for.

A service answers `RATE` requests a second without an error for an hour, then every request fails.
The rule is the workbook's fastest: above 14.4x over 1h and over 5m, objective 99.9%. So much of an
hour's requests must have failed before the burn rate is above 14.4 at all, however often one looks:

    floor = 14.4 * (1 - 0.999) * 3600 s = 51.84 s after the first failed request

(the short window asks for a twelfth of it). A row is the median of what comes on top until the
webhook's receiver has the notification: of many targets, since where the fault meets a scraper's
rhythm is chance. All is real: the hour is in the daemon's state file, the rest is waited for.

The peer is a Prometheus with the same hour, Sloth's two ratios and alert for this rule, scraping
and evaluating at the same interval, and an Alertmanager that does not wait to group (its default is
to wait 30 s); both watch the same targets at the same time.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import history, rules
from bench.measure import Row
from bench.servers import PEERS, alertmanager, here, prometheus, site, slod, until
from exporter.config.duration import approximate
from exporter.config.load import parse
from exporter.core.engine import Engine
from exporter.core.sample import Batch, Target
from exporter.core.selector import Selector
from exporter.sources.exposition import PageReader

RATE = 50.0
_BURN, _OBJECTIVE = 14.4, 0.999
GOALS = {10.0: 6.0, 1.0: 1.0}
CITED = {10.0: 75.0, 1.0: 19.0}
_PEER = "Prometheus and Alertmanager"

_SOURCE = """
[source.{name}]
type = "scrape"
targets = ["{url}"]
interval = "{every}"
[slo.{name}]
objective = 99.9
source = "{name}"
service = "shop"
sli = {{ bad = 'errors_total', total = 'requests_total' }}
alert_policy = "one"
"""
_POLICY = """
[alert_policy.one]
rules = [{{ severity = "page", burn_rate = 14.4, long = "{long}", short = "{short}" }}]
[receiver.hook]
type = "webhook"
url = "http://{address}/slod"
severities = ["page"]
"""
_ROUTES = """
route: {{receiver: hook, group_by: [slo], group_wait: 0s, group_interval: 5m}}
receivers: [{{name: hook, webhook_configs: [{{url: "http://{address}/peer"}}]}}]
"""
_JOB = """
  - job_name: {name}
    scrape_interval: {every}
    scrape_timeout: {every}
    metrics_path: /{name}
    static_configs: [{{targets: ["{address}"]}}]
"""


class Service:
    """The service as its pages show it; `fault`: when its requests began to fail."""

    def __init__(self, long: float) -> None:
        self.begin = time.time() - long - 600.0
        self.fault: float | None = None

    def page(self, at: float) -> bytes:
        """Exact to a fraction of a request, as no real one is."""
        total = (at - self.begin) * RATE
        bad = (at - self.fault) * RATE if self.fault is not None and at > self.fault else 0.0
        kinds = "# TYPE requests_total counter\n", "# TYPE errors_total counter\n"
        return f"{kinds[0]}requests_total {total}\n{kinds[1]}errors_total {bad}\n".encode()


def run(
    intervals: Sequence[float] = (10.0, 1.0),
    targets: int = 40,
    long: float = 3600.0,
    short: float = 300.0,
    peer: bool = True,
    settle: float = 12.0,
) -> list[Row]:
    """Seconds over the floor, for each interval. `settle`: how long all work before the fault."""
    service, seen = Service(long), dict[tuple[str, str], float]()

    def posted(path: str, body: bytes) -> None:
        for alert in json.loads(body)["alerts"]:
            if alert["status"] == "firing":
                seen.setdefault((path[1:], alert["labels"]["slo"]), time.time())

    names = {f"s{i}x{n}": every for i, every in enumerate(intervals) for n in range(targets)}
    floor = _BURN * (1 - _OBJECTIVE) * long
    who = ["slod"]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(site(lambda _: service.page(time.time()), posted))
        if peer and here(*PEERS, "promtool"):
            who.append("peer")
            _start_peer(stack, folder, address, names, service, long, short)
        config = _config(address, names, long, short)
        _remember(folder, config, service, long)
        stack.enter_context(slod(folder, config))
        time.sleep(settle)
        service.fault = time.time()
        every = {(one, name) for one in who for name in names}
        until(
            lambda: every <= seen.keys(),
            "every alert has come",
            floor + 10 * max(intervals) + 60,
            0.1,
        )
        over = {key: at - service.fault - floor for key, at in seen.items()}
    rows = []
    for interval in intervals:
        chosen = [name for name, every in names.items() if every == interval]
        ours = median(over["slod", name] for name in chosen)
        theirs = median(over["peer", name] for name in chosen) if "peer" in who else None
        rows.append(
            Row(
                f"from fault to webhook over the floor, scraped every {interval:g} s",
                ours,
                "s",
                GOALS.get(interval),
                _PEER,
                CITED.get(interval) if theirs is None else theirs,
                cited=theirs is None,
                scales=False,
            )
        )
    return rows


def _config(address: str, names: dict[str, float], long: float, short: float) -> str:
    sources = "".join(
        _SOURCE.format(name=name, url=f"http://{address}/{name}", every=history.duration(interval))
        for name, interval in names.items()
    )
    return (
        _POLICY.format(address=address, long=history.duration(long), short=history.duration(short))
        + sources
    )


def _remember(folder: Path, config: str, service: Service, long: float) -> None:
    """The state file of a daemon that has watched for the long window."""
    slos = parse(config, "bench").slos
    engine, now = Engine(slos, (), approximate), time.time()
    for slo in slos:
        url = next(line for line in config.splitlines() if line.endswith(f'/{slo.name}"]'))
        target = url.split('"')[1]
        wants = [want for want in slo.sli.wants() if isinstance(want, Selector)]
        reader = PageReader(wants, target, {}, max_series=100)
        # The further back, the rarer: only what happened at the window's edges matters.
        for step in range(200, -1, -1):
            at = now - (long + 300.0) * step / 200
            found = reader.read(service.page(at), "text/plain", at)
            batch = Batch(
                slo.source,
                at,
                True,
                targets={target: Target(starts=[(at, found.started)] if found.started else ())},
            )
            batch.readings.update(found.readings.items())
            engine.ingest(batch)
    history.save(engine, f"{folder}/slod.db", lambda: None, 0)


# --- the peer -----------------------------------------------------------------------------------


def _start_peer(
    stack: contextlib.ExitStack,
    folder: Path,
    address: str,
    names: dict[str, float],
    service: Service,
    long: float,
    short: float,
) -> None:
    now = int(time.time())
    with (folder / "history.om").open("w") as out:
        for counter in ("requests", "errors"):
            out.write(f"# TYPE {counter} counter\n")
            for name in names:
                labels = f'{{job="{name}",instance="{address}"}}'
                for at in range(int(now - long - 300), now, 10):
                    value = (at - service.begin) * RATE if counter == "requests" else 0
                    out.write(f"{counter}_total{labels} {value} {at}\n")
        out.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    files = [folder / "history.om", folder / "tsdb"]
    subprocess.run([*command, *files], check=True, capture_output=True)
    rules.write(folder, (_group(name, every, long, short) for name, every in names.items()))
    _, manager = stack.enter_context(alertmanager(folder, _ROUTES.format(address=address)))
    text = (
        f'rule_files: ["{folder}/rules.json"]\n'
        f'alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{manager}"]}}]}}]}}\n'
        "scrape_configs:\n"
    )
    jobs = (
        _JOB.format(name=n, every=history.duration(every), address=address)
        for n, every in names.items()
    )
    stack.enter_context(prometheus(folder, text + "".join(jobs)))


def _group(name: str, interval: float, long: float, short: float) -> dict[str, Any]:
    def ratio(window: float) -> str:
        bad, every = (
            f'{c}_total{{job="{name}"}}[{history.duration(window)}]' for c in ("errors", "requests")
        )
        return f"(sum(rate({bad}))) / (sum(rate({every})))"

    ratios = [
        {"record": f"slo:sli_error:ratio_rate{w}", "expr": ratio(s), "labels": {"slo": name}}
        for w, s in (("5m", short), ("1h", long))
    ]
    above = (f'slo:sli_error:ratio_rate{w}{{slo="{name}"}} > (14.4 * 0.001)' for w in ("5m", "1h"))
    alert = {"alert": "ErrorBudgetBurn", "expr": " and ".join(above)}
    return {"name": name, "interval": history.duration(interval), "rules": [*ratios, alert]}
