"""Reading `server.listen`, and saying in words why an address cannot be had."""

from __future__ import annotations

import errno
import re
import socket

from exporter.errors import ConfigError

_LISTEN = re.compile(
    r"(?:\[(?P<v6>[0-9a-fA-F:.%\w]+)\]|(?P<host>[^:\[\]\s/]*)):(?P<port>[0-9]{1,5})"
)


def parse_listen(text: str) -> tuple[str | None, int]:
    """Host (None for all interfaces) and port of `127.0.0.1:9947`, `[::1]:9947` or `:9947`."""
    found = _LISTEN.fullmatch(text.strip())
    if found is None or int(found["port"]) > 65_535:
        raise ConfigError(
            f'server.listen = "{text}" is not an address; '
            'write "127.0.0.1:9947", "[::1]:9947", or ":9947" for all interfaces'
        )
    return found["v6"] or found["host"] or None, int(found["port"])


def cannot_listen(text: str, error: OSError) -> ConfigError:
    """The error for the operator, with the way out."""
    if isinstance(error, socket.gaierror):
        why, way = "the host is not known", "name an address of this machine"
    elif error.errno == errno.EADDRINUSE:
        why, way = "the port is in use", "stop the other program or choose another port"
    elif error.errno in (errno.EADDRNOTAVAIL, None):
        # asyncio of Python 3.13 passes over such addresses, and in the end has no number for it.
        why, way = "no interface has this address", "name an address of this machine"
    elif error.errno in (errno.EACCES, errno.EPERM):
        why, way = "not permitted", "choose a port from 1024 on"
    else:
        why, way = error.strerror or str(error), "check server.listen"
    return ConfigError(f'cannot listen on "{text}" (server.listen): {why}; {way}')
