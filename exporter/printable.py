r"""Text of others as it may be shown: on a terminal, in the log, on a page, in a report.

Control characters move the cursor, colour, rename the window or forge lines; characters that turn
the direction of writing rewrite what stands beside them. All of them become visible escapes
(`\x1b`, `\n`, `\u202e`), so that nothing is lost.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
"""C0, DEL and C1; what turns the direction; what ends a line or annotates one; halves of characters
(bytes that were no UTF-8); letters that show nothing (tags)."""
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, keep: str = "") -> str:
    """Return the text with an escape in place of each character that is not to be shown.

    Args:
        keep: characters that stay, such as the line ends of a text that was made here.
    """
    if text.isprintable():
        # All that is hidden is not printable to Python either.
        return text
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def excerpt(text: str) -> str:
    """Return the first 200 characters, printable: for a reason or a name in one line."""
    return printable(text[:200])


def printable_html(text: str) -> str:
    """Return the text as HTML, for documents that are read on a terminal as well."""
    return escape(printable(text))


def printable_json(text: str) -> str:
    """Return JSON that means the same and has its hidden characters as JSON's own escapes."""
    if text.isprintable():
        return text
    # Beside the space between values, these can only stand in strings.
    return _HIDDEN.sub(lambda found: found[0] if found[0] in "\n\r\t" else _unit(found[0]), text)


def printable_tree(value: Any) -> Any:
    """Return a value of JSON's types of which every text, also of keys, is printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable_tree(key): printable_tree(one) for key, one in value.items()}
    if isinstance(value, list):
        return [printable_tree(one) for one in value]
    return value


def _escape(char: str) -> str:
    code = ord(char)
    short = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return _SHORT.get(char, short if code < 0x10000 else f"\\U{code:08x}")


def _unit(char: str) -> str:
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
