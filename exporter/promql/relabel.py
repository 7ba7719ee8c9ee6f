"""`label_replace` and `label_join`: labels made from labels.

Source: Prometheus documentation, "Functions". `$1`, `${1}` and `${name}` stand for groups, as in
Go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from exporter.core.regex import compiled
from exporter.promql.column import Column, unique
from exporter.promql.errors import Failed, TooMuch
from exporter.promql.meter import Meter

LONGEST = 512
"""Characters of a label that is made, which may be made of that one again."""
_GROUP = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


def replace(
    columns: Sequence[Column], to: str, by: str, of: str, regex: str, meter: Meter
) -> list[Column]:
    """Set the label `to` to `by` where the label `of` matches."""
    check_label(to)
    try:
        pattern = compiled(regex)
    except ValueError as error:
        raise Failed(str(error)) from None

    def computed() -> Iterator[Column]:
        for column in columns:
            meter.check()
            try:
                found = pattern.captures(column.labels.get(of, ""))
            except ValueError as error:
                raise Failed(str(error)) from None
            yield column if found is None else _labelled(column, to, _expand(by, found), meter)

    return unique(computed(), meter)


def join(
    columns: Sequence[Column], to: str, by: str, of: Sequence[str], meter: Meter
) -> list[Column]:
    """Set the label `to` to these labels' values, with `by` between them."""
    check_label(to)

    def computed() -> Iterator[Column]:
        for column in columns:
            value = by.join(column.labels.get(name, "") for name in of)
            yield _labelled(column, to, value, meter)

    return unique(computed(), meter)


def check_label(name: str) -> None:
    """Whether a label can be called that; since Prometheus 3 it is enough to be called anything."""
    if not name:
        raise Failed('invalid label name ""')


def _labelled(column: Column, name: str, value: str, meter: Meter) -> Column:
    if len(value) > LONGEST:
        raise TooMuch(f"a label of more than {LONGEST} characters")
    meter.series(column.labels)
    meter.text(len(value))
    labels = {k: v for k, v in column.labels.items() if k != name}
    if value:
        labels[name] = value
    return Column(labels, column.values)


def _expand(by: str, groups: Mapping[str, str]) -> str:
    # A group that does not exist is empty, as in Go.
    return _GROUP.sub(
        lambda mark: groups.get(mark[1] or mark[2], "") if mark.lastindex else "$", by
    )
