"""A review as one HTML document that needs nothing else, and prints: a page for each SLO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from exporter import __version__
from exporter.charts.figures import minute
from exporter.charts.page import document, number, table
from exporter.core.attribution import Part
from exporter.printable import printable_html as escape
from exporter.report import words
from exporter.report.chart import chart
from exporter.report.data import Proposal, Review, SLOReview


def to_html(review: Review) -> str:
    """The document; every text from outside is escaped."""
    sections = "".join(_section(one, i) for i, one in enumerate(review.slos, 1))
    notes = "".join(f"<p>Note: {escape(note)}.</p>" for note in review.notes)
    return document(
        "Reliability review",
        f"<h1>Reliability review</h1><p class=soft>{escape(words.span(review))}; made "
        f"{minute(review.made)} by slod {escape(__version__)}. Times are UTC.</p>"
        f"<p class=says>{escape(words.summary(review))}.</p>{notes}{_overview(review)}"
        f"<dl><dt>toil</dt><dd>{escape(review.toil)}</dd>"
        f"<dt>on-call</dt><dd>{escape(review.on_call)}</dd></dl>{sections}{_GLOSSARY}",
    )


def _overview(review: Review) -> str:
    if not review.slos:
        return "<p>There is no SLO to review.</p>"
    rows = []
    for i, row in enumerate(words.overview(review), 1):
        link = f'<td><a href="#s{i}">{escape(row[0])}</a></td>'
        rows.append(f"<tr>{link}{_cells(words.OVERVIEW[1:], row[1:])}</tr>")
    return table(words.OVERVIEW, rows)


def _section(one: SLOReview, index: int) -> str:
    ident = f"s{index}"
    # On paper each begins a sheet of its own; the first stands below the overview.
    sheet = " class=sheet" if index > 1 else ""
    facts = "".join(
        f"<dt>{escape(what)}</dt><dd>{escape(said)}</dd>" for what, said in words.facts(one)
    )
    return (
        f'<section{sheet} id="{ident}"><h2>{escape(one.name)}</h2><dl>{facts}</dl>'
        f"{_proposals(one.proposals)}"
        "<figure><figcaption>How the budget of the time reviewed burned down</figcaption>"
        f"<div class=wide tabindex=0>{chart(one, ident)}</div></figure>"
        f"<h3>What the budget was spent by</h3>{_spent_by(one)}{''.join(_tables(one))}</section>"
    )


def _proposals(found: Sequence[Proposal]) -> str:
    items = "".join(
        f"<li>{escape(p.change)} <small>{escape(p.evidence)}</small></li>" for p in found
    )
    return f"<div class=says><b>Proposed</b><ul>{items}</ul></div>" if items else ""


def _spent_by(one: SLOReview) -> str:
    links = {_key(part): part.cause.link for part in one.spent_by.parts if part.cause}
    rows = []
    for row in words.spent_by(one):
        kind = " class=now" if row[0] == "sum" else ""
        link = links.get((row[0], row[1]), "")
        named = f"<td>{_linked(row[1], link)}</td>"
        rows.append(
            f"<tr{kind}><td>{escape(row[0])}</td>{named}{_cells(words.SPENT_BY[2:], row[2:])}</tr>"
        )
    return table(words.SPENT_BY, rows)


def _key(part: Part) -> tuple[str, str]:
    assert part.cause is not None
    return part.cause.kind.replace("_", " "), part.cause.name


def _linked(name: str, link: str) -> str:
    try:
        parts = urlsplit(link)
    except ValueError:
        return escape(name)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return escape(name)
    return f'<a rel="noreferrer" href="{escape(link)}">{escape(name)}</a>'


def _tables(one: SLOReview) -> Iterator[str]:
    for title, columns, rows, otherwise in words.tables(one):
        if columns is words.PROPOSED:
            continue
        body = table(columns, [f"<tr>{_cells(columns, row)}</tr>" for row in rows])
        yield f"<h3>{title}</h3>{body if rows else f'<p class=soft>{otherwise}</p>'}"


def _cells(columns: Iterable[str], row: Iterable[str]) -> str:
    return "".join(
        number(cell) if name.startswith("*") else f"<td>{escape(cell)}</td>"
        for name, cell in zip(columns, row, strict=True)
    )


_SPENT_BY = (
    "each moment belongs to one cause: an exclusion, else an incident, else the deploy or change "
    "that began last; what no cause covers is the background"
)
_COST = (
    "the share of the budget of the objective's own period, the one up to its end, that went in "
    "all of its time, whatever else went on: the same number as on the timeline and the page"
)
_BURST = (
    "errors came over twice as often as the objective allows, and as they did before, and cost at "
    "least 1% of the budget"
)
_TERMS = (
    ("Of the budget", "the share of the error budget of the time reviewed that was spent"),
    ("Left now", "what is left of the budget over the objective's own period"),
    ("Spent by", _SPENT_BY),
    ("Cost", _COST),
    ("Not reported", _BURST),
    ("Before slod", "it began before slod watched; backtest: what the rules of now do with it"),
    ("Precision", "the share of pages that spent at least 1% of the budget"),
    ("Detected", "from an incident's start to its first page"),
)  # fmt: skip
_GLOSSARY = (
    "<section><h3>What the words mean</h3><dl>"
    + "".join(f"<dt>{term}</dt><dd>{escape(said)}</dd>" for term, said in _TERMS)
    + "</dl></section>"
)
