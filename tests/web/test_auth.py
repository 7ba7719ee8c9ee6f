from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import aiohttp
import bcrypt
import pytest

from exporter.web.auth import BasicAuth, TooManyGuesses, parse_basic
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


class Counter:
    """bcrypt, but the test says when a comparison is over; by whom it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.compared: list[bytes] = []
        self.turn = asyncio.Semaphore(0)
        monkeypatch.setattr(asyncio, "to_thread", self.compare)

    async def compare(self, work: object, password: bytes, hashed: str) -> bool:
        await self.turn.acquire()
        self.compared.append(password)
        return password == b"right"


async def test_whoever_guesses_waits_behind_the_own_guesses_and_nobody_else_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow, gate, users = Counter(monkeypatch), BasicAuth(), {"alice": "hash"}

    def ask(password: bytes, address: str) -> asyncio.Task[bool]:
        return asyncio.create_task(gate.allows(users, basic("alice", password), address))

    guesses = [ask(b"%d" % n, "192.0.2.66") for n in range(16)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyGuesses):
        await gate.allows(users, basic("alice", b"one more"), "192.0.2.66")
    other = ask(b"right", "192.0.2.1")
    await asyncio.sleep(0)
    for _ in range(2):
        slow.turn.release()
    assert await other
    assert slow.compared == [b"0", b"right"]
    for _ in range(15):
        slow.turn.release()
    assert await asyncio.gather(*guesses) == [False] * 16
    late = ask(b"again", "192.0.2.66")  # one that waits for nothing may ask again
    slow.turn.release()
    assert not await late


async def test_what_a_browser_asks_at_once_is_compared_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow, gate, users = Counter(monkeypatch), BasicAuth(), {"alice": "hash"}
    header = basic("alice", b"right")
    asking = [asyncio.create_task(gate.allows(users, header, "a")) for _ in range(10)]
    slow.turn.release()
    assert await asyncio.gather(*asking) == [True] * 10
    assert slow.compared == [b"right"]


async def test_too_many_guesses_at_a_time_are_429(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{alice: {hashed(b'right')}}}\n")
    slow = Counter(monkeypatch)
    async with serving(web_config=str(file)) as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/metrics"

        async def ask(n: int) -> int:
            headers = {"Authorization": basic("alice", b"%d" % n)}
            async with session.get(url, headers=headers) as response:
                if response.status == 429:
                    assert response.headers["Retry-After"] == "1"
                    slow.turn.release()
                return response.status

        # Each one that is turned away lets one that waits go on.
        found = await asyncio.gather(*(ask(n) for n in range(32)))
    assert (found.count(401), found.count(429)) == (16, 16)
