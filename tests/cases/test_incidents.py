"""One truth about incidents: backtest, review, page and API of a month, beside what is true."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from exporter.charts import figures
from exporter.cli import main
from exporter.config.moments import parse_moment
from tests.cases.stage import Stage
from tests.cases.upstream import Upstream, series
from tests.months import MINUTE, Month, T, month, seeds

CONFIG = """
[source.prom]
type = "prometheus"
url = "http://prom:9090"
interval = "60s"
backfill = "30d"
[slo.shop]
objective = {objective}
source = "prom"
sli = {{ bad = 'req_total{{code="500"}}', total = 'req_total' }}
"""
GOOD, BAD = (
    series("req_total", code="200", instance="i"),
    series("req_total", code="500", instance="i"),
)
SEEDS = [seed for seed in seeds(3) if month(seed).incidents]
Told = tuple[int, int, int]
"""Begin and end to the second, and bad events."""


def counters(of: Month) -> tuple[list[int], list[int]]:
    """What the counters of good and bad events show at each minute's edge."""
    good = [total - bad for bad, total in zip(of.bad, of.total, strict=True)]
    return [*accumulate(good, initial=0)], [*accumulate(of.bad, initial=0)]


def dump(of: Month, path: Path) -> None:
    """The month as `slod backtest --file` reads it."""
    lines = []
    for code, values in zip(("200", "500"), counters(of), strict=True):
        lines += [
            f'req_total{{code="{code}",instance="i"}} {value} {T + k * MINUTE:.0f}'
            for k, value in enumerate(values)
        ]
    path.write_text("\n".join(lines) + "\n# EOF\n")


async def running(stage: Stage, of: Month) -> None:
    """A daemon that was started at the end of the month."""
    upstream = Upstream(lambda: stage.now)
    for labels, values in zip((GOOD, BAD), counters(of), strict=True):
        for k, value in enumerate(values):
            upstream.write(labels, T + k * MINUTE, float(value))
    stage.network.hosts["prom:9090"] = upstream
    stage.clock.step(T + len(of.bad) * MINUTE + 1 - stage.now)
    await stage.start(CONFIG.format(objective=round(100 * of.objective, 6)))
    for _ in range(100):
        if (await stage.fetch("/-/ready"))[0] == 200:
            break
        await stage.advance(1.0)
    await stage.advance(2.0)


def backtest(stage: Stage, of: Month, path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    dump(of, path)
    stage.file.write_text(stage.file.read_text().replace("127.0.0.1:0", "127.0.0.1:1"))
    capsys.readouterr()
    asked = ["-c", str(stage.file), "--file", str(path), "--format", "json", "--jobs", "1"]
    assert main(["backtest", *asked]) == 0
    [one] = json.loads(capsys.readouterr().out)["backtests"]
    return one["outcomes"][0]


def told(one: Any) -> Told:
    start, end = (
        parse_moment(one[k], None).timestamp() if isinstance(one[k], str) else one[k]
        for k in ("start", "end")
    )
    return round(start), round(end), round(one["bad"])


@pytest.mark.parametrize("seed", SEEDS)
async def test_everybody_tells_the_same_incidents(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    truth = month(seed)
    await running(stage, truth)
    outcome = backtest(stage, truth, tmp_path / "dump.om", capsys)
    replayed = outcome["incidents"]
    answered = (await stage.api("slos/shop/incidents", start=T))["incidents"]
    [review] = (await stage.api("report", period="31d", format="json"))["slos"]
    _, page = await stage.fetch("/slo/shop")

    assert [told(one) for one in answered] == [told(one) for one in replayed]
    assert [told(one) for one in review["incidents"]] == [told(one) for one in replayed]
    shares = [one["spent"] for one in replayed]
    assert [one["budget_share"] for one in answered] == pytest.approx(shares, rel=1e-3)
    assert [one["spent"] for one in review["incidents"]] == pytest.approx(shares, rel=1e-3)
    shown = re.findall(r"incident of (\S+): (\S+) bad events, (\S+) of the budget", page)
    assert set(shown) == {
        (
            figures.lasting(one["end"] - one["start"]),
            figures.number(round(one["bad"])),
            figures.share(one["spent"]),
        )
        for one in replayed
    }
    # And it is what happened.
    for burst in truth.incidents:
        start, end = T + burst.start * MINUTE, T + burst.end * MINUTE
        assert (round(start), round(end), burst.bad) in [told(one) for one in replayed]

    # Nobody could be paged before slod ran; what the rules would have done is what backtest says.
    for mine, theirs in zip(review["incidents"], replayed, strict=True):
        assert mine["before_slod"] and mine["detected"] is None
        for verdict, key in (("would_detect", "detected"), ("would_reset", "reset")):
            # By a thinned ledger: a poll sooner or later.
            assert mine[verdict] == (theirs[key] and pytest.approx(theirs[key], abs=61))
    missed = [one for one in replayed if one["detected"] is None and one["spent"] > 0.02]
    proposed = [one["change"] for one in review["proposals"]]
    assert any("add a page" in change for change in proposed) is bool(missed)
    _, text = await stage.fetch("/api/slo/v1/report?period=31d&format=markdown")
    assert text.count("before slod; backtest: ") == len(replayed)
    capsys.readouterr()
