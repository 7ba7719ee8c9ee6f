"""How many files and sockets this process may have open."""

from __future__ import annotations

import structlog

log = structlog.get_logger()

UNKNOWN = 1024
"""Where a system has no such limit to ask for, the usual one is taken as given."""


def raise_limit() -> int:
    """Raise the limit to the highest that is allowed without privileges; returns the one in force.

    A limit that cannot be raised stays: the port then takes fewer connections.
    """
    try:
        import resource
    except ImportError:  # Windows has no limit of this kind
        return UNKNOWN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:
            log.debug("descriptors.not_raised", limit=soft, error=str(error))
    return limit()


def limit() -> int:
    """The limit in force; a very large number where there is none."""
    try:
        import resource
    except ImportError:
        return UNKNOWN
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 2**31 if soft == resource.RLIM_INFINITY else soft
