"""A query as a tree of our own: what it means, without how it was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from exporter.core.selector import Matcher

Kind = Literal["scalar", "vector", "matrix", "string"]
At = float | Literal["start", "end"] | None
"""What `@` says: unix seconds, the query's start or end, or nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A string."""

    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Select:
    """A selector; with a `range` in seconds it is a range selector, with 0 an instant one."""

    matchers: tuple[Matcher, ...]
    range: float
    offset: float
    at: At


@dataclass(frozen=True, slots=True, eq=False)
class Subquery:
    """An expression asked every `step` seconds (None: the default) over the last `range`."""

    of: Node
    range: float
    step: float | None
    offset: float
    at: At


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A function."""

    name: str
    args: tuple[Node, ...]
    kind: Kind


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """An aggregation by (or, with `without`, over) labels; `param` of topk, quantile and such."""

    op: str
    of: Node
    param: Node | None
    without: bool
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """How two vectors find together: `on` these labels, or on all but these. `many`: the side that
    may have several for each of the other, which then keeps its labels and takes over `include`."""

    on: bool
    labels: tuple[str, ...]
    many: Literal["left", "right"] | None = None
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """An operator with two operands; `bool`: a comparison gives 0 or 1."""

    op: str
    left: Node
    right: Node
    bool: bool
    matching: Matching


@dataclass(frozen=True, slots=True, eq=False)
class Negate:
    """The unary minus."""

    of: Node


Node = Number | Text | Select | Subquery | Call | Aggregate | Binary | Negate


def kind(node: Node) -> Kind:
    """What comes out of it."""
    match node:
        case Number():
            return "scalar"
        case Text():
            return "string"
        case Select():
            return "matrix" if node.range else "vector"
        case Subquery():
            return "matrix"
        case Call():
            return node.kind
        case Aggregate():
            return "vector"
        case Binary():
            both = kind(node.left) == kind(node.right) == "scalar"
            return "scalar" if both else "vector"
        case Negate():
            return kind(node.of)


def children(node: Node) -> Iterator[Node]:
    """What it is made of."""
    match node:
        case Subquery() | Negate():
            yield node.of
        case Call():
            yield from node.args
        case Aggregate():
            yield node.of
            if node.param is not None:
                yield node.param
        case Binary():
            yield node.left
            yield node.right
