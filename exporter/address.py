"""Addresses of others, read in one place."""

from __future__ import annotations

from yarl import URL


def parsed(text: str) -> URL:
    """Return the parts of an address.

    Raises:
        ValueError: it is none.
    """
    try:
        return URL(text)
    except IndexError as error:
        # yarl 1.25 says so of brackets in front of an @.
        raise ValueError(f"not an address: {error}") from None
