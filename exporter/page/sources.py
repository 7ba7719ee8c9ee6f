"""Where the numbers come from, and whether they still do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from exporter.charts import figures
from exporter.page.shell import document, more, table

MOST = 200
"""Targets of one source that are shown; those that are down come first."""


@dataclass(frozen=True, slots=True)
class Source:
    """`targets`: by address, whether the last poll worked. `errors`, `refused`: by reason, since
    the start. `progress`: of the history that is being fetched, 1 when all is there. `newest`: of
    its SLOs' samples, in unix seconds."""

    name: str
    kind: str
    interval: float
    slos: int
    targets: Mapping[str, bool]
    samples: float
    errors: Mapping[str, float]
    refused: Mapping[str, float]
    progress: float
    newest: float | None


def render(sources: Sequence[Source], now: float) -> str:
    """One section for each source."""
    down = sum(not up for source in sources for up in source.targets.values())
    many = sum(len(source.targets) for source in sources)
    if not sources:
        said = "No source is configured."
    elif down:
        said = f"{down:,} of {figures.plural(many, 'target')} cannot be read."
    else:
        said = f"All {many:,} targets can be read." if many != 1 else "The target can be read."
    body = "".join(_source(source, now) for source in sources)
    return document(
        "Sources", "/sources", f'<h1 id="headline" aria-live="polite">{said}</h1>{body}'
    )


def _source(source: Source, now: float) -> str:
    facts = [
        ("Type", source.kind),
        ("Asked every", figures.lasting(source.interval)),
        ("Objectives", f"{source.slos:,}"),
        ("Samples taken in", f"{source.samples:,.0f}"),
        ("Newest sample", _ago(source.newest, now)),
    ]
    if source.progress < 1:
        facts.append(("History fetched", f"{source.progress:.0%}"))
    facts += [("Failed polls", _reasons(source.errors)), ("Refused", _reasons(source.refused))]
    said = "".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in facts)
    return (
        f'<section id="s-{escape(source.name)}"><h2>{escape(source.name)}</h2>'
        f'<dl class="facts">{said}</dl>{_targets(source)}</section>'
    )


def _targets(source: Source) -> str:
    listed = sorted(source.targets.items(), key=lambda item: (item[1], item[0]))
    rows = "".join(
        f'<tr><th scope="row">{escape(target)}</th><td><span class="badge '
        f'{"ok" if up else "paging"}">{"up" if up else "down"}</span></td></tr>'
        for target, up in listed[:MOST]
    )
    if not rows:
        return "<p>It was not asked yet.</p>"
    shown = table(["Target", "State"], rows, f"Targets of {source.name}")
    return shown + more(len(listed), MOST)


def _reasons(counts: Mapping[str, float]) -> str:
    some = {reason: count for reason, count in counts.items() if count}
    if not some:
        return "none"
    return ", ".join(f"{reason.replace('_', ' ')} {n:,.0f}" for reason, n in sorted(some.items()))


def _ago(when: float | None, now: float) -> str:
    return "none yet" if when is None else f"{figures.lasting(max(0.0, now - when))} ago"
