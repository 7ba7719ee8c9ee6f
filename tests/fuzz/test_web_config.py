from __future__ import annotations

from pathlib import Path

from exporter.errors import ConfigError
from exporter.web.web_config import parse
from tests.fuzz.kit import fuzz


def check(data: bytes) -> None:
    try:
        found = parse(data.decode("utf-8", "replace"), Path("/etc/slod/web.yml"))
    except ConfigError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(v, str) for v in (*found.users.values(), *found.headers.values()))


def test_web_configurations() -> None:
    fuzz("web_config", check, 1500)
