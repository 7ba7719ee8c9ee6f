"""[server] and [api]: who may ask, and under which name."""

from __future__ import annotations

import pytest

from exporter.config.load import parse
from exporter.errors import ConfigError


def test_names_roles_and_origins_are_read() -> None:
    config = parse(
        """
[server]
web_config = "web.yml"
hosts = ["slod.example", "*.svc", "slod"]
roles = { ops = "write", grafana = "read" }
[api]
allow_origins = ["https://grafana.example", "http://127.0.0.1:3000", "*"]
""",
        "slod.toml",
    )
    assert config.server.hosts == ("slod.example", "*.svc", "slod")
    assert config.server.roles == {"ops": "write", "grafana": "read"}
    assert len(config.api.allow_origins) == 3
    config = parse("", "slod.toml")
    assert (config.server.hosts, config.server.roles, config.api.allow_origins) == ((), {}, ())


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ('[server]\nhosts = ["slod.example:9947"]', "server.hosts[0]: not a host name"),
        ('[server]\nhosts = ["http://slod.example"]', "server.hosts[0]: not a host name"),
        ('[server]\nhosts = ["a", "*"]', "server.hosts[1]: not a host name"),
        ('[server]\nhosts = ["a.*.b"]', "server.hosts[0]: not a host name"),
        ('[server]\nroles = { ops = "write" }', "server.roles: are those of users"),
        ('[server]\nweb_config = "w"\nroles = { ops = "admin" }', "server.roles"),
        ('[api]\nallow_origins = ["grafana.example"]', "api.allow_origins[0]: not an origin"),
        ('[api]\nallow_origins = ["https://a.example/"]', "api.allow_origins[0]: not an origin"),
        ("[api]\nallow_origin = []", "did you mean"),
    ],
)
def test_what_cannot_be_is_said_with_its_key(text: str, finding: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, "slod.toml")
    assert finding in str(raised.value)
