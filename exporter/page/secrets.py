"""What may be read of a text that has addresses in it: no password and no token.

Of a receiver's address the path is one, too: who knows it may post (Slack, Teams, Discord).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from exporter.http import redact

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"']*[^\s\"':]", re.IGNORECASE)


def readable(text: str, *, paths: bool = True) -> str:
    """`paths`: whether the paths of addresses may be seen."""
    return _URL.sub(lambda found: _shown(redact(found[0]), paths), text)


def _shown(url: str, paths: bool) -> str:
    parts = urlsplit(url)
    if paths or (parts.path in ("", "/") and not parts.query):
        return url
    return f"{parts.scheme}://{parts.netloc}/..."
