"""Discovery: documents, DNS, and a Kubernetes API that lists, watches, forgets and hangs up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.clock import SystemClock
from exporter.config.settings import Discover, Duration, KubernetesSD, ScrapeSource
from exporter.errors import ConfigError
from exporter.http import Client
from exporter.sources.discovery.base import Discovery, Found
from exporter.sources.discovery.dns import DNSDiscovery
from exporter.sources.discovery.file import FileDiscovery
from exporter.sources.discovery.http import HTTPDiscovery
from exporter.sources.discovery.kubernetes import KubernetesDiscovery
from tests.sources.kit import serving

SETTINGS = ScrapeSource(
    name="app", timeout=Duration(2), discover=Discover(refresh=Duration(0.02), path="/m")
)


class Lists:
    """What was published."""

    def __init__(self) -> None:
        self.now: dict[str, list[Found]] = {}
        self.times = 0
        self._more = asyncio.Event()

    def __call__(self, name: str, found: Sequence[Found]) -> None:
        self.now[name] = list(found)
        self.times += 1
        self._more.set()

    async def until(self, *urls: str) -> None:
        """Return once exactly these URLs are there."""
        async with asyncio.timeout(20):
            while sorted(f.url for some in self.now.values() for f in some) != sorted(urls):
                self._more.clear()
                await self._more.wait()


@contextlib.asynccontextmanager
async def following(discovery: Discovery) -> AsyncIterator[Lists]:
    lists = Lists()
    task = asyncio.create_task(discovery.run(lists))
    try:
        yield lists
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_files_in_json_and_yaml_are_followed_and_a_bad_one_keeps_its_targets(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.json").write_text('[{"targets": ["a:1"], "labels": {"env": "x"}}]')
    (tmp_path / "b.yml").write_text("- targets: ['b:2', 'https://c/x']\n")
    patterns = [f"{tmp_path}/*.json", f"{tmp_path}/*.yml"]
    async with following(FileDiscovery(SETTINGS, patterns, SystemClock())) as lists:
        await lists.until("http://a:1/m", "http://b:2/m", "https://c/x")
        assert lists.now[f"{tmp_path}/a.json"][0].labels == {"env": "x"}
        (tmp_path / "a.json").write_text('[{"targets": "no list"}]')
        (tmp_path / "b.yml").write_text("- targets: ['b:3']\n  labels: {__metrics_path__: /n}\n")
        await lists.until("http://a:1/m", "http://b:3/n")
        (tmp_path / "a.json").unlink()
        await lists.until("http://b:3/n")
        (tmp_path / "b.yml").write_text("[: {")
        (tmp_path / "d.json").write_text('[{"targets": ["d:4"]}]')
        await lists.until("http://b:3/n", "http://d:4/m")


async def test_an_http_list_is_followed_and_an_error_keeps_the_targets() -> None:
    answers: list[Any] = [
        [{"targets": ["a:1"]}],
        web.Response(status=500),
        web.Response(text="no json"),
        {"not": "a list"},
        [{"targets": ["b:1"]}],
    ]
    seen = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["X-Prometheus-Refresh-Interval-Seconds"])
        told = answers.pop(0) if len(answers) > 1 else answers[0]
        return told if isinstance(told, web.Response) else web.json_response(told)

    async with serving(answer) as url:
        client = Client(SETTINGS)
        async with following(HTTPDiscovery(SETTINGS, url, client, SystemClock())) as lists:
            await lists.until("http://a:1/m")
            await lists.until("http://b:1/m")
            assert seen[0] == "0.02"
        await client.close()


async def test_an_address_by_dns_and_a_name_that_does_not_resolve() -> None:
    names = ["does-not-exist.invalid:80", "localhost:8080"]
    async with following(DNSDiscovery(SETTINGS, names, SystemClock())) as lists:
        async with asyncio.timeout(20):
            while "localhost:8080" not in lists.now:
                await asyncio.sleep(0.01)
    assert "http://127.0.0.1:8080/m" in {f.url for f in lists.now["localhost:8080"]}
    assert list(lists.now) == ["localhost:8080"]


class _DNS(asyncio.DatagramProtocol):
    """Answers every question with two SRV records."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        import dns.message
        import dns.rrset

        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        name = query.question[0].name
        records = ["0 0 9100 one.example.", "0 0 9200 two.example."]
        response.answer.append(dns.rrset.from_text_list(name, 30, "IN", "SRV", records))
        self.transport.sendto(response.to_wire(), addr)


async def test_srv_records_give_names_and_ports() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_DNS, local_addr=("127.0.0.1", 0))
    server = transport.get_extra_info("sockname")
    try:
        discovery = DNSDiscovery(
            SETTINGS, ["_metrics._tcp.app.svc"], SystemClock(), nameserver=server
        )
        async with following(discovery) as lists:
            await lists.until("http://one.example:9100/m", "http://two.example:9200/m")
    finally:
        transport.close()


# --- Kubernetes ---------------------------------------------------------------------------------


