"""Protobuf page after page: a reader says of each what one says that never saw another."""

from __future__ import annotations

import random

import pytest

from exporter.core.selector import Selector
from exporter.sources.exposition import PageReader
from exporter.sources.exposition.wire import Malformed, spans
from tests.sources.pages import NOW, PROTOBUF, reader
from tests.support import instructions
from tests.wire import double, family, label, message, varint, whole

WANTS = ("c_total", 'h_bucket{le="0.5"}', "h_count", "h_sum", "g", "s_count", "u")
CREATED = whole(1, 1_700_000_000) + whole(2, 5)


def said(of: PageReader, body: bytes) -> object:
    page = of.read(body, PROTOBUF, NOW)
    facts = {
        want.name: [(r.series.key, repr(r.samples), r.created) for r in some]
        for want, some in page.readings.items()
    }
    return facts, page.started, page.refused, page.samples, page.types


class App:
    """A process whose metrics move, mostly in their values only."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._counts = [0] * 6

    def page(self) -> bytes:
        rng = self._rng
        for i in range(len(self._counts)):
            self._counts[i] += rng.choice([0, 1, 1, 100, 20_000])
        labels = [label("code", code) + label("n", "é") for code in ("200", "404", "500")]
        if rng.random() < 0.1:
            rng.shuffle(labels)
        if rng.random() < 0.1:
            labels.pop()
        one = rng.choice([0, 3]) if rng.random() < 0.1 else 0
        body = 3 if one == 0 else 5
        parts = [
            family("c_total", one, *(own + message(body, self._value(i)) + self._time()
                                     for i, own in enumerate(labels))),
            family("h", 4, *(own + message(7, self._histogram(i)) for i, own in enumerate(labels))),
            family("g", 1, message(2, double(1, rng.random()))),
            family("s", 2, message(4, whole(1, self._counts[0]), double(2, rng.random()))),
            family("process_start_time_seconds", 1, message(2, double(1, 1.0 + rng.randrange(2)))),
            family("u", 3, message(5), message(5, double(1, 1.0), double(1, 2.0))),
        ]  # fmt: skip
        if rng.random() < 0.1:
            rng.shuffle(parts)
        return b"".join(parts)

    def _value(self, i: int) -> bytes:
        exemplar = message(2, label("trace", "x"), double(2, 1.0))
        now_and_then = exemplar * (self._rng.random() < 0.1)
        return double(1, float(self._counts[i])) + now_and_then + message(3, CREATED)

    def _time(self) -> bytes:
        return whole(6, 1_700_000_000_000) * (self._rng.random() < 0.1)

    def _histogram(self, i: int) -> bytes:
        rng, count = self._rng, self._counts[i]
        buckets = [(0.1, count // 2), (0.5, count), (1.0, count + 7)]
        if rng.random() < 0.2:
            buckets.append((float("inf"), count + 9))
        odd = rng.random()
        inside = b"".join(
            message(
                3,
                # Three bytes for a small number are allowed; a float overrides it.
                varint(1 << 3) + bytes([n & 0x7F | 0x80, n >> 7 & 0x7F | 0x80, n >> 14 & 0x7F])
                if odd < 0.05
                else whole(1, n),
                double(2, le),
                double(4, n + 0.5) * (odd > 0.95),
                message(3, double(2, 0.2)) * (0.9 < odd < 0.95),
            )
            for le, n in buckets
        )
        total = double(4, count + 0.5) * (0.85 < odd < 0.9)
        parts = [whole(1, count + 9), double(2, rng.random()), inside, total, message(15, CREATED)]
        if rng.random() < 0.1:
            rng.shuffle(parts)
        return b"".join(parts)


@pytest.mark.parametrize("seed", range(4))
def test_series_come_and_go_and_numbers_take_any_length(seed: int) -> None:
    app, warm = App(seed), reader(*WANTS)
    for turn in range(100):
        page = app.page()
        assert said(warm, page) == said(reader(*WANTS), page)
        if turn % 40 == 39:
            warm.relabel({})


def test_a_page_of_which_only_the_values_change_is_read_at_once() -> None:
    def page(n: int) -> bytes:
        buckets = b"".join(message(3, whole(1, n), double(2, le / 10)) for le in range(10))
        body = message(7, whole(1, n), double(2, 1.0), buckets)
        return family("h", 4, *(label("i", str(i)) + body for i in range(50)))

    warm = reader('h_bucket{le="0.5"}', "h_count")
    first = instructions(lambda: warm.read(page(1000), PROTOBUF, NOW))
    # Each number is as long as it was.
    again = instructions(lambda: warm.read(page(16_000), PROTOBUF, NOW))
    longer = instructions(lambda: warm.read(page(17_000), PROTOBUF, NOW))
    assert again < first / 4
    assert longer > 2 * again
    values = {
        r.samples[0][1] for r in warm.read(page(2), PROTOBUF, NOW).readings[Selector("h_count")]
    }
    assert values == {2.0}


def test_new_labels_of_the_target_reach_series_that_are_read_at_once() -> None:
    page = family("c_total", 0, label("a", "b") + message(3, double(1, 5.0)))
    warm = reader("c_total", labels={"env": "blue"})
    for env in ("blue", "blue", "green", "green"):
        warm.relabel({"env": env})
        [found] = warm.read(page, PROTOBUF, NOW).readings[Selector("c_total")]
        assert found.series.labels["env"] == env


@pytest.mark.parametrize("bad", [b"\x11\x00", b"\x12\x05a", b"\x0d\x00"])
def test_a_field_that_is_longer_than_its_message_has_no_place(bad: bytes) -> None:
    with pytest.raises(Malformed, match="longer"):
        list(spans(bad))


def test_what_is_broken_in_a_bucket_that_nobody_wants_hurts_nobody() -> None:
    page = family("h", 4, message(7, whole(1, 5), double(2, 1.0), message(3, b"\x11\x00")))
    one = reader("h_count")
    for _ in range(2):
        assert one.read(page, PROTOBUF, NOW).readings[Selector("h_count")][0].samples[0][1] == 5.0
