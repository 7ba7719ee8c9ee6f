"""A series: its labels, and how its values come about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from exporter.core.history import History

Values = list[float | None]
"""By moment; None where there is no sample."""
Read = Callable[[History, Sequence[float]], Values]
"""The values at moments in ascending order, in unix seconds."""


class Row(NamedTuple):
    """`labels`: without the name, as they stand on the metrics page."""

    name: str
    labels: Mapping[str, str]
    read: Read
