"""`slod backtest` from its arguments to what it prints."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.cli import main
from exporter.config.duration import parse_duration
from tests.sources.kit import serving

ROOT = Path(__file__).parents[2]
T = 1_700_000_000
CONFIG = """
[source.prom]
type = "prometheus"
url = "http://127.0.0.1:1"
interval = "60s"
[source.pages]
type = "scrape"
targets = ["http://127.0.0.1:1/metrics"]
[slo.shop]
objective = 99.9
window = "7d"
source = "prom"
sli = { bad = 'req{code="500"}', total = 'req' }
[slo.pages]
objective = 99
source = "pages"
sli = { bad = 'other{code="500"}', total = 'other' }
[alert_policy.slow]
rules = [{ severity = "ticket", burn_rate = 2, long = "1h", short = "5m" }]
"""


def dump(days: int = 15) -> str:
    """A request a second; on the third day an hour in which one in ten fails."""
    lines = []
    bad = good = 0
    for k in range(days * 1440):
        failing = 2 * 1440 <= k < 2 * 1440 + 60
        lines.append(f'req{{code="200",job="j",instance="i"}} {good} {T + 60 * k}')
        lines.append(f'req{{code="500",job="j",instance="i"}} {bad} {T + 60 * k}')
        good, bad = good + (54 if failing else 60), bad + (6 if failing else 0)
    return "\n".join(lines) + "\n# EOF\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "dump.om").write_text(dump())
    return tmp_path


def slod(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(["backtest", *arguments])
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_file_is_replayed_and_compared_with_what_if(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = slod(
        capsys, "--file", "dump.om", "--objectives", "99,99.5", "--alert-policy", "slow",
        "--format", "json", "--html", "page.html", "--jobs", "1",
    )  # fmt: skip
    assert code == 0
    assert err == "slod: slo pages: there are no samples of it\n"
    [shop] = json.loads(out)["backtests"]
    assert (shop["slo"], shop["bad"], shop["good"]) == ("shop", 360, 15 * 86400 - 60 - 360)
    compared = [(o["policy"], o["objective"]) for o in shop["outcomes"]]
    assert compared == [(p, o) for p in ("workbook", "slow") for o in (0.999, 0.99, 0.995)]
    configured: dict[str, Any] = shop["outcomes"][0]
    [incident] = configured["incidents"]
    assert incident["start"] == T + 2 * 86400
    assert incident["detected"] is not None
    assert {a["severity"] for a in configured["alerts"]} == {"page", "ticket"}
    assert (configured["periods"], configured["met"]) == (2, 2)
    assert shop["recommendation"]["periods"] == 2
    page = (folder / "page.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "shop" in page


def test_the_table_is_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = slod(capsys, "--file", "dump.om", "--slo", "shop")
    assert code == 0
    assert "shop" in out
    assert "99.9%" in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give either --source NAME or --file FILE"),
        (("--source", "prom", "--file", "dump.om"), 2, "give either"),
        (("--source", "promm"), 2, "there is no [source.promm]; did you mean 'prom'?"),
        (("--source", "pages"), 2, "source pages is scraped and has no history; give it by --file"),
        (("--file", "dump.om", "--slo", "shopp"), 2, "there is no [slo.shopp]; did you mean"),
        (("--file", "dump.om", "--alert-policy", "x"), 2, "there is no [alert_policy.x]"),
        (("--file", "none.om"), 1, "none.om: cannot be read: No such file"),
        (("--file", "config.toml"), 1, "config.toml:2: is not OpenMetrics"),
        (("--source", "prom", "--since", "soon"), 2, "--since: not a duration: 'soon'"),
        (("--source", "prom"), 1, "127.0.0.1:1"),
        (("--file", "dump.om", "--objectives", "100"), 2, "percent above 0 and below 100"),
        (("--file", "dump.om", "--objectives", "99,x"), 2, "percent above 0 and below 100, not x"),
        (("--file", "dump.om", "--significant", "0"), 2, "a share such as 2% or 0.02, not 0"),
        (("--file", "dump.om", "--significant", "much%"), 2, "or 0.02, not much"),
        (("--file", "dump.om", "--html", "no/where.html"), 2, "--html: cannot write no/where.html"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    got, _, err = slod(capsys, *arguments)
    assert got == code
    assert said in err.splitlines()[-1]
    assert "Traceback" not in err


async def test_a_prometheus_is_asked_for_its_history(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time() // 60 * 60

    async def answer(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        query, end = str(form["query"]), float(str(form["time"]))
        selector, _, span = query.rpartition("[")
        result: list[dict[str, Any]] = []
        if selector.startswith("req"):
            reach = float(parse_duration(span.rstrip("]")))
            times = [t for t in _minutes(now) if end - reach < t <= end]
            for code in ("500",) if "500" in selector else ("200", "500"):
                values = [[t, f"{(t - now + 86400) * (code == '200')}"] for t in times]
                metric = {"__name__": "req", "job": "j", "instance": "i", "code": code}
                result.append({"metric": metric, "values": values})
        data = {"resultType": "matrix", "result": result}
        return web.json_response({"status": "success", "data": data})

    async with serving(answer) as url:
        file = folder / "config.toml"
        file.write_text(CONFIG.replace('http://127.0.0.1:1"\ninterval', f'{url}"\ninterval'))
        arguments = ("--source", "prom", "--since", "1d", "--format", "json", "--jobs", "1")
        code, out, err = await asyncio.to_thread(slod, capsys, *arguments)
    assert (code, err) == (0, "")
    [shop] = json.loads(out)["backtests"]
    assert 86400 - 180 <= shop["good"] <= 86400
    assert shop["outcomes"][0]["alerts"] == []


@pytest.mark.parametrize(
    ("form", "said"), [("table", ""), ("json", '{"significant": 0.02, "backtests": []}\n')]
)
def test_no_samples_at_all_is_a_failure(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str, said: str
) -> None:
    code, out, err = slod(capsys, "--file", "dump.om", "--slo", "pages", "--format", form)
    assert (code, out) == (1, said)
    assert err == "slod: slo pages: there are no samples of it\n"


def test_ctrl_c_while_it_reads_ends_it_without_a_word_and_leaves_nothing(folder: Path) -> None:
    spools = folder / "spools"
    spools.mkdir()
    # It goes on when there is a line, and waits for the next one.
    pipe = folder / "pipe.om"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    os.write(writer, b"# HELP a thing\n")
    with subprocess.Popen(
        [sys.executable, "-m", "exporter", "backtest", "--file", str(pipe), "-c", "config.toml"],
        env={**os.environ, "TMPDIR": str(spools), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        until = time.monotonic() + 30
        while not list(spools.glob("*/samples")) and time.monotonic() < until:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    os.close(writer)
    # A shell shows both as 130: said by slod, or by Python at its very end.
    assert (out, err) == (b"", b"")
    assert process.returncode in (130, -signal.SIGINT)
    assert list(spools.iterdir()) == []


def _minutes(now: float) -> list[float]:
    return [now - 60 * k for k in range(1500, -1, -1)]
