"""What a state file may hold is judged value by value: none is taken that never was."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from math import inf, nan
from typing import Any

import pytest

from exporter.core.state_check import check_dump, check_operation, check_operations, totals
from tests.core.builders import ERROR, OK, T, counted, engine, feed, packed, slo, workbook

WRONG = (nan, inf, -inf, 1e300, -1e300, 10**400, None, True, "x", b"x", [1], {"a": 1})


def fed() -> Any:
    """An engine with groups, alerts, blocks and a journal."""
    of = engine(slo(rules=workbook(), group_by=("code",)))
    for i in range(300):
        feed(of, T + 10 * i, {OK: 10.0 * i, ERROR: float(i * (i % 5))})
        of.tick(T + 10 * i)
    return of


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all numbers in a tree."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    elif isinstance(value, list):
        for at, below in enumerate(value):
            yield from leaves(below, (*path, at))
    elif isinstance(value, float):
        yield path


def put(tree: Any, path: tuple[Any, ...], value: Any) -> None:
    for step in path[:-1]:
        tree = tree[step]
    tree[path[-1]] = value


def test_a_whole_dump_and_every_operation_are_sound() -> None:
    of = fed()
    dump = packed(of.dump("slo"))
    check_dump(dump["state"])
    assert totals(dump["state"]) == counted(of)
    for op in packed(of.drain())["slo"]:
        check_operation(op)


@pytest.mark.parametrize("value", [nan, -inf, 1e300, -1e300])
def test_no_number_of_a_dump_may_be_one_that_never_was(value: float) -> None:
    dump = packed(fed().dump("slo"))
    paths = list(leaves(dump["state"]))
    assert len(paths) > 20
    for path in paths:
        before = packed(dump)
        put(before["state"], path, value)
        fault = engine(slo(rules=workbook(), group_by=("code",))).restore("slo", before, [])
        assert fault is not None and "\n" not in fault, path


@pytest.mark.parametrize("place", [0, 1, 2, 3])
@pytest.mark.parametrize("value", [nan, inf, 1e300])
def test_no_number_in_the_columns_of_a_ledger_either(place: int, value: float) -> None:
    """The head's times and counts, and the blocks' starts and bases."""
    dump = packed(fed().dump("slo"))
    column = (1, 2, 3, 4)[place]
    ledger = dump["state"]["instances"][0][3]
    curve = next(one for one in ledger if one[column])
    numbers = array("d", curve[column])
    numbers[-1] = value
    curve[column] = numbers.tobytes()
    with pytest.raises(ValueError, match="of a curve"):
        check_dump(dump["state"])


def test_a_ledger_of_times_that_do_not_ascend_or_columns_that_differ_is_none() -> None:
    for changed in (lambda n: n[::-1], lambda n: n[:-1]):
        dump = packed(fed().dump("slo"))
        curve = dump["state"]["instances"][0][3][0]
        curve[1] = changed(array("d", curve[1])).tobytes()
        with pytest.raises(ValueError, match="curve"):
            check_dump(dump["state"])


def test_no_operation_takes_an_argument_of_another_kind() -> None:
    ops = {op[0]: op for op in packed(fed().drain())["slo"]}
    more = [
        ["debt", [], 1.0], ["shift", -1.0], ["gone", ["x"], True], ["drop", ["x"]],
        ["bucket", True], ["lost", "a", 0, "k"], ["process", "a", 1, [[T, 2]], [T]],
        ["debts", [], [[T, 1.0]], 1],
    ]  # fmt: skip
    for op in (*ops.values(), *more):
        check_operation(op)
        for at in range(1, len(op)):
            refused = 0
            for value in WRONG:
                try:
                    check_operation([*op[:at], value, *op[at + 1 :]])
                except ValueError:
                    refused += 1
            assert refused >= 6, (op, at)
        with pytest.raises(ValueError, match="number of values"):
            check_operation([*op, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        with pytest.raises(ValueError, match="number of values"):
            check_operation(op[:1])
    for none in (None, [], "polled", ["never"], [None], 1):
        with pytest.raises(ValueError, match="does not exist"):
            check_operation(none)


def test_a_dump_of_another_shape_is_told_by_its_place() -> None:
    whole = packed(fed().dump("slo"))["state"]
    with pytest.raises(ValueError, match="no table"):
        check_dump([])
    for key in ("interval", "targets", "instances", "bucket_known"):
        with pytest.raises(ValueError, match=repr(key)):
            check_dump({**whole, key: "x"})
    for key in ("targets", "instances"):
        for row in (None, [], [1, 2], "x"):
            with pytest.raises(ValueError, match=r"an? (target|instance)"):
                check_dump({**whole, key: [row]})
    target = list(whole["targets"][0])
    target[3] = [[["k", 1.0, nan, 1.0]]]
    with pytest.raises(ValueError, match="series of 'a'"):
        check_dump({**whole, "targets": [target]})


def test_a_ledger_that_was_put_away_comes_back_without_its_alerts() -> None:
    of = engine(slo(rules=workbook()))
    for i in range(60):
        feed(of, T + 60 * i, {OK: 10.0 * i, ERROR: 10.0 * i})
        of.tick(T + 60 * i)
    assert any(alert.firing for alert in of.accounts["slo"].alerts())
    again = engine(slo(rules=workbook()))
    assert again.restore("slo", packed(of.dump("slo")), [], alerts=False) is None
    assert list(again.accounts["slo"].alerts()) == []
    assert counted(again) == counted(of)


def test_one_wrong_operation_is_enough() -> None:
    check_operations([["polled", T], ["bucket", True]])
    with pytest.raises(ValueError, match="does not exist"):
        check_operations([["polled", T], ["nothing"]])
