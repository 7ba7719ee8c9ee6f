from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import bcrypt
import pytest
from structlog.testing import capture_logs

from exporter.errors import ConfigError
from exporter.web.web_config import WebConfigFile, parse
from tests.web.kit import serving
from tests.web.test_auth import basic

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


USERS = f"basic_auth_users:\n  alice: {HASH}\n"
NO_USERS = {
    "empty": "",
    "a blank line": "\n",
    "a comment": "# nothing\n",
    "null": "null\n",
    "tilde": "~\n",
    "an empty mapping": "{}\n",
    "an empty document": "---\n",
    "two empty documents": "---\n---\n",
    "an empty second document": USERS + "---\n",
    "an empty document before": "---\n---\n" + USERS,
    "an ended document": "...\n",
    "no users": "basic_auth_users:\n",
    "users that are null": "basic_auth_users: null\n",
    "an empty mapping of users": "basic_auth_users: {}\n",
    "other sections only": "http_server_config: {headers: {X-Frame-Options: deny}}\n",
    "half a key": "basic_auth_us",
    "half a hash": USERS[:-20],
    "no mapping": "[]\n",
    "zeros": "\0" * 100,
    "a byte order mark": "\ufeff",
}


@pytest.mark.parametrize("text", NO_USERS.values(), ids=NO_USERS)
def test_a_file_that_loses_its_users_while_it_runs_keeps_them_and_says_so(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "web.yml"
    path.write_text(USERS)
    file = WebConfigFile(str(path))
    file.load()
    path.write_text(text)
    with capture_logs() as logs:
        for _ in range(3):
            assert file.current().users == {"alice": HASH}
    assert [line["event"] for line in logs] == ["web_config.refused"]  # once, not at each request
    assert file.refused is not None and "\n" not in file.refused
    path.write_text(USERS + "# whole again\n")
    assert file.current().users == {"alice": HASH}
    assert file.refused is None


def test_a_file_that_cannot_be_read_any_more_keeps_the_users(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(USERS)
    file = WebConfigFile(str(path))
    file.load()
    path.unlink()
    path.mkdir()
    assert file.current().users and "not a regular file" in (file.refused or "")
    path.rmdir()
    os.mkfifo(path)  # nobody writes: to open it would wait for ever
    assert file.current().users and "not a regular file" in (file.refused or "")
    path.unlink()
    path.write_bytes(b"# " + b"x" * 2**20)
    assert file.current().users and "is over" in (file.refused or "")
    path.write_bytes(b"\xff")
    assert file.current().users and "cannot read" in (file.refused or "")


def test_a_start_without_users_takes_the_file_at_its_word_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("")
    file = WebConfigFile(str(path))
    with capture_logs() as logs:
        file.load()
    assert [line["event"] for line in logs] == ["web_config.no_users"]
    path.write_text(USERS)
    assert file.current().users == {"alice": HASH}


async def test_a_password_that_was_asked_for_is_asked_for_until_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    path.write_text(f"basic_auth_users: {{alice: {hashed}}}\n")
    login = basic("alice", b"right")
    async with serving(web_config=str(path)) as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/-/ready"

        async def ask(login: str | None) -> tuple[int, str]:
            headers = {} if login is None else {"Authorization": login}
            async with session.get(url, headers=headers) as response:
                return response.status, await response.text()

        assert await ask(login) == (200, "slod is ready.\n")
        path.write_text("")
        assert (await ask(None))[0] == 401
        status, text = await ask(login)
        assert status == 200 and "web_config: the last good one is in force" in text
    async with serving(web_config=str(path)) as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/-/ready"
        assert (await ask(None))[0] == 200
