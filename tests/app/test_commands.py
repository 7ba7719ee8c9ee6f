"""`slod` as a process: exit codes, one line on stderr, and a disk that fills up."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import subprocess
import sys
from pathlib import Path

from tests.app.test_daemon import SLO, PageServer, page, until, write
from tests.real.servers import fetch, free_port, process

__all__ = ["page"]

SLOD = [sys.executable, "-m", "exporter"]


def test_a_bad_configuration_is_one_clear_line_for_each_finding_and_exit_code_2(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('[slo.x]\nobjektive = 99\n[sources.y]\ntype = "scrape"\n')
    done = subprocess.run([*SLOD, "run", "-c", str(file)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "bad.toml:2: slo.x.objektive: unknown key" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_configuration_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [*SLOD, "run", "-c", str(tmp_path / "none.toml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_state_folder_that_is_not_there_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    file = tmp_path / "slod.toml"
    file.write_text(f'[server]\nlisten = "127.0.0.1:0"\n[state]\npath = "{tmp_path}/no/slod.db"\n')
    done = subprocess.run([*SLOD, "run", "-c", str(file)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "make it" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_has_help_with_an_example() -> None:
    listed = subprocess.run([*SLOD, "--help"], capture_output=True, text=True).stdout
    commands = re.findall(r"^    ([a-z]+) ", listed, re.MULTILINE)
    assert {"run", "demo", "check", "explain"} <= set(commands)
    for command in commands:
        done = subprocess.run([*SLOD, command, "--help"], capture_output=True, text=True)
        assert done.returncode == 0
        assert re.search(rf"example.*slod {command}", done.stdout, re.DOTALL)


async def test_a_full_disk_degrades_to_memory_says_so_and_recovers(
    tmp_path: Path, page: PageServer
) -> None:
    port = free_port()
    file = write(tmp_path, page, SLO.format(objective=99))
    file.write_text(file.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    url = f"http://127.0.0.1:{port}"

    async def says(path: str, text: bytes) -> bool:
        return text in (await fetch(url + path))[1]

    async with process([*SLOD, "run", "-c", str(file)], tmp_path / "log") as child:
        await until(lambda: says("/-/ready", b"slod is ready"))
        # From now on no file of this process may grow: what a full disk does to it.
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        await until(lambda: says("/metrics", b"\nslod_state_saving 0"))
        await until(lambda: says("/-/ready", b"in memory only"))
        page.counts["200"] = 7
        good = b'slo_events_total{slo="shop",service="shop",result="good"} 7'
        await until(lambda: says("/metrics", good))
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, unlimited)
        await until(lambda: says("/metrics", b"\nslod_state_saving 1"))
        child.kill()
        await asyncio.to_thread(child.wait)
    page.counts["200"] = 9
    async with process([*SLOD, "run", "-c", str(file)], tmp_path / "log"):
        with contextlib.suppress(TimeoutError):
            await until(lambda: says("/metrics", good[:-1] + b"9"))
        assert await says("/metrics", good[:-1] + b"9")
