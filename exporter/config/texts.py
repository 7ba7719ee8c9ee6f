"""Texts that people write and slod keeps: bounded, and nothing in them that moves a cursor."""

from __future__ import annotations

import re

# Control characters but for tab and newline, lone surrogates, and what turns text around.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def text_fault(text: str, longest: int, *, empty: bool = False) -> str:
    """Return why a text cannot be kept, in one line; empty when it can.

    Args:
        longest: the most characters.
        empty: whether nothing is a text too.
    """
    if len(text) > longest or not (empty or text.strip()):
        return f"must be a text of {'at most' if empty else '1 to'} {longest} characters"
    if found := _UNPRINTABLE.search(text):
        return f"has a character that cannot be printed: U+{ord(found[0]):04X}"
    return ""
