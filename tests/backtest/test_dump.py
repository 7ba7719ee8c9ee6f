"""History from a file, through the spool, as the batches that a replay takes."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from math import inf
from pathlib import Path

import pytest

from exporter.backtest.dump import Dump
from exporter.backtest.spool import DAY, Spool, batches
from exporter.core.sample import Batch, NativeHistogram, Reading, Series, Target, Value
from exporter.core.selector import Selector, parse_selector
from exporter.errors import SourceError

T = 1_700_000_000.0
BAD, ALL = parse_selector('req{code="500"}'), parse_selector("req")
Found = Mapping[Selector, Mapping[str, list[tuple[float, Value]]]]


def read(folder: Path, text: str | bytes, *wants: Selector) -> tuple[list[Batch], Dump]:
    file = folder / "dump.om"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    heard: list[float] = []
    with Spool(folder / "samples") as spool:
        spool.expect("slo", "s", wants or (BAD, ALL))
        dump = Dump(file, spool)
        dump.read(heard.append)
    return list(batches(spool.path, spool.indexes["slo"])), dump


def samples(found: list[Batch], want: Selector) -> dict[str, list[tuple[float, Value]]]:
    out: dict[str, list[tuple[float, Value]]] = {}
    for batch in found:
        for reading in batch.readings[want]:
            out.setdefault(reading.series.key, []).extend(reading.samples)
    return out


OPENMETRICS = """\
# HELP req Requests.
# TYPE req counter
req_total{code="200"} 1 1700000000
req{job="j",instance="i:1",code="200"} 5 1700000000
req{job="j",instance="i:1",code="200"} 7.5 1700000030.5
req{job="j",instance="i:1",code="500"} 1 1700000030.5 # {trace_id="} 9 9"} 0.5
other{job="j",instance="i:1"} 5 1700000000
# EOF
"""


@pytest.mark.parametrize("pack", [False, True])
def test_series_that_somebody_wants_are_kept_with_their_times(tmp_path: Path, pack: bool) -> None:
    text = OPENMETRICS.encode()
    found, _ = read(tmp_path, gzip.compress(text) if pack else text)
    ok, error = (f'req{{code="{code}",instance="i:1",job="j"}}' for code in ("200", "500"))
    assert samples(found, ALL) == {
        ok: [(T, 5.0), (T + 30.5, 7.5)],
        error: [(T + 30.5, 1.0)],
    }
    assert samples(found, BAD) == {error: [(T + 30.5, 1.0)]}
    [batch] = found
    assert (batch.complete, batch.own_clock, batch.at) == (True, False, T + 30.5)
    assert {r.series.target for r in batch.readings[ALL]} == {"j/i:1"}


def test_lines_as_promtool_dumps_them_have_milliseconds_and_the_name_among_the_labels(
    tmp_path: Path,
) -> None:
    text = '{__name__="req", code="500", job="j"} 3 1700000000000\n'
    found, _ = read(tmp_path, text)
    assert samples(found, BAD) == {'req{code="500",job="j"}': [(T, 3.0)]}


def test_a_spool_gives_a_day_at_a_time_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    step = 3600
    by_series = [
        f'req{{code="{code}"}} {k} {T + k * step:.0f}\n'
        for code in ("200", "500")
        for k in range(72)
    ]
    by_time = sorted(by_series, key=lambda line: float(line.split()[-1]))
    one, _ = read(tmp_path, "".join(by_series))
    other, _ = read(tmp_path, "".join(by_time))
    assert [b.at for b in one] == [T + DAY, T + 2 * DAY, T + 71 * step]
    assert [b.complete for b in one] == [False, False, True]
    for found in (one, other):
        assert len(samples(found, ALL)) == 2
        assert list(samples(found, BAD).values()) == [[(T + k * step, k) for k in range(72)]]


def test_what_the_dump_says_of_targets_goes_with_the_batches(tmp_path: Path) -> None:
    text = (
        'up{job="j",instance="i"} 0 1700000000\n'
        'up{job="j",instance="i"} 1 1700000060\n'
        'process_start_time_seconds{job="j",instance="i"} 1.6e9 1700000060\n'
        'process_start_time_seconds{job="j",instance="i"} 1.65e9 1700100060\n'
        'req{job="j",instance="i"} 1 1700000060\n'
        'req{job="j",instance="i"} 1 1700100060\n'
    )
    found, _ = read(tmp_path, text)
    first, second = (batch.targets["j/i"] for batch in found)
    assert (first.looks[0], first.started(inf)) == (T + 60, 1.6e9)
    assert second.started(inf) == 1.65e9


def test_created_lines_say_when_a_series_began_wherever_they_stand(tmp_path: Path) -> None:
    counter, buckets = parse_selector("req_total"), parse_selector("h_bucket")
    text = (
        'req_created{job="j"} 1699999000 1700000000\n'
        'req_total{job="j"} 1 1700000000\n'
        'req_total{job="k"} 1 1700000000\n'
        'h_bucket{le="1"} 1 1700000000\n'
        'h_bucket{le="+Inf"} 1 1700000000\n'
        "h_created 1699999500 1700000000\n"
        "h_created 1700000050 1700000060\n"
        # A gauge beside a counter.
        'req_created{job="k"} 17 1700000000\n'
        "other_created 1699999000 1700000000\n"
    )
    [batch], _ = read(tmp_path, text, counter, buckets)
    found = {r.series.key: r.created for want in (counter, buckets) for r in batch.readings[want]}
    assert found == {
        'req_total{job="j"}': 1_699_999_000.0,
        'req_total{job="k"}': None,
        'h_bucket{le="1"}': 1_699_999_500.0,
        'h_bucket{le="+Inf"}': 1_699_999_500.0,
    }


def test_up_may_itself_be_what_an_slo_wants(tmp_path: Path) -> None:
    up = parse_selector("up")
    found, _ = read(tmp_path, 'up{job="j",instance="i"} 1 1700000000\n', up)
    assert samples(found, up) == {'up{instance="i",job="j"}': [(T, 1.0)]}


def test_samples_that_are_not_newer_than_the_one_before_are_counted(tmp_path: Path) -> None:
    text = "req 1 1700000060\nreq 1 1700000060\nreq 1 1700000000\nreq 2 1700000090\n"
    found, dump = read(tmp_path, text)
    assert samples(found, ALL) == {"req{}": [(T + 60, 1.0), (T + 90, 2.0)]}
    assert dump.refused == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("req 1\n", ":1: has no timestamp; "),
        ("# a comment\nreq{ 1 1700000000\n", ":2: is not OpenMetrics"),
        ("req{} many 1700000000\n", ":1: no value and timestamp"),
        ("<html>\n", ":1: is not OpenMetrics"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError, match=r"dump\.om") as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_cut_short_is_an_error_in_one_line(tmp_path: Path) -> None:
    with Spool(tmp_path / "samples") as spool, pytest.raises(SourceError, match="cannot be read"):
        Dump(tmp_path / "none", spool).read(lambda share: None)
    with pytest.raises(SourceError, match="cannot be read"):
        read(tmp_path, gzip.compress(OPENMETRICS.encode() * 100)[:-20])


def test_nothing_wanted_is_no_batch(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "other 1 1700000000\n")
    assert found == []


def test_batches_of_a_source_are_kept_for_whom_they_were_asked_once(tmp_path: Path) -> None:
    native = NativeHistogram(4.0, ((0.5, 1.0, 4.0),))
    plain = Series("req{}", "j/i", {})
    histogram = Series("h{}", "j/i", {})
    with Spool(tmp_path / "samples") as spool:
        spool.expect("one", "s", (BAD, ALL))
        spool.expect("other", "s", (ALL,))
        for at, times in ((T + 60, (T, T + 60)), (T + 2 * DAY, (T + 60, T + 120, T + 2 * DAY))):
            readings: list[Reading] = [Reading(plain, [(time, time - T) for time in times], 5.0)]
            odd: list[tuple[float, Value]] = [(time, native) for time in times]
            batch = Batch("s", at, False, {ALL: [*readings, Reading(histogram, odd)], BAD: []})
            batch.targets = {"j/i": Target(starts=[(at, at)], looks=[at])}
            batch.slos = frozenset({"one", "other"})
            spool.take(batch)
        written = spool.samples
    # Both want the same samples, and ranges overlap.
    assert written == 8
    for name in ("one", "other"):
        found = list(batches(spool.path, spool.indexes[name]))
        assert samples(found, ALL)["req{}"] == [
            (T, 0.0),
            (T + 60, 60.0),
            (T + 120, 120.0),
            (T + 2 * DAY, 2 * DAY),
        ]
        assert [value for _, value in samples(found, ALL)["h{}"]] == [native] * 4
        assert found[0].readings[ALL][0].created == 5.0
        assert found[0].targets["j/i"].looks[0] == T + 60
        assert found[-1].targets["j/i"].started(inf) == T + 2 * DAY
