"""`slod report` against a daemon of this process, and what its endpoint refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.app.daemon import Daemon
from exporter.cli import main
from tests.app.test_daemon import SLO, PageServer, page, ready, running, until, write

__all__ = ["page"]

Slod = Callable[..., Awaitable[tuple[int, str, str]]]
API = "/api/slo/v1/report"


@pytest.fixture
async def daemon(tmp_path: Path, page: PageServer) -> AsyncIterator[Daemon]:
    async with running(write(tmp_path, page, SLO.format(objective=99))) as daemon:
        await until(ready(daemon))
        yield daemon


@pytest.fixture
async def slod(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> Slod:
    """Runs the command: exit code, what it printed, what it complained of."""

    async def command(*args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        url = ["--url", f"http://127.0.0.1:{daemon.port}"]
        code = await asyncio.to_thread(main, ["report", *url, *args])
        lines = capsys.readouterr()
        # The daemon of this process logs to the same place.
        out = [ln for ln in lines.out.splitlines() if "[info" not in ln and "[debug" not in ln]
        return code, "\n".join(out), lines.err

    return command


async def test_markdown_is_printed_and_files_are_written_by_their_names(
    slod: Slod, tmp_path: Path
) -> None:
    code, out, err = await slod()
    assert (code, err) == (0, "") and out.startswith("# Reliability review\n")
    for name, begin in (("r.md", "# Rel"), ("r.html", "<!DOCTYPE html>"), ("r.json", "{")):
        assert (await slod("--period", "1h", "-o", str(tmp_path / name)))[0] == 0
        assert (tmp_path / name).read_text().startswith(begin)
    assert (await slod("--format", "json", "-o", str(tmp_path / "r.txt")))[0] == 0
    [one] = json.loads((tmp_path / "r.txt").read_text())["slos"]
    assert one["slo"] == "shop"


async def test_the_next_one_begins_where_the_last_one_ended_that_was_written(
    slod: Slod, tmp_path: Path
) -> None:
    async def since_last(*args: str) -> dict[str, Any]:
        code, out, err = await slod("--since", "last", "--format", "json", *args)
        assert (code, err) == (0, "")
        found: dict[str, Any] = json.loads(out)
        return found

    first = await since_last()
    assert first["end"] - first["start"] == pytest.approx(30 * 86_400)
    # One that could not be written, and one about another time, do not count.
    code, _, err = await slod("--since", "last", "-o", str(tmp_path / "no" / "r.md"))
    assert code == 2 and "cannot write" in err
    assert (await slod())[0] == 0
    second = await since_last("--service", "shop")
    assert second["start"] == pytest.approx(first["end"], abs=0.01)


async def test_what_cannot_be_asked_is_said_in_one_line(slod: Slod) -> None:
    for args, code, words in (
        (("-o", "review.pdf"), 2, "end it in .md, .html or .json"),
        (("--period", "soon"), 2, "period: not a duration: 'soon'"),
        (("--period", "1s"), 2, "period: 1s is not between 1m and 400d"),
        (("--since", "2150-01-01"), 2, "since: must lie in the past"),
        (("--since", "yesterday"), 2, "since: not a time: 'yesterday'"),
        (("--service", "shpo"), 2, "there is no service 'shpo'; did you mean 'shop'?"),
        (("--url", "http://127.0.0.1:1"), 3, "cannot reach the daemon"),
    ):
        got, out, err = await slod(*args)
        assert (got, out) == (code, "") and words in err and err.count("\n") == 1, args


async def test_what_the_endpoint_refuses_and_takes(daemon: Daemon) -> None:
    base = f"http://127.0.0.1:{daemon.port}{API}"
    json_ = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session:

        async def get(query: str) -> int:
            async with session.get(base + query) as answer:
                return answer.status

        async def post(end: object, **headers: str) -> int:
            body = json.dumps({"end": end})
            async with session.post(f"{base}/last", data=body, headers=headers) as answer:
                return answer.status

        assert await get("?format=pdf") == 400
        assert await get("?period=1h&since=last") == 400
        assert await get("?since=2h") == await get("?since=2020-01-01") - 200 == 200
        assert await post("2026-01-01", **json_) == 200
        assert await post("never", **json_) == await post("2199-01-01", **json_) == 400
        assert await post("2026-01-01", Origin="https://evil.example", **json_) == 403
        async with session.get(f"http://127.0.0.1:{daemon.port}/api/slo/v1/openapi.json") as said:
            paths = (await said.json())["paths"]
    assert {API, f"{API}/last"} <= set(paths)
