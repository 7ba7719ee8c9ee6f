"""The landing page: every SLO in one table, in one HTML document that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import math
from html import escape

from exporter.core import gate
from exporter.core.status import SLOStatus, Snapshot

_STYLE = """
:root{color-scheme:light dark;font:15px/1.45 system-ui,sans-serif}
body{margin:2rem auto;max-width:75rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.4rem .7rem;border-bottom:1px solid #8884;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
meter{width:8rem;vertical-align:middle}
small{opacity:.7}
.bad{color:#c62828;font-weight:600}
nav a{margin-right:1rem}
@media(prefers-color-scheme:dark){.bad{color:#ff8a80}}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CSP = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy the document is made for: its own style and nothing else."""

_LINKS = (
    ("/metrics", "Metrics"),
    ("/-/healthy", "Health"),
    ("/-/ready", "Readiness"),
)
_HEADINGS = ("SLO", "Service", "Objective", "SLI", "Budget left", "State", "Gate", "Alerts")


def render(snapshot: Snapshot, version: str) -> str:
    """The document; every text from outside is escaped."""
    rows = "".join(_row(gate.instance(status, snapshot), status) for status in snapshot.slos)
    if not rows:
        rows = f'<tr><td colspan="{len(_HEADINGS)}">No SLO has data yet.</td></tr>'
    head = "".join(f'<th scope="col">{name}</th>' for name in _HEADINGS)
    links = "".join(f'<a href="{to}">{name}</a>' for to, name in _LINKS)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>slod</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>slod <small>{escape(version)}</small></h1>"
        f"<nav>{links}</nav><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        "</body></html>\n"
    )


def _row(said: gate.Behind, status: SLOStatus) -> str:
    slo, period = status.slo, status.windows[-1]
    extra = " ".join(f"{name}={value}" for name, value in status.labels.items())
    firing = [f"{r.severity} {r.long}/{r.short}" for r in status.rules if r.firing]
    verdict = "open" if said.allows else f'<span class="bad">{_shown(said)}</span>'
    alerts = f'<span class="bad">{escape(", ".join(firing))}</span>' if firing else "none"
    return (
        f"<tr><td>{escape(slo.name)}<br><small>{escape(extra)}</small></td>"
        f"<td>{escape(slo.service)}</td>"
        f'<td class="n">{slo.objective * 100:.10g}%'
        f"<br><small>{escape(slo.period.label)}</small></td>"
        f'<td class="n">{_percent(period.sli, 4)}</td>'
        f"<td>{_budget(status.budget_remaining)}{_unadjusted(status)}</td>"
        f"<td>{escape(status.policy_state)}</td><td>{verdict}</td><td>{alerts}</td></tr>"
    )


def _shown(said: gate.Behind) -> str:
    return (said.override.verdict if said.override else said.verdict).value


def _budget(remaining: float | None) -> str:
    text = _percent(remaining, 1)
    if remaining is None:
        return text
    share = min(max(remaining, 0.0), 1.0)
    # A <meter> and not a styled box: the policy above allows no style attributes.
    bar = f'<meter min="0" max="1" low="0.25" high="0.5" optimum="1" value="{share:.4f}"></meter>'
    return f"{bar} " + (f'<span class="bad">{text}</span>' if remaining < 0 else text)


def _unadjusted(status: SLOStatus) -> str:
    """An exclusion must not make an objective pass silently."""
    if not status.excluded_seconds:
        return ""
    without = _percent(status.budget_unadjusted, 1)
    hours = status.excluded_seconds / 3600
    return f"<br><small>{without} without exclusions ({hours:.1f} h)</small>"


def _percent(ratio: float | None, digits: int) -> str:
    """Rounded down, so that 99.9999% never looks like all of it."""
    if ratio is None:
        return "unknown"
    scale = 10**digits
    return f"{math.floor(ratio * 100 * scale + 1e-6) / scale:.{digits}f}%"
