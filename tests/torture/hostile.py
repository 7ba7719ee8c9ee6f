"""Targets that lie, break and flood: pages that no client library would make, and odd headers.

`ODD` has them by name. None of them holds what crashes other software: what is odd are sizes,
values, times and spellings.
"""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Callable
from functools import cache

from tests.torture.wire import Answer, Asked, Wire

_TEXT = ("Content-Type: text/plain; version=0.0.4; charset=utf-8",)
_OPEN = ("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8",)
_PROTOBUF = ("Content-Type: application/vnd.google.protobuf; encoding=delimited",)

Make = Callable[[random.Random, int], Answer]


def _page(*lines: str, head: tuple[str, ...] = _TEXT) -> Answer:
    return Answer("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"), head=head)


def _lines(number: int, times: str = "") -> list[str]:
    """A page as the SLOs want it: counters, a histogram, a gauge."""
    good, bad = 40 * number, number
    lines = [f'requests_total{{code="200"}} {good}{times}']
    lines.append(f'requests_total{{code="500"}} {bad}{times}')
    for le, share in (("0.1", 0.5), ("0.5", 0.9), ("+Inf", 1.0)):
        lines.append(f'latency_seconds_bucket{{le="{le}"}} {int(good * share)}{times}')
    lines += [f"latency_seconds_count {good}{times}", f"latency_seconds_sum {good / 9}{times}"]
    return [*lines, f"queue_length {number % 7}{times}"]


_VALUES = (
    *("NaN", "+Inf", "-Inf", "-1", "1e308", "1.7976931348623157e308", "1e400", "5e-324", "-0"),
    *("18446744073709551616", "9" * 400, "0x10", "1_000", "", " ", "١٢", "1e", "true", "1 2 3 4"),
)


def _values(rng: random.Random, number: int) -> Answer:
    lines = [line.rpartition(" ")[0] + " " + rng.choice(_VALUES) for line in _lines(number)]
    return _page(*lines)


def _times(rng: random.Random, number: int) -> Answer:
    now = time.time()
    choices = (now, now * 1e3, now * 1e6, now * 1e9, -now * 1e3, 0, 1e300, (now + 3e7) * 1e3)
    stamp = rng.choice([f" {int(choice)}" for choice in choices] + [" NaN", " 1e3", " 9" * 3])
    return _page(*_lines(number, stamp))


def _starts(rng: random.Random, number: int) -> Answer:
    start = rng.choice((0, -1, time.time() + 1e6, time.time(), 1e308, time.time() * 1e3, "NaN"))
    return _page(*_lines(number), f"process_start_time_seconds {start}")


def _created(rng: random.Random, number: int) -> Answer:
    created = rng.choice((0, -1, time.time() + 1e6, 1e308, time.time() * 1e3, "NaN", "+Inf"))
    lines = ["# TYPE requests counter", *_lines(number)[:2]]
    lines += [f'requests_created{{code="{code}"}} {created}' for code in (200, 500)]
    return _page(*lines, "# EOF", head=_OPEN)


def _falls(rng: random.Random, number: int) -> Answer:
    return _page(*_lines(rng.randrange(10 ** rng.randrange(1, 15))))


def _types(rng: random.Random, number: int) -> Answer:
    kinds = ("gauge", "summary", "histogram", "gaugehistogram", "stateset", "nonsense", "")
    lines = [f"# TYPE requests_total {rng.choice(kinds)}", "# TYPE latency_seconds summary"]
    return _page(*lines, *_lines(number), *_lines(number))


def _spelling(rng: random.Random, number: int) -> Answer:
    return _page(
        f'requests_total{{code="2\\x00\\u202e",code="200"}} {number}',
        f'requests_total{{code="500\x1b[2J\x07"}} {number}',
        'requests_total{code="50' + "0" * 100_000 + f'"}} {number}',
        f'{{"requests_total",code="500"}} {number}',
        'requests_total{code="500"',
        "requests_total{{{{{{{{",
        "\udcff\udcfe\x00\x00",
        *_lines(number),
        *(f"# HELP requests_total {'x' * 10_000}" for _ in range(20)),
    )


def _explosion(rng: random.Random, number: int) -> Answer:
    route = [rng.randrange(10**9) for _ in range(3000)]
    return _page(*(f'requests_total{{code="500",route="/{r}"}} {number}' for r in route))


