from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import ConfigError
from exporter.web.web_config import WebConfigFile, parse

HASH = "$2y$04$" + "." * 53
FILE = Path("/etc/slod/web.yml")


def test_an_empty_file_asks_for_nothing() -> None:
    for text in ("", "{}", "tls_server_config:\nbasic_auth_users:\n"):
        found = parse(text, FILE)
        assert found.tls is None and not found.users and not found.headers


def test_a_whole_file_is_understood_with_names_relative_to_it() -> None:
    found = parse(
        f"""
tls_server_config:
  cert_file: server.crt
  key_file: /keys/server.key
  client_ca_file: ca.crt
  client_auth_type: RequireAndVerifyClientCert
  min_version: TLS13
  prefer_server_cipher_suites: true
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
basic_auth_users:
  alice: {HASH}
""",
        FILE,
    )
    assert found.tls is not None
    assert found.tls.cert_file == "/etc/slod/server.crt"
    assert found.tls.key_file == "/keys/server.key"
    assert found.tls.client_ca_file == "/etc/slod/ca.crt"
    assert (found.tls.min_version, found.tls.max_version) == ("TLS13", "TLS13")
    assert found.users == {"alice": HASH}
    assert found.headers == {"X-Frame-Options": "deny"}


TLS = "tls_server_config: {cert_file: a, key_file: b, "


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("tls: {}", "tls: unknown key"),
        ("- a", "the file: must be a mapping"),
        ("a: b: c", r"web\.yml:1: not valid YAML"),
        ("tls_server_config: {cert_file: a}", r"tls_server_config\.key_file: is missing"),
        ("tls_server_config: []", "tls_server_config: must be a mapping"),
        (TLS + "certfile: x}", r"tls_server_config\.certfile: unknown key"),
        (TLS + "cert: x}", r"tls_server_config\.cert: is not supported; use cert_file"),
        (TLS + "cipher_suites: [x]}", r"cipher_suites: is not supported"),
        (TLS + "client_allowed_sans: [x]}", r"client_allowed_sans: is not supported"),
        (TLS + "min_version: SSL3}", r"min_version: is not one of TLS10"),
        (TLS + "client_auth_type: RequireAnyClientCert}", r"client_auth_type: .*not supported"),
        (TLS + "client_auth_type: RequireAndVerifyClientCert}", r"client_ca_file: goes together"),
        (TLS + "client_ca_file: ca}", r"client_ca_file: goes together"),
        ("rate_limit: {burst: 1}", "rate_limit: is not supported"),
        ("http_server_config: {headers: {Server: x}}", r"headers\.Server: unknown key"),
        ("http_server_config: {headers: {X-Frame-Options: 1}}", r"must be one line of text"),
        ("basic_auth_users: [alice]", "basic_auth_users: must map"),
        ("basic_auth_users: {1: x}", r"basic_auth_users\.1: put the name in quotes"),
        ("basic_auth_users: {alice: hunter2}", r"basic_auth_users\.alice: is not a bcrypt hash"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(text: str, key: str) -> None:
    with pytest.raises(ConfigError, match=key) as raised:
        parse(text, FILE)
    assert str(raised.value).startswith("/etc/slod/web.yml")
    assert "\n" not in str(raised.value) and "hunter2" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the web_config file .*none\.yml"):
        WebConfigFile(str(tmp_path / "none.yml")).load()


def test_a_faulty_change_leaves_the_last_good_configuration_in_force(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{alice: {HASH}}}\n")
    file = WebConfigFile(str(path))
    file.load()
    path.write_text("basic_auth_users: {alice: hunter2}  # a password, not a hash\n")
    assert file.current().users == {"alice": HASH}
    path.unlink()
    assert file.current().users == {"alice": HASH}
    path.write_text(f"basic_auth_users: {{robert: {HASH}}}\n")
    assert file.current().users == {"robert": HASH}
