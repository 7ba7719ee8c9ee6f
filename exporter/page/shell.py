"""What every page has around it: head, navigation, where it lives."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import quote, urlencode

from exporter import __version__
from exporter.printable import printable

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""What the pages need: their own files, and nothing inline."""
PLACES = (
    ("/", "Objectives"),
    ("/alerts", "Alerts"),
    ("/sources", "Sources"),
    ("/configuration", "Configuration"),
)


def document(title: str, here: str, body: str) -> str:
    """The whole page; `here`: its place in the navigation, `body`: HTML of what is in `<main>`."""
    links = "".join(
        f'<a href="{to}"{" aria-current=page" if to == here else ""}>{name}</a>'
        for to, name in PLACES
    )
    whole = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)} · slod</title>"
        '<link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
        '<link rel="stylesheet" href="/static/slod.css">'
        '<link rel="stylesheet" href="/static/detail.css">'
        '<script src="/static/events.js" defer></script>'
        '<script src="/static/slod.js" defer></script>'
        '<script src="/static/detail.js" defer></script>'
        "</head><body>"
        '<a class="skip" href="#main">To the numbers</a>'
        '<header><a class="brand" href="/">slod</a>'
        f'<nav aria-label="Pages">{links}</nav>'
        '<p id="live" role="status"></p></header>'
        f'<main id="main" tabindex="-1">{body}</main>'
        f'<footer>slod {escape(__version__)} · <a href="/metrics">metrics</a> · '
        '<a href="/api/slo/v1/openapi.json">API</a> · <a href="/-/ready">readiness</a></footer>'
        "</body></html>\n"
    )
    return printable(whole, keep="\n")


def more(many: int, shown: int, kind: str = "more") -> str:
    """That there are more than are shown, where there are."""
    return f"<p>… and {many - shown:,} {kind}.</p>" if many > shown else ""


def slo_link(slo: str, group: Mapping[str, str]) -> str:
    """Where the page of an SLO instance is, escaped for an attribute."""
    query = f"?{urlencode(group)}" if group else ""
    return escape(f"/slo/{quote(slo, safe='')}{query}")


def table(head: list[str], rows: str, caption: str, kind: str = "") -> str:
    """Headings are text, an asterisk before those of numbers; rows are HTML."""
    cells = "".join(
        f"<th scope=col{' class=n' if name.startswith('*') else ''}>"
        f"{escape(name.removeprefix('*'))}</th>"
        for name in head
    )
    return (
        f'<div class="wide" role="region" aria-label="{escape(caption)}" tabindex="0">'
        f'<table class="{kind}"><caption class="hidden">{escape(caption)}</caption>'
        f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
