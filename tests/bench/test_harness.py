"""The harness: what is committed agrees with what is shown, and a figure that fell is noticed."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import baseline, table
from bench.baseline import Result, compare
from bench.measure import Row

COMMITTED = baseline.load()


def result(row: Row, yardstick: float = 1.0) -> Result:
    return Result("a machine", yardstick, {"some": [row]})


def test_the_tables_in_the_documents_are_those_of_the_baseline() -> None:
    assert COMMITTED is not None
    for name, made in baseline.pages(COMMITTED).items():
        assert baseline.between((baseline.ROOT / name).read_text("utf-8")) == made


def test_the_plot_is_that_of_the_baseline_and_tells_its_figures() -> None:
    assert COMMITTED is not None
    text = (baseline.ROOT / "docs" / "growth.svg").read_text("utf-8")
    assert text == command.picture(COMMITTED)
    told = ET.fromstring(text).findtext("{http://www.w3.org/2000/svg}desc")
    assert told is not None
    for points in COMMITTED.growth.values():
        for x, y in points:
            assert f"{table.plain(y)} at {table.plain(x)} " in told


def test_every_benchmark_has_rows_in_the_baseline() -> None:
    assert COMMITTED is not None
    assert tuple(COMMITTED.rows) == command.NAMES
    assert all(COMMITTED.rows.values())
    names = [row.name for rows in COMMITTED.rows.values() for row in rows]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("now", "times"),
    [
        pytest.param(Row("r", 2.0, "s", peer="p", theirs=20.0), 1.0, id="a slower machine"),
        pytest.param(Row("r", 1.6, "s", peer="p", theirs=10.0), 1.6, id="slower than the peer"),
        pytest.param(Row("r", 0.5, "s", peer="p", theirs=10.0), 0.5, id="faster"),
    ],
)
def test_a_ratio_to_a_peer_is_compared_whatever_the_machine(now: Row, times: float) -> None:
    base = Row("r", 1.0, "s", peer="p", theirs=10.0)
    assert compare(result(now, 9.0), result(base)) == {"r": pytest.approx(times)}


def test_without_the_peer_our_own_figure_is_compared_at_the_machines_speed() -> None:
    base = Row("r", 1.0, "s", peer="p", theirs=10.0)
    for now in (Row("r", 2.0, "s", peer="p"), Row("r", 2.0, "s", peer="p", theirs=1, cited=True)):
        assert compare(result(now, 2.0), result(base, 1.0)) == {"r": pytest.approx(1.0)}


def test_memory_is_compared_as_it_is() -> None:
    base, now = (Row("r", float(n), "B", scales=False) for n in (100, 150))
    assert compare(result(now, 2.0), result(base, 1.0)) == {"r": pytest.approx(1.5)}


def test_a_benchmark_that_fell_by_more_than_a_third_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Row("reading", 1.0, "s", goal=2.0, peer="p", theirs=10.0)]
    for name in ("README.md", "docs/benchmarks.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(baseline.ROOT / name, tmp_path / name)
    (tmp_path / "bench").mkdir()
    monkeypatch.setattr(baseline, "ROOT", tmp_path)
    monkeypatch.setattr(command, "apart", lambda name, full: list(found))

    assert command.main(["parse", "--commit"]) == 0
    assert "| reading | 1 s | 2 s | p: 10 s | 10x |" in (tmp_path / "README.md").read_text()
    found[0] = Row("reading", 1.45, "s", goal=2.0, peer="p", theirs=10.0)
    assert command.main(["parse"]) == 0
    found[0] = Row("reading", 1.55, "s", goal=2.0, peer="p", theirs=10.0)
    assert command.main(["parse"]) == 1
    assert "BEHIND the baseline by more than a third: reading" in capsys.readouterr().out


def test_a_row_says_what_is_not_here_cited_or_not_met() -> None:
    assert table.cells(Row("r", 0.25, "s", 0.1, "p", None))[2:] == (
        "100 ms (not met)",
        "p: NOT HERE",
        "0.4x (goal)",
    )
    assert table.cells(Row("r", 0.5, "s", None, "p", 1.1, cited=True))[3:] == (
        "p: 1.1 s (cited)",
        "2.2x",
    )


def test_figures_have_three_digits_and_a_unit_that_suits() -> None:
    shown = [table.figure(s, "s") for s in (0.00000456, 0.04567, 12.345, 1234.5)]
    assert shown == ["4.56 µs", "45.7 ms", "12.3 s", "1,234 s"]
    assert [table.figure(b, "B") for b in (24 * 1024, 47.25 * 2**20)] == ["24 KiB", "47.2 MiB"]
    assert [table.figure(s, "share") for s in (0.00129, 1e-15)] == ["0.129%", "0%"]
