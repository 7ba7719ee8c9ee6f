"""Judges what the state file holds before any of it is taken: dumps of SLOs and logged operations.

A checksum tells that a row is what was written, not that it was right: a number that no ledger can
hold stays for good and spreads to all that is computed from it. Every function raises `ValueError`
with the place of the fault in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from exporter.core.alert import State
from exporter.core.amounts import LAST_TIME, MOST_EVENTS, MOST_TEXT, MOST_TOTAL
from exporter.core.ledger import Ledger
from exporter.core.target_state import LOST

_MOST_WEIGHT = 1_000_000
"""Beliefs, weights and places in lists are small numbers."""

Check = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    return _is_number(value) and -LAST_TIME <= value <= LAST_TIME


def _is_total(value: Any) -> bool:
    return _is_number(value) and 0.0 <= value <= MOST_TOTAL


def _is_value(value: Any) -> bool:
    return _is_total(value) or (isinstance(value, float) and value == LOST)


def _is_amount(value: Any) -> bool:
    return _is_number(value) and 0.0 <= value <= MOST_EVENTS


def _is_small(value: Any) -> bool:
    return isinstance(value, int) and -_MOST_WEIGHT <= value <= _MOST_WEIGHT


def _is_index(value: Any) -> bool:
    return _is_small(value) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_TEXT


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_bytes(value: Any) -> bool:
    return isinstance(value, bytes)


def _is_labels(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_is_text(k) and _is_text(v) for k, v in value.items())


def _is_state(value: Any) -> bool:
    return isinstance(value, str) and value in {state.value for state in State}


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list | tuple) and all(map(check, value))


def _row(*checks: Check, least: int | None = None) -> Check:
    """A row of such values, of which the last ones may be missing in files of earlier versions."""
    fewest = len(checks) if least is None else least
    return lambda value: (
        isinstance(value, list | tuple)
        and fewest <= len(value) <= len(checks)
        and all(check(one) for check, one in zip(checks, value, strict=False))
    )


_GROUP = _list_of(_is_text)
_DEBTS = _list_of(_row(_is_time, _is_amount))
_TROUBLED = _list_of(_row(_is_time, _is_small))
_LAST: Sequence[Check] = (
    *(_is_time, _is_value, _is_total, _or_none(_is_time), _or_none(_is_time), _is_bytes),
)
_ALERT: Sequence[Check] = (
    # The speed of a forecast's alert may be endless, as an exhaustion is that never comes.
    *(_is_labels, _is_labels, _is_value, _is_state, _is_time, _is_flag, _or_none(_is_time)),
    _or_none(_is_time),
)
_ALERT_LEAST = 7
"""Values of an alert in files of 0.1, which knew no `below`."""

# By operation: the checks of its arguments, and how many of them must be there.
_OPERATIONS: Mapping[str, tuple[Sequence[Check], int]] = {
    "polled": ((_is_time,), 1),
    "watched": ((_is_time,), 1),
    "bucket": ((_is_flag,), 1),
    "target": ((_is_text, _is_time, _or_none(_is_time), _is_flag), 3),
    "process": ((_is_text, _is_small, _TROUBLED, _list_of(_is_time)), 3),
    "series": ((_is_text, _is_index, _is_text, *_LAST), 6),
    "lost": ((_is_text, _is_index, _is_text), 3),
    "events": ((_GROUP, _is_time, _is_time, _is_amount, _is_amount), 5),
    "cover": ((_GROUP, _is_time, _is_time), 3),
    "debt": ((_GROUP, _is_amount), 2),
    "debts": ((_GROUP, _DEBTS, _is_small), 3),
    "shift": ((_is_time,), 1),
    "forget": ((_is_time,), 1),
    "gone": ((_GROUP, _is_flag), 2),
    "drop": ((_GROUP,), 1),
    "alert": ((_or_none(_GROUP), _is_text, *_ALERT), 9),
}


def check_operation(op: Any) -> None:
    """Check one logged operation: its name, and every argument's type and range."""
    name = op[0] if isinstance(op, list | tuple) and op else None
    if not isinstance(name, str) or name not in _OPERATIONS:
        raise ValueError("an operation that does not exist")
    checks, least = _OPERATIONS[name]
    _check_row(f"operation {name}", op[1:], checks, least)


def check_dump(state: Any) -> None:
    """Check a dump of `Memory.dump`: types, ranges, and the columns of every ledger."""
    if not isinstance(state, Mapping):
        raise ValueError("the dump is no table")
    for key, check in _DUMP.items():
        if not check(state.get(key)):
            raise ValueError(f"dump: {key!r} is out of range or of another type")
    for target in state["targets"]:
        _check_target(target)
    for instance in state["instances"]:
        _check_instance(instance)


def totals(state: Mapping[str, Any]) -> tuple[float, float]:
    """Return the good and bad events ever counted, of all groups of a checked dump."""
    ledgers = [Ledger(1.0, 1.0) for _ in state["instances"]]
    for ledger, instance in zip(ledgers, state["instances"], strict=True):
        ledger.load(instance[3])
    return sum(one.all.good for one in ledgers), sum(one.all.bad for one in ledgers)


_DUMP: Mapping[str, Check] = {
    "since": _or_none(_is_time),
    "polled": _or_none(_is_time),
    "watched": _or_none(_is_time),
    "bucket_known": _is_flag,
    "interval": lambda value: _is_time(value) and value > 0,
    "missing": _or_none(_row(*_ALERT, least=_ALERT_LEAST)),
    "targets": lambda value: isinstance(value, list | tuple),
    "instances": lambda value: isinstance(value, list | tuple),
    "gone": _or_none(_list_of(_GROUP)),
}


def _check_target(target: Any) -> None:
    series = _list_of(_list_of(lambda row: isinstance(row, list | tuple) and len(row) >= 4))
    checks = (_is_text, _is_time, _or_none(_is_time), series)
    more = (_is_small, _is_flag, _TROUBLED, _list_of(_is_time))
    _check_row("a target", target, (*checks, *more), len(checks))
    for column in target[3]:
        for row in column:
            _check_row(f"series of {target[0]!r}", row, (_is_text, *_LAST), 4)


def _check_instance(instance: Any) -> None:
    debt: Check = _row(_DEBTS, _is_small)
    checks: Sequence[Check] = (
        _GROUP,
        lambda value: _is_amount(value) or debt(value),
        _or_none(_is_time),
        _list_of(lambda value: isinstance(value, list | tuple)),
        _list_of(_row(_is_text, *_ALERT, least=_ALERT_LEAST + 1)),
    )
    _check_row("an instance", instance, checks, len(checks))
    Ledger(1.0, 1.0).load(instance[3])


def _check_row(what: str, values: Any, checks: Sequence[Check], least: int) -> None:
    if not isinstance(values, list | tuple) or not least <= len(values) <= len(checks):
        raise ValueError(f"{what}: a number of values that it never has")
    for place, (check, value) in enumerate(zip(checks, values, strict=False), 1):
        if not check(value):
            raise ValueError(f"{what}: value {place} is out of range or of another type")


def check_operations(ops: Iterable[Any]) -> None:
    """Check all operations of one SLO."""
    for op in ops:
        check_operation(op)
