"""Imports aiohttp for the first time, without the certificates that it reads meanwhile.

It makes two TLS contexts while it is imported and reads the system's certificates for each: 2 MiB
and 70 ms, for nothing where all is plain http. `exporter.http` reads them at the first https
request and uses none of aiohttp's own contexts.
"""

from __future__ import annotations

import os

_FILE = "SSL_CERT_FILE"  # where OpenSSL looks, if it is set

_before = os.environ.get(_FILE)
os.environ[_FILE] = os.devnull
try:
    import aiohttp
finally:
    if _before is None:
        del os.environ[_FILE]
    else:
        os.environ[_FILE] = _before

__all__ = ["aiohttp"]