def _buckets(rng: random.Random, number: int) -> Answer:
    bounds = [rng.choice(("NaN", "-Inf", "1e308", "0.5", "0.50", "x", "")) for _ in range(9)]
    bounds += [f"{rng.random():.17g}" for _ in range(2000)]
    lines = [f'latency_seconds_bucket{{le="{le}"}} {rng.randrange(10**6)}' for le in bounds]
    return _page(*lines, f"latency_seconds_count {rng.randrange(10**6)}")


@cache
def _long_page() -> bytes:
    return b"".join(b'other_total{n="%d"} 1\n' % n for n in range(300_000))


def _long(rng: random.Random, number: int) -> Answer:
    return Answer(_long_page() + _page(*_lines(number)).body, head=_TEXT)


@cache
def _long_line_page() -> bytes:
    return b'requests_total{code="' + b"5" * 8_000_000 + b'"} 1\n'


def _long_line(rng: random.Random, number: int) -> Answer:
    return Answer(_long_line_page(), head=_TEXT)


@cache
def _inflated() -> bytes:
    return gzip.compress(b'other_total{n="0"} 1\n' * 1_000_000)


def _inflates(rng: random.Random, number: int) -> Answer:
    return Answer(_inflated(), head=(*_TEXT, "Content-Encoding: gzip"))


def _noise(rng: random.Random, number: int) -> Answer:
    head = rng.choice((_TEXT, _OPEN, _PROTOBUF, ()))
    return Answer(rng.randbytes(rng.randrange(200_000)), head=head)


def _half(rng: random.Random, number: int) -> Answer:
    body = _page(*_lines(number), "# EOF", head=_OPEN).body
    return Answer(body[: rng.randrange(len(body))], head=rng.choice((_TEXT, _OPEN)), sized=False)


_FIELDS = (
    "Content-Type",
    "Content-Encoding",
    "Retry-After",
    "Location",
    "Date",
    "Age",
    "X",
    "Link",
)
_ODD_VALUES = (
    *(
        "",
        ",",
        ";" * 1000,
        "\xff\xfe",
        '"' * 99,
        "9" * 5000,
        "-1",
        "1e308",
        "NaN",
        "gzip, gzip, br",
    ),
    *(
        "text/plain; charset=utf-7",
        "text/plain; version=" + "9" * 3000,
        "Thu, 99 Foo 0000 99:99:99",
    ),
    *("Thu, 01 Jan 1970 00:00:00 -9999", "http://[", "//", "\t", "identity;q=x", "=?utf-8?b?!?="),
)


def _headers(rng: random.Random, number: int) -> Answer:
    head = [f"{rng.choice(_FIELDS)}: {rng.choice(_ODD_VALUES)}" for _ in range(rng.randrange(1, 9))]
    status = rng.choice((200, 200, 204, 206, 301, 302, 304, 401, 403, 408, 418, 429, 500, 503, 999))
    return Answer(_page(*_lines(number)).body, status, tuple(head))


def _slow(rng: random.Random, number: int) -> Answer:
    return Answer(_page(*_lines(number)).body, head=_TEXT, pause=rng.uniform(0.2, 2))


ODD: dict[str, Make] = {
    "well": lambda rng, number: _page(*_lines(number)),
    "odd values": _values,
    "odd times": _times,
    "odd starts": _starts,
    "odd created": _created,
    "falls and leaps": _falls,
    "other types": _types,
    "odd spelling": _spelling,
    "label explosion": _explosion,
    "odd buckets": _buckets,
    "long page": _long,
    "long line": _long_line,
    "inflates": _inflates,
    "noise": _noise,
    "half a page": _half,
    "odd headers": _headers,
    "slow": _slow,
}
"""Pages by what is odd about them."""


class Hostile:
    """One such target; `behave` says how it is from now on."""

    def __init__(self) -> None:
        self.wire = Wire(self._answer)
        self._make = ODD["well"]
        self._rng = random.Random(0)
        self._number = 0

    async def behave(self, what: str, seed: int) -> None:
        """Be odd in this way."""
        self._rng = random.Random(seed)
        if what.startswith("network: "):
            await self.wire.set(what.removeprefix("network: "))
            return
        if self.wire.fault is not None:
            await self.wire.set(None)
        self._make = ODD[what]

    async def _answer(self, asked: Asked) -> Answer:
        self._number += 1
        return self._make(self._rng, self._number)
