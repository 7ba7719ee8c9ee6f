"""A document that needs nothing else: one style, light and dark and on paper; no script, no request
to anybody."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from exporter.charts import figures
from exporter.printable import printable, printable_html

STYLE = """
:root{color-scheme:light dark;font:15px/1.45 system-ui,sans-serif;--bg:#fff;--ink:#1b1e23;
--soft:#59616d;--rule:#e2e5e9;--zero:#59616d;--line:#1f63c4;--page:#c62828;--ticket:#a85f00;
--other:#6a45b8;--incident:#59616d;--mark:#eef4fd}
@media(prefers-color-scheme:dark){:root{--bg:#15171b;--ink:#e7e9ec;--soft:#a0a8b4;--rule:#2c3139;
--zero:#a0a8b4;--line:#7fb2ff;--page:#ff8a80;--ticket:#ffb74d;--other:#b79df0;--incident:#a0a8b4;
--mark:#1b2635}}
body{margin:2rem auto;max-width:74rem;padding:0 1rem;background:var(--bg);color:var(--ink)}
h1{font-size:1.6rem;margin:0}
h2{font-size:1.25rem;margin:0 0 .2rem;overflow-wrap:anywhere}
h3{font-size:1rem;margin:1.6rem 0 .3rem}
p{margin:.3rem 0}
section{margin-top:2.5rem;padding-top:1.5rem;border-top:1px solid var(--rule)}
figure{margin:1.2rem 0 0}
figcaption{font-weight:600;margin-bottom:.3rem}
.soft,small,dt{color:var(--soft)}
.says{background:var(--mark);border-left:3px solid var(--line);padding:.5rem .8rem;margin:.8rem 0}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.3rem .55rem;border-bottom:1px solid var(--rule);white-space:nowrap}
th{font-weight:600;color:var(--soft)}
.n{text-align:right}
tr.now{background:var(--mark)}
tr.of td:first-child{padding-left:1.8rem}
tr.case td{font-weight:600}
.over{color:var(--page);font-weight:600}
td.page{color:var(--page)}td.ticket{color:var(--ticket)}td.other{color:var(--other)}
summary{cursor:pointer;margin:.8rem 0 .3rem;font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.4rem 0}
dd{margin:0}
ul{margin:.2rem 0;padding-left:1.2rem}a{color:var(--line)}
svg{display:block;width:100%;min-width:44rem;height:auto;font:12px system-ui,sans-serif}
.tick{fill:var(--ink)}.unit{fill:var(--soft)}
.grid{stroke:var(--rule)}.zero{stroke:var(--zero);stroke-width:1.5}
.left{fill:none;stroke:var(--line);stroke-width:2;stroke-linejoin:round}
.band{fill:var(--incident);fill-opacity:.14}.incident{fill:var(--incident)}
rect.excluded{fill:var(--line)}rect.event{fill:var(--other)}
rect.page{fill:var(--page)}rect.ticket{fill:var(--ticket)}rect.other{fill:var(--other)}
@media print{:root{font-size:11px}body{margin:0;max-width:none}svg{min-width:0}
.wide{overflow:visible}th,td{white-space:normal}
figure,tr,.says{break-inside:avoid}h2,h3,summary{break-after:avoid}
svg,tr.now,.says{print-color-adjust:exact}.sheet{break-before:page;border:0;padding:0;margin:0}}
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CSP = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
"""The policy that the document states itself: its own style and nothing else."""


def document(title: str, body: str) -> str:
    """All of it; `body` is HTML already."""
    whole = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{printable_html(CSP)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{printable_html(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )
    return printable(whole, keep="\n")


def table(head: Sequence[str], rows: Sequence[str]) -> str:
    """Headings are text, an asterisk before those of numbers; rows are HTML already."""
    cells = "".join(
        f"<th scope=col{' class=n' if name.startswith('*') else ''}>"
        f"{printable_html(name.removeprefix('*'))}</th>"
        for name in head
    )
    return (
        f"<div class=wide tabindex=0><table><thead><tr>{cells}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def number(text: str) -> str:
    """A cell of a figure."""
    return f"<td class=n>{printable_html(text)}</td>"


def left(value: float | None) -> str:
    """A cell of what is left of a budget."""
    over = value is not None and value < 0
    return f'<td class="n{" over" if over else ""}">{figures.left(value)}</td>'
