from __future__ import annotations

import pytest

from exporter.errors import ConfigError
from exporter.web.listen import parse_listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9947", "127.0.0.1", 9947),
        ("[::1]:9947", "::1", 9947),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        (":9947", None, 9947),
        ("localhost:0", "localhost", 0),
    ],
)
def test_an_address_has_a_host_and_a_port(text: str, host: str | None, port: int) -> None:
    assert parse_listen(text) == (host, port)


@pytest.mark.parametrize("text", ["", "9947", "::1:9947", "a:70000", "a:", "http://a:1", "a:x"])
def test_anything_else_is_an_error_that_shows_the_form(text: str) -> None:
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9947"):
        parse_listen(text)
