from __future__ import annotations

import base64
from pathlib import Path

import aiohttp
import bcrypt
import pytest

from exporter.web.auth import BasicAuth, parse_basic
from tests.web.kit import serving


def hashed(password: bytes) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()


def basic(user: str, password: bytes) -> str:
    return "Basic " + base64.b64encode(user.encode() + b":" + password).decode()


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (basic("alice", b"a:b"), ("alice", b"a:b")),
        ("basic " + base64.b64encode(b"a:").decode(), ("a", b"")),
        ("Bearer x", None),
        ("Basic ***", None),
        ("Basic " + base64.b64encode(b"nocolon").decode(), None),
        ("Basic \u00fc", None),
        ("", None),
    ],
)
def test_credentials_are_read_from_the_header(header: str, found: tuple[str, bytes] | None) -> None:
    assert parse_basic(header) == found


async def test_only_the_right_password_of_a_known_user_is_let_in() -> None:
    users = {"alice": hashed(b"s3cret"), "bob": hashed(b"other").replace("$2b$", "$2y$")}
    gate = BasicAuth()
    for _ in range(2):  # the second time from memory
        assert await gate.allows(users, basic("alice", b"s3cret"))
        assert await gate.allows(users, basic("bob", b"other"))
        assert not await gate.allows(users, basic("alice", b"other"))
        # The unknown user's dummy comparison is against alice's hash, and must not succeed.
        assert not await gate.allows(users, basic("mallory", b"s3cret"))
        assert not await gate.allows(users, None)


async def test_a_changed_hash_forgets_the_old_password() -> None:
    gate = BasicAuth()
    assert await gate.allows({"alice": hashed(b"old")}, basic("alice", b"old"))
    assert not await gate.allows({"alice": hashed(b"new")}, basic("alice", b"old"))


async def test_passwords_that_bcrypt_dislikes_are_just_wrong_or_cut_off() -> None:
    gate = BasicAuth()
    assert not await gate.allows({"a": hashed(b"x")}, basic("a", b"\0\xff"))
    assert await gate.allows({"a": hashed(b"x" * 72)}, basic("a", b"x" * 100))


async def test_a_verified_password_costs_bcrypt_once_even_between_many_guesses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    costs: list[bytes] = []
    real = bcrypt.checkpw

    def counted(password: bytes, against: bytes) -> bool:
        costs.append(password)
        return real(password, against)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    gate, users = BasicAuth(), {"alice": hashed(b"right")}
    for guess in range(200):
        assert await gate.allows(users, basic("alice", b"right"))
        assert not await gate.allows(users, basic("alice", b"%d" % guess))
    assert costs.count(b"right") == 1


async def test_every_path_wants_the_password_and_users_change_with_the_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "web.yml"
    file.write_text(
        f"basic_auth_users: {{alice: {hashed(b'one')}}}\n"
        "http_server_config: {headers: {X-Frame-Options: deny}}\n"
    )
    async with serving(web_config=str(file)) as server, aiohttp.ClientSession() as session:

        async def ask(path: str, password: bytes | None = None) -> aiohttp.ClientResponse:
            headers = {} if password is None else {"Authorization": basic("alice", password)}
            url = f"http://127.0.0.1:{server.port}{path}"
            async with session.get(url, headers=headers) as response:
                assert response.headers["X-Frame-Options"] == "deny"
                return response

        for path in ("/", "/metrics", "/-/healthy", "/-/ready", "/-/reload", "/nothing"):
            response = await ask(path)
            assert response.status == 401, path
            assert response.headers["WWW-Authenticate"].startswith("Basic")
            assert (await ask(path, b"two")).status == 401
        assert (await ask("/metrics", b"one")).status == 200
        assert (await ask("/nothing", b"one")).status == 404
        file.write_text(
            f"basic_auth_users: {{alice: {hashed(b'three')}}}\n"
            "http_server_config: {headers: {X-Frame-Options: deny}}   # changed\n"
        )
        assert (await ask("/metrics", b"one")).status == 401
        assert (await ask("/metrics", b"three")).status == 200
