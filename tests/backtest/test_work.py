"""Processes that replay: what becomes of them when one is killed, or all are told to stop."""

from __future__ import annotations

import os
import signal
from multiprocessing import active_children
from pathlib import Path

import pytest

from exporter.backtest.spool import Spool
from exporter.backtest.variant import Variant
from exporter.backtest.work import every
from exporter.core.sample import Series
from exporter.core.slo import SLO, CounterSLI
from exporter.errors import SlodError
from tests.backtest.histories import configured, errors, plain


def spooled(folder: Path, slo: SLO) -> Spool:
    sli = slo.sli
    assert isinstance(sli, CounterSLI)
    assert sli.bad
    assert sli.total
    with Spool(folder / "samples") as spool:
        spool.expect(slo.name, slo.source, sli.wants())
        index = spool.indexes[slo.name]
        for want, samples in zip((sli.bad, sli.total), errors(86_400, []), strict=True):
            strand = spool.strand(index, want, Series("s", "t", {}))
            spool.note(index, strand, spool.write(samples), samples[0][0], samples[-1][0])
    return spool


def work(of: SLO, many: int) -> list[tuple[SLO, list[Variant]]]:
    return [(of, [configured(of)])] * many


def test_results_come_in_the_order_of_the_slos_and_progress_goes_up(tmp_path: Path) -> None:
    slo = plain()
    heard: list[float] = []
    found = every(work(slo, 3), spooled(tmp_path, slo), 0.02, 2, heard.append)
    assert [one.good for one in found] == [8_640_000] * 3
    assert heard == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_a_process_that_is_killed_is_an_error_in_one_line(tmp_path: Path) -> None:
    slo = plain()

    def kill(share: float) -> None:
        for child in active_children():
            assert child.pid
            os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(SlodError, match=r"was killed.*--jobs"):
        every(work(slo, 20), spooled(tmp_path, slo), 0.02, 1, kill)
    assert active_children() == []


def test_ctrl_c_ends_the_processes(tmp_path: Path) -> None:
    slo = plain()

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        every(work(slo, 20), spooled(tmp_path, slo), 0.02, 2, stop)
    assert active_children() == []
