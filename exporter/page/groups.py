"""One objective that is many: its groups, or why there is none yet."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from exporter.charts import figures
from exporter.core import gate
from exporter.core.slo import SLO
from exporter.page.filters import PAGE
from exporter.page.marks import bar
from exporter.page.shell import document, more, slo_link, table
from exporter.page.state import WORDS, Seen


def render(slo: SLO, seen: Sequence[Seen], unknown: str | None, *, gone: bool, failed: bool) -> str:
    """The page.

    Args:
        slo: the objective.
        seen: its groups.
        unknown: why its numbers are not those of now.
        gone: the address names a group that does not exist.
        failed: the group exists, and its numbers cannot be computed.
    """
    by = ", ".join(slo.group_by)
    if failed:
        said = "Its numbers cannot be computed."
    elif not seen:
        said = "It has no data yet."
    elif gone:
        said = f"There is no such group of it. By {by} there are {len(seen):,}."
    else:
        said = f"Each {by} has an error budget of its own: {len(seen):,} of them."
    why = f'<p class="bad">{escape(unknown)}</p>' if unknown else ""
    body = f'<h1 id="headline">{escape(slo.name)}</h1>{why}<p class="summary">{escape(said)}</p>'
    if seen:
        body += _groups(seen)
        whole = escape("/?" + urlencode({"label": f"slo:{slo.name}"}))
        body += f'<p><a href="{whole}">Among the objectives</a></p>'
    return document(slo.name, "", body)


def _groups(seen: Sequence[Seen]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><a href="{slo_link(one.status.slo.name, _group(one))}">'
        f"{escape(gate.title(one.status))}</a></th>"
        f'<td class="budget">{bar(one.status.whole_remaining, one.state)} '
        f"<b>{figures.left(one.status.whole_remaining)}</b></td>"
        f'<td><span class="badge {one.state.value}">{WORDS[one.state]}</span></td></tr>'
        for one in sorted(seen, key=lambda one: one.urgency)[:PAGE]
    )
    shown = table(["Group", "Budget left", "State"], rows, "Groups, the most urgent first")
    return shown + more(len(seen), PAGE)


def _group(one: Seen) -> dict[str, str]:
    return {label: one.status.labels[label] for label in one.status.slo.group_by}
