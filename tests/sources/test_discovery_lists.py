"""Files, HTTP lists and DNS at their edges: what is bad keeps what was there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.config.settings import Discover, Duration, ScrapeSource
from exporter.errors import ConfigError
from exporter.http import Client
from exporter.sources.discovery.base import Discovery, Found
from exporter.sources.discovery.dns import DNSDiscovery
from exporter.sources.discovery.file import FileDiscovery
from exporter.sources.discovery.http import HTTPDiscovery
from tests.sources.kit import serving
from tests.support import ManualClock

SETTINGS = ScrapeSource(
    name="app", timeout=Duration(1), discover=Discover(refresh=Duration(30), path="/m")
)


class Rounds:
    """Runs a discovery one refresh at a time."""

    def __init__(self, discovery: Discovery, clock: ManualClock) -> None:
        self.lists: dict[str, list[str]] = {}
        self.names: list[str] = []
        self._clock = clock
        self._task = asyncio.create_task(discovery.run(self._publish))

    def _publish(self, name: str, found: Sequence[Found]) -> None:
        self.lists[name] = [f.url for f in found]
        self.names.append(name)

    async def first(self) -> None:
        async with asyncio.timeout(10):
            await self._clock.until_sleeping()

    async def next(self) -> None:
        await self.first()
        await self._clock.advance(30)
        await self.first()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"targets": ["a:1"]}]')
    clock = ManualClock()
    rounds = Rounds(FileDiscovery(SETTINGS, [f"{tmp_path}/*.json"], clock), clock)
    await rounds.first()
    await rounds.next()
    await rounds.next()
    await rounds.end()
    assert rounds.names == [f"{tmp_path}/a.json"]


async def test_a_file_that_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.mkdir()
    clock = ManualClock()
    rounds = Rounds(FileDiscovery(SETTINGS, [str(path)], clock), clock)
    await rounds.first()
    assert rounds.lists == {}
    path.rmdir()
    path.write_text('[{"targets": ["a:1"]}]')
    await rounds.next()
    await rounds.end()
    assert rounds.lists == {str(path): ["http://a:1/m"]}


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *(("a.json", bad) for bad in (b"", b"{}", b'["a:1"]', b"\xff\xfe", b'[{"labels": {}}]')),
        ("a.json", b"[" * 100_000),
        ("a.json", b'[{"targets": ["\xff"]}]'),
        ("a.yml", b"- targets: [a:1]\n  labels: { since: 2001-13-45 }\n"),
        ("a.yml", b"[" * 100_000),
    ],
)
async def test_a_bad_document_neither_empties_a_list_nor_ends_the_looking(
    tmp_path: Path, name: str, bad: bytes
) -> None:
    path = tmp_path / name
    path.write_text('[{"targets": ["a:1"]}]')
    clock = ManualClock()
    rounds = Rounds(FileDiscovery(SETTINGS, [str(path)], clock), clock)
    await rounds.first()
    path.write_bytes(bad)
    await rounds.next()
    assert rounds.lists == {str(path): ["http://a:1/m"]}
    path.write_text('[{"targets": []}, {"targets": ["b:22"], "labels": null}]')
    await rounds.next()
    await rounds.end()
    assert rounds.lists == {str(path): ["http://b:22/m"]}


async def test_an_empty_http_list_empties_it_and_its_name_shows_no_secret() -> None:
    answers: list[Any] = [[{"targets": ["a:1"]}], []]

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(answers.pop(0))

    clock, client = ManualClock(), Client(SETTINGS)
    async with serving(answer) as url:
        with_secrets = url.replace("http://", "http://me:pw@") + "/sd?token=t0k3n"
        rounds = Rounds(HTTPDiscovery(SETTINGS, with_secrets, client, clock), clock)
        await rounds.first()
        assert rounds.lists == {f"{url}/sd?token=...": ["http://a:1/m"]}
        await rounds.next()
        await rounds.end()
        await client.close()
    assert rounds.lists == {f"{url}/sd?token=...": []}


@pytest.mark.parametrize("name", ["app.svc", "app.svc:http", ":", ""])
def test_a_name_without_a_port_is_a_fault_of_the_configuration(name: str) -> None:
    with pytest.raises(ConfigError, match="has no port"):
        DNSDiscovery(SETTINGS, [name], ManualClock())


async def test_an_ipv6_address_may_stand_in_brackets() -> None:
    clock = ManualClock()
    rounds = Rounds(DNSDiscovery(SETTINGS, ["[::1]:9100"], clock), clock)
    await rounds.first()
    await rounds.end()
    assert rounds.lists == {"[::1]:9100": ["http://[::1]:9100/m"]}


class NameServer(asyncio.DatagramProtocol):
    """Answers with these SRV records, or that there is no such name."""

    def __init__(self) -> None:
        self.records: list[str] | None = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        import dns.message
        import dns.rcode
        import dns.rrset

        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        if self.records is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        else:
            name = query.question[0].name
            response.answer.append(dns.rrset.from_text_list(name, 1, "IN", "SRV", self.records))
        self.transport.sendto(response.to_wire(), addr)


async def test_a_service_that_is_not_there_any_more_and_a_name_that_is_not_differ() -> None:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    address = transport.get_extra_info("sockname")
    clock, name = ManualClock(), "_metrics._tcp.app.svc"
    server.records = ["0 0 9100 one.example."]
    rounds = Rounds(DNSDiscovery(SETTINGS, [name], clock, nameserver=address), clock)
    try:
        await rounds.first()
        server.records = None
        await rounds.next()
        assert rounds.lists == {name: ["http://one.example:9100/m"]}
        server.records = ["0 0 0 ."]
        await rounds.next()
        assert rounds.lists == {name: []}
    finally:
        await rounds.end()
        transport.close()