def pod(name: str, ip: str | None, version: int, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "uid": name, "name": name, "namespace": "shop", "resourceVersion": str(version),
            "labels": {"app": "checkout"}, "annotations": more.get("annotations", {}),
        },
        "spec": {
            "nodeName": "n1",
            "containers": [
                {"name": "app", "ports": [{"name": "metrics", "containerPort": 8080}]},
                {"name": "db", "ports": [{"name": "sql", "containerPort": 5432}]},
            ],
        },
        "status": {"phase": more.get("phase", "Running"), **({"podIP": ip} if ip else {})},
    }  # fmt: skip


class KubeAPI:
    """Lists what there is, and tells watchers what the test says."""

    def __init__(self) -> None:
        self.pods: list[dict[str, Any]] = []
        self.version = 100
        self.calls: list[dict[str, str]] = []
        self.events: asyncio.Queue[dict[str, Any] | str] = asyncio.Queue()
        self.token = ""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(dict(request.query))
        self.token = request.headers.get("Authorization", "")
        assert request.path == "/api/v1/namespaces/shop/pods"
        if "watch" not in request.query:
            meta = {"resourceVersion": str(self.version)}
            return web.json_response({"metadata": meta, "items": self.pods})
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            event = await self.events.get()
            if isinstance(event, str):
                return response
            # In two pieces: an event need not come in one.
            line = json.dumps(event).encode() + b"\n"
            await response.write(line[:20])
            await response.write(line[20:])


def kubernetes(url: str, tmp_path: Path, **more: Any) -> KubernetesDiscovery:
    (tmp_path / "token").write_text("t0k3n\n")
    settings = KubernetesSD(
        api_server=url, namespace="shop", token_file=str(tmp_path / "token"), **more
    )
    return KubernetesDiscovery(settings, "app", SystemClock())


async def test_the_pods_of_a_node_are_listed_and_then_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_NAME", "n1")
    api = KubeAPI()
    api.pods = [
        pod("a", "10.0.0.1", 90),
        pod("b", None, 91),
        pod("c", "10.0.0.3", 92, phase="Failed"),
    ]
    async with serving(api) as url:
        discovery = kubernetes(
            url, tmp_path, node="$NODE_NAME", selector="app=checkout", port="metrics"
        )
        async with following(discovery) as lists:
            await lists.until("http://10.0.0.1:8080/metrics")
            assert dict(lists.now["kubernetes"][0].labels) == {
                "namespace": "shop", "pod": "a", "node": "n1", "container": "app",
                "job": "checkout",
            }  # fmt: skip
            await api.events.put({"type": "MODIFIED", "object": pod("b", "10.0.0.2", 101)})
            await lists.until("http://10.0.0.1:8080/metrics", "http://10.0.0.2:8080/metrics")
            await api.events.put({"type": "DELETED", "object": pod("a", "10.0.0.1", 102)})
            await lists.until("http://10.0.0.2:8080/metrics")
            bookmark = {"metadata": {"resourceVersion": "150"}}
            await api.events.put({"type": "BOOKMARK", "object": bookmark})
            await api.events.put("hang up")
            await api.events.put({"type": "ADDED", "object": pod("d", "fd00::1", 151)})
            await lists.until("http://10.0.0.2:8080/metrics", "http://[fd00::1]:8080/metrics")
    assert api.token == "Bearer t0k3n"
    assert api.calls[0] == {"fieldSelector": "spec.nodeName=n1", "labelSelector": "app=checkout"}
    assert [c["resourceVersion"] for c in api.calls[1:]] == ["100", "150"]


async def test_when_the_version_is_gone_the_pods_are_listed_anew(tmp_path: Path) -> None:
    api = KubeAPI()
    api.pods = [pod("a", "10.0.0.1", 90)]
    async with serving(api) as url, following(kubernetes(url, tmp_path)) as lists:
        await lists.until("http://10.0.0.1:8080/metrics")
        api.pods = [pod("e", "10.0.0.5", 300)]
        await api.events.put({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
        await lists.until("http://10.0.0.5:8080/metrics")
    assert ["watch" in call for call in api.calls[:3]] == [False, True, False]


async def test_the_port_and_path_may_come_from_the_pods_annotations(tmp_path: Path) -> None:
    api = KubeAPI()
    notes = {"prometheus.io/port": "9999", "prometheus.io/path": "/m"}
    api.pods = [pod("a", "10.0.0.1", 90, annotations=notes)]
    async with serving(api) as url, following(kubernetes(url, tmp_path)) as lists:
        await lists.until("http://10.0.0.1:9999/m")


async def test_a_port_name_that_a_pod_lacks_is_another_pods(tmp_path: Path) -> None:
    api = KubeAPI()
    api.pods = [pod("a", "10.0.0.1", 90)]
    async with serving(api) as url:
        async with following(kubernetes(url, tmp_path, port="admin")) as lists:
            await lists.until()
        async with following(kubernetes(url, tmp_path, port=7000)) as lists:
            await lists.until("http://10.0.0.1:7000/metrics")


def test_outside_a_cluster_the_api_server_must_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigError, match="give api_server"):
        KubernetesDiscovery(KubernetesSD(), "app", SystemClock())


def test_a_variable_that_is_not_set_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NODE_NAME", raising=False)
    with pytest.raises(ConfigError, match="NODE_NAME"):
        kubernetes("http://x", tmp_path, node="${NODE_NAME}")
