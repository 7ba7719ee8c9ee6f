"""The peer of a tick: a real Prometheus that evaluates Sloth's rules, with a month of history.

The rules are those that Sloth 0.11 generates for an SLO on counters: eight ratios, seven facts
about the SLO, two alerts. Source: github.com/slok/sloth, its default plugins.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench import history
from bench.measure import cpu_seconds
from bench.servers import get, prometheus, site, until

NAME = "Prometheus with Sloth's rules"
_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
_EVERY = 4.0
_GROUPS = 3

CONFIG = """
global: {{scrape_interval: {interval}, evaluation_interval: {interval}}}
rule_files: ["{folder}/rules*.json"]
scrape_configs: [{{job_name: app, static_configs: [{{targets: ["{target}"]}}]}}]
"""


def groups(n: int) -> list[dict[str, Any]]:
    """The three rule groups of the SLO with this number; JSON is YAML too."""
    own = {"sloth_id": f"shop-s{n}", "sloth_service": "shop", "sloth_slo": f"s{n}"}
    which = "{" + ", ".join(f'{k}="{v}"' for k, v in own.items()) + "}"
    joined = f"/ on(sloth_id, sloth_slo, sloth_service) group_left slo:error_budget:ratio{which}"

    def record(name: str, expr: str, **more: str) -> dict[str, Any]:
        return {"record": name, "expr": expr, "labels": {**own, **more}}

    def ratio(window: str) -> str:
        bad, every = (f'{c}_total{{slo="{n}"}}[{window}]' for c in ("errors", "requests"))
        return f"(sum(rate({bad}))) / (sum(rate({every})))"

    month = f"slo:sli_error:ratio_rate5m{which}[30d]"
    period = f"sum_over_time({month}) / ignoring(sloth_window) count_over_time({month})"
    ratios = [record(f"slo:sli_error:ratio_rate{w}", ratio(w), sloth_window=w) for w in _WINDOWS]
    ratios.append(record("slo:sli_error:ratio_rate30d", period, sloth_window="30d"))
    facts = [
        record("slo:objective:ratio", "vector(0.999)"),
        record("slo:error_budget:ratio", "vector(1-0.999)"),
        record("slo:time_period:days", "vector(30)"),
        record("slo:current_burn_rate:ratio", f"slo:sli_error:ratio_rate5m{which} {joined}"),
        record("slo:period_burn_rate:ratio", f"slo:sli_error:ratio_rate30d{which} {joined}"),
        record("slo:period_error_budget_remaining:ratio", f"1 - slo:period_burn_rate:ratio{which}"),
        record("sloth_slo_info", "vector(1)"),
    ]

    def above(window: str, rate: float) -> str:
        over = f"slo:sli_error:ratio_rate{window}{which} > ({rate:g} * 0.001)"
        return f"max({over}) without (sloth_window)"

    def alert(severity: str, *pairs: tuple[str, str, float]) -> dict[str, Any]:
        both = (f"({above(short, rate)} and {above(long, rate)})" for long, short, rate in pairs)
        return {
            "alert": "ErrorBudgetBurn",
            "expr": " or ".join(both),
            "labels": {**own, "severity": severity},
        }

    alerts = [
        alert("page", ("1h", "5m", 14.4), ("6h", "30m", 6)),
        alert("ticket", ("1d", "2h", 3), ("3d", "6h", 1)),
    ]
    kinds = {"sli-recordings": ratios, "meta-recordings": facts, "alerts": alerts}
    return [{"name": f"sloth-slo-{k}-shop-s{n}", "rules": r} for k, r in kinds.items()]


def write(folder: Path, made: Iterable[dict[str, Any]]) -> None:
    """The rule file."""
    (folder / "rules.json").write_text(json.dumps({"groups": list(made)}))


def seconds_per_evaluation(slos: int = 10, rounds: int = 3, idle: float = 4.0) -> float:
    """CPU seconds of all rules of one SLO, what the same Prometheus needs without rules left out.

    It has scraped once a minute for three days, and holds the recorded ratio of 30.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, now = Path(name), time.time()
        begin = now - 31 * 86_400
        _backfill(folder, slos, begin, now)
        with site(lambda _: history.page(slos, time.time() - begin)) as target:
            config = CONFIG.format(interval=f"{_EVERY:g}s", folder=folder, target=target)
            flags = ("--storage.tsdb.retention.time=60d",)
            with prometheus(folder, config, *flags) as (process, url):
                time.sleep(_EVERY)
                before, since = cpu_seconds(process.pid), time.monotonic()
                time.sleep(idle)
                spare = (cpu_seconds(process.pid) - before) / (time.monotonic() - since)
                write(folder, (g for n in range(slos) for g in groups(n)))
                process.send_signal(signal.SIGHUP)
                every = _GROUPS * slos
                until(lambda: evaluated(url) >= every, "every rule was evaluated once")
                before, since, done = cpu_seconds(process.pid), time.monotonic(), evaluated(url)
                until(lambda: evaluated(url) >= done + rounds * every, "rules are evaluated")
                used = cpu_seconds(process.pid) - before - spare * (time.monotonic() - since)
                return used / ((evaluated(url) - done) / _GROUPS)


def evaluated(url: str) -> float:
    """Evaluations of rule groups since the start."""
    lines = (get(f"{url}/metrics") or b"").decode().splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("prometheus_rule_group_iterations_total{")
    )


def _backfill(folder: Path, slos: int, begin: float, now: float) -> None:
    """Blocks of what was scraped and recorded each minute."""
    rng = random.Random(5)
    file = folder / "history.om"
    with file.open("w") as out:
        for counter, grows in (("requests", lambda n: 50 + n % 7), ("errors", _errors)):
            out.write(f"# TYPE {counter} counter\n")
            for n in range(slos):
                labels = f'{{slo="{n}",job="app",instance="past"}}'
                out.writelines(
                    f"{counter}_total{labels} {int((at - begin) * grows(n))} {at}\n"
                    for at in range(int(now - 3 * 86_400), int(now) - 1, 60)
                )
        out.write("# TYPE slo:sli_error:ratio_rate5m gauge\n")
        for n in range(slos):
            own = f'sloth_id="shop-s{n}",sloth_service="shop",sloth_slo="s{n}",sloth_window="5m"'
            out.writelines(
                f"slo:sli_error:ratio_rate5m{{{own}}} {rng.random() / 1000} {at}\n"
                for at in range(int(now - 30 * 86_400), int(now) - 1, 60)
            )
        out.write("# EOF\n")
    # Without the limit it would read the whole file once for every two hours.
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=162h"]
    subprocess.run([*command, "--quiet", file, folder / "tsdb"], check=True, capture_output=True)
    file.unlink()


def _errors(n: int) -> float:
    return 1 / (20 + n % 7)
