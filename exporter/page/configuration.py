"""The configuration as it is in force. Secrets never stand in it, only where they are; what may be
one all the same (a header, a password or a token in an address) is not shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from exporter.page.shell import document
from exporter.redaction import readable, readable_value

HIDDEN = "(hidden)"
_SECRET = re.compile(
    r"(passw(or)?d|passphrase|secret|token|api[_-]?key|routing_key|private_key|credentials?"
    r"|authorization|cookie)$",
    re.IGNORECASE,
)
_OF_SECRETS = frozenset({"headers", "params", "query"})
"""Tables of which every value may be one."""
_NAMED = frozenset(
    {"source", "receiver", "slo", "alert_policy", "budget_policy", "exclusion", "events"}
)


def render(path: str, document_: Mapping[str, Any], built_in: Mapping[str, Any], said: str) -> str:
    """`document_`: the file's plain values; `built_in`: what holds without being written. `said`:
    since when, and whether the file was changed since."""
    tables = "".join(_section(name, value) for name, value in document_.items())
    more = "".join(_section(name, value) for name, value in built_in.items())
    return document(
        "Configuration",
        "/configuration",
        f'<h1 id="headline" aria-live="polite">{escape(said)}</h1>'
        f"<p>From <code>{escape(path)}</code>.</p>{tables}"
        f"<h2>Built in</h2>{more}",
    )


def shown(key: str, value: Any, *, paths: bool = True) -> Any:
    """A value as it may be shown; `paths`: whether that holds for the paths of addresses."""
    if _SECRET.search(key):
        return HIDDEN
    if isinstance(value, Mapping):
        hide = key in _OF_SECRETS
        return {
            readable(str(k), paths=paths): HIDDEN if hide else shown(str(k), v, paths=paths)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [shown(key, v, paths=paths) for v in value]
    return readable_value(value, paths=paths) if isinstance(value, str) else value


def _section(name: str, value: Any) -> str:
    if name in _NAMED and isinstance(value, Mapping):
        return "".join(_table(f"{name}.{key}", table) for key, table in value.items())
    return _table(name, value)


def _table(name: str, value: Any) -> str:
    if not isinstance(value, Mapping):
        value = {name: value}
    paths = not name.startswith("receiver.")
    name = readable(name, paths=paths)
    rows = "".join(
        f"<div><dt>{escape(readable(str(key), paths=paths))}</dt><dd><code>"
        f"{escape(_text(shown(str(key), v, paths=paths)))}</code></dd></div>"
        for key, v in value.items()
    )
    return (
        f'<details open id="c-{escape(name)}"><summary>[{escape(name)}]</summary>'
        f'<dl class="config">{rows}</dl></details>'
    )


def _text(plain: Any) -> str:
    if isinstance(plain, list) and any(isinstance(one, dict) for one in plain):
        return "\n".join(_inline(one) for one in plain)
    return _inline(plain)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} = {_inline(v)}" for k, v in value.items())
    return json.dumps(value, ensure_ascii=False, default=str)
