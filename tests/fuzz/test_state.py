"""The blobs of the state file. Checksums keep damage out of it; this holds should they not."""

from __future__ import annotations

import random
from contextlib import suppress
from functools import cache
from math import inf, nan
from typing import Any

import msgspec
import structlog

from exporter.app.keeper import Keeper
from exporter.app.state_bodies import judge
from exporter.core.engine import Engine
from exporter.core.slo import SLO
from exporter.store.database import MEMORY, Loaded, Store
from tests.core.builders import ERROR, OK, T, engine, feed, slo, workbook
from tests.fuzz.kit import fuzz

NOW = T + 4000
VALUES = (
    *(None, True, 0, -1, 1 << 63, 1e308, -1e308, inf, -inf, nan, 5e-324, 0.0, T, T + 1e9, -T),
    *("", "x", "firing", b"", bytes(8), b"\xff" * 8, bytes(16), [], [[]], {}, {"a": 1}, {1: "a"}),
)  # fmt: skip

_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

_encode = msgspec.msgpack.encode


def subject() -> SLO:
    return slo(rules=workbook(), group_by=("code",), max_groups=5)


@cache
def blobs() -> tuple[bytes, ...]:
    """A dump with blocks, alerts and groups, one of a young SLO; the journal in between."""
    made = engine(subject())
    feed(made, T, {OK: 1.0, ERROR: 1.0})
    made.tick(T)
    found = [_encode((1, made.dump("slo")))]
    made.drain()
    for i in range(1, 400):
        feed(made, T + 10 * i, {OK: 10.0 * i, ERROR: float(i * (i % 7 + 1))})
        made.tick(T + 10 * i)
        if i in (50, 399):
            found.append(_encode(made.drain()))
    return (*found, _encode((1, made.dump("slo"))))


def restored(snapshot: bytes, *journal: bytes) -> tuple[Engine, str | None]:
    """A keeper makes of these bytes what it can; why they could not be used."""
    made = engine(subject())
    keeper = Keeper(made, Store(MEMORY, now=lambda: T))
    loaded = Loaded({"slo": (1, snapshot)}, list(enumerate(journal, 2)))
    return made, keeper._restore("slo", judge(loaded))  # noqa: SLF001


def check(data: bytes) -> None:
    """As a dump, and as an entry of the journal after a good one."""
    for blobs_ in ((data,), (blobs()[0], data)):
        made, reason = restored(*blobs_)
        assert reason is None or (reason and "\n" not in reason)
        # Values that nothing checks, a time that is not one, may be a fault; they never hang.
        with suppress(*_FAULTS):
            made.tick(NOW)
            made.status(NOW)
            made.dump("slo")


def test_bytes_of_dumps_and_journals() -> None:
    structlog.configure(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
    fuzz("state", check, 300, seeds=blobs())


def changed(rng: random.Random, value: Any) -> Any:
    """A tree of plain values with one of them replaced, left out or told twice."""
    if isinstance(value, dict) and value and rng.random() < 0.97:
        key = rng.choice(list(value))
        return {**value, key: changed(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.97:
        i = rng.randrange(len(value))
        match rng.randrange(20):
            case 0:
                return value[:i] + value[i + 1 :]
            case 1:
                return value[:i] + value[i:][:1] + value[i:]
        return [*value[:i], changed(rng, value[i]), *value[i + 1 :]]
    if isinstance(value, bytes) and value and rng.random() < 0.8:
        i = rng.randrange(len(value))
        return value[:i] + rng.choice((b"", rng.randbytes(1), rng.randbytes(8))) + value[i + 1 :]
    if isinstance(value, float) and rng.random() < 0.5:
        return value * rng.choice((-1.0, 1e-3, 1e3, 0.5, 1 + 1e-9))
    return rng.choice(VALUES)


def test_values_of_dumps_and_journals() -> None:
    def check_values(seed: bytes) -> None:
        rng = random.Random(seed)
        tree = msgspec.msgpack.decode(rng.choice(blobs()))
        for _ in range(rng.choice((1, 1, 2, 4))):
            tree = changed(rng, tree)
        check(_encode(tree))

    fuzz("state", check_values, 300)
