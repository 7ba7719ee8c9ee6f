"""A review as Markdown: for a ticket, a wiki, a chat, or a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from exporter.charts.axis import dates
from exporter.charts.figures import left, minute
from exporter.printable import printable
from exporter.report import words
from exporter.report.data import Review, SLOReview

_SPECIAL = re.compile(r"([\\|<>\[\]`*])")
_BLOCKS = 20


def to_markdown(review: Review, most: int | None = None) -> str:
    """All of it; with `most` bytes at most, the SLOs that spent most first and whole."""
    head = "\n".join(_head(review))
    parts = [f"\n## {plain(one.name)}\n\n" + "\n".join(_section(one)) for one in review.slos]
    if most is None:
        return head + "".join(parts)
    room = most - len(head.encode())
    order = sorted(range(len(parts)), key=lambda i: -(review.slos[i].counted.spent or 0.0))
    kept: set[int] = set()
    for i in order:
        size = len(parts[i].encode())
        if size > room - 200:
            break
        kept.add(i)
        room -= size
    out = head + "".join(part for i, part in enumerate(parts) if i in kept)
    if len(kept) < len(parts):
        out += f"\n{len(parts) - len(kept)} more: slod report has all of them.\n"
    return out.encode()[:most].decode("utf-8", "ignore")


def _head(review: Review) -> Iterator[str]:
    yield "# Reliability review"
    yield ""
    yield f"{words.span(review)}. {plain(words.summary(review))}."
    for note in review.notes:
        yield ""
        yield f"Note: {plain(note)}."
    yield ""
    yield from _table(words.OVERVIEW, words.overview(review))
    yield ""
    yield f"Toil: {plain(review.toil)}. On-call: {plain(review.on_call)}."
    yield ""


def _section(one: SLOReview) -> Iterator[str]:
    for what, said in words.facts(one):
        yield f"- {what}: {plain(said)}"
    yield ""
    yield "### What the budget was spent by"
    yield ""
    yield from _table(words.SPENT_BY, words.spent_by(one))
    yield ""
    yield "### How it burned down"
    yield ""
    yield from _burn_down(one)
    for title, columns, rows, otherwise in words.tables(one):
        yield ""
        yield f"### {title}"
        yield ""
        if rows:
            yield from _table(columns, rows)
        else:
            yield otherwise
    yield ""


def _burn_down(one: SLOReview) -> Iterator[str]:
    moments = [when for when, _ in dates(one.start, one.end)]
    rows = []
    for when in [*(m for m in moments if one.start < m < one.end), one.end]:
        share = next((s for at, s in reversed(one.burn_down) if at <= when), None)
        blocks = 0 if share is None else round(_BLOCKS * min(1.0, max(0.0, share)))
        rows.append((minute(when), left(share), "█" * blocks + "░" * (_BLOCKS - blocks)))
    yield from _table(("Until (UTC)", "*Left", "Of the budget of the time reviewed"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(name.removeprefix("*") for name in columns) + " |"
    yield "| " + " | ".join("--:" if name.startswith("*") else "---" for name in columns) + " |"
    for row in rows:
        yield "| " + " | ".join(plain(cell) for cell in row) + " |"


def plain(text: str) -> str:
    """What others wrote, on one line, and as text."""
    return _SPECIAL.sub(r"\\\1", printable(" ".join(text.split())))
