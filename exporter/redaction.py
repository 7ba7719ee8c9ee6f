"""Addresses as they may be shown: no user, no password, no value of a query, no fragment.

Of a receiver's address the path is a secret, too: who knows it may post (Slack, Teams, Discord).
Passwords hold anything, also what ends an address elsewhere (quotes, spaces, slashes): what may
belong to one is left out.
"""

from __future__ import annotations

import re

from yarl import URL

from exporter.address import parsed

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_LONGEST_SCHEME = 32
_TAIL = re.compile(r"[?#]")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*(?:\[\])?=.*[^=].*")
"""A name and a value; what is not of this form may be a token that stands alone."""
_CLOSING = "\"'`.,;:)]}>"
"""What stands behind an address in a sentence more often than it ends one."""
_MASK = "..."
UNREADABLE = "(unreadable URL)"


def redact(url: str, *, paths: bool = True) -> str:
    """Return one address as it may be shown; `paths`: whether its path may be.

    Targets are named so in the state file: an address without user, @ and query stays as it is.
    """
    try:
        address = parsed(url)
        scheme = f"{address.scheme}://" if address.scheme else ""
        if "@" in address.path or (_at_in_tail(url) and not _has_path(url)):
            # Most likely a password or a token with a slash or a question mark in it.
            host = address.path.rpartition("@")[2] if paths and "@" in address.path else ""
            return f"{scheme}{_MASK}" + (f"@{host}" if host else "")
        shown = address.with_user(None) if address.host else address
        text = str(shown.with_query(None).with_fragment(None))
    except ValueError:
        return UNREADABLE
    if not paths and address.host:
        more = address.path not in ("", "/") or address.raw_query_string or address.raw_fragment
        return f"{shown.origin()}/" + (_MASK if more else "")
    return text + _query(address) + (f"#{_MASK}" if address.raw_fragment else "")


def _query(url: URL) -> str:
    """Return the names in a query, which tell what is asked for, without their values."""
    if not url.raw_query_string:
        return ""
    if not all(map(_PARAMETER.fullmatch, url.query_string.split("&"))):
        return f"?{_MASK}"
    return "?" + "&".join(f"{name}={_MASK}" for name in dict.fromkeys(url.query))


def _has_path(url: str) -> bool:
    """Return whether a slash ends the host: not the question mark of a password, nor a slash right
    after the colon in front of one."""
    host, slash, _ = _TAIL.split(url.partition("://")[2], maxsplit=1)[0].partition("/")
    return bool(slash and host) and not host.endswith(":")


def _at_in_tail(url: str) -> bool:
    tail = _TAIL.search(url)
    return tail is not None and "@" in url[tail.start() :]


def readable(text: str, *, paths: bool = True) -> str:
    """Return a text with each address in it as it may be shown.

    An address ends at the next space; one with an @ may have spaces in its password, and so is
    hidden up to the last @ before the next address.
    """
    if "://" not in text:
        return text
    starts = [found.start() for found in _schemes(text)]
    if not starts:
        return text
    parts = [text[: starts[0]]]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        parts.append(_redacted(text[start:end], paths))
    return "".join(parts)


def readable_value(text: str, *, paths: bool = True) -> str:
    """Return the value of a setting as it may be shown: an address with all that it has, or a text
    with addresses in it."""
    whole = _SCHEME.match(text.lstrip()) is not None
    return redact(text.strip(), paths=paths) if whole else readable(text, paths=paths)


def _schemes(text: str) -> list[re.Match[str]]:
    """Return where addresses begin; letters before `://` are looked at a few at a time."""
    found, at = [], text.find("://")
    while at >= 0:
        begin = at
        while begin > 0 and at - begin < _LONGEST_SCHEME and _in_scheme(text[begin - 1]):
            begin -= 1
        while begin < at and not text[begin].isalpha():
            begin += 1
        if begin < at and (scheme := _SCHEME.match(text, begin)) is not None:
            found.append(scheme)
        at = text.find("://", at + 3)
    return found


def _in_scheme(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in "+.-")


def _redacted(segment: str, paths: bool) -> str:
    """Return a text that begins with an address, up to where the next one begins."""
    at = segment.rfind("@")
    tail = _TAIL.search(segment)
    if at < 0:
        word, after = _first_word(segment)
        return redact(word, paths=paths) + after
    if tail and tail.start() < at:
        return redact(segment, paths=paths)
    word, after = _first_word(segment[at:])
    return redact(segment[:at] + word, paths=paths) + after


def _first_word(text: str) -> tuple[str, str]:
    """Return what stands before the first space, without what closes it, and the rest."""
    end = next((i for i, char in enumerate(text) if char.isspace()), len(text))
    word = text[:end].rstrip(_CLOSING)
    if text.startswith(_MASK, len(word)):
        # What closes an address that was redacted before belongs to it.
        word += _MASK
    return word, text[len(word) :]
