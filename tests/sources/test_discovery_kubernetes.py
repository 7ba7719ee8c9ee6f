"""A Kubernetes API in trouble: hang-ups, refusals, lost versions, a server that spins."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from exporter.config.settings import KubernetesSD
from exporter.sources.discovery.base import Found
from exporter.sources.discovery.kubernetes import KubernetesDiscovery
from tests.support import ManualClock

Event = dict[str, Any]


def pod(name: str, ip: str | None, **more: Any) -> dict[str, Any]:
    containers = more.get("containers", [{"name": "app", "ports": [{"containerPort": 8080}]}])
    return {
        "metadata": {
            "uid": name, "name": name, "namespace": "shop",
            "resourceVersion": more.get("version", "1"), **more.get("metadata", {}),
        },
        "spec": {"nodeName": "n1", "containers": containers},
        "status": {"phase": more.get("phase", "Running"), "podIP": ip},
    }  # fmt: skip


class API:
    """Lists `pods` at `version`; each watch is one script from `watches`, the last one hangs."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = list(pods)
        self.version = "100"
        self.list_status = 200
        self.watches: list[list[Event | bytes | int | None]] = []
        self.lists = 0
        self.watched: list[str] = []
        self.tokens: list[str] = []
        self.watchable = asyncio.Event()
        """Watches are answered only while this is set."""
        self.watchable.set()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("Authorization", ""))
        if "watch" not in request.query:
            self.lists += 1
            meta = {"resourceVersion": self.version}
            document = {"metadata": meta, "items": self.pods}
            return web.json_response(document, status=self.list_status)
        self.watched.append(request.query["resourceVersion"])
        await self.watchable.wait()
        script = self.watches.pop(0) if self.watches else ["hang"]
        if script and isinstance(script[0], int):
            return web.Response(status=script[0])
        response = web.StreamResponse()
        await response.prepare(request)
        for step in script:
            if step == "hang":
                await asyncio.Event().wait()
            elif step is None:
                assert request.transport is not None
                request.transport.abort()
            else:
                await response.write(
                    step if isinstance(step, bytes) else json.dumps(step).encode() + b"\n"
                )
        return response


class Following:
    """A discovery that runs, and what it published."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.found: list[Found] = []
        self.published = 0

    def publish(self, name: str, found: Sequence[Found]) -> None:
        assert name == "kubernetes"
        self.found = list(found)
        self.published += 1

    @property
    def pods(self) -> list[str]:
        return [f.labels["pod"] for f in self.found]

    async def until(self, reached: Callable[[], bool]) -> None:
        """Return once it is so; whatever pauses meanwhile is let go on."""
        async with asyncio.timeout(10):
            while not reached():
                await self.clock.advance(30)
                await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def served(api: API, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/{path:.*}", api.__call__)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def following(api: API, **more: Any) -> AsyncIterator[Following]:
    clock = ManualClock()
    follower = Following(clock)
    async with served(api) as port:
        settings = KubernetesSD(api_server=f"http://127.0.0.1:{port}", **more)
        task = asyncio.create_task(
            KubernetesDiscovery(settings, "app", clock).run(follower.publish)
        )
        try:
            yield follower
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def added(name: str, version: str) -> Event:
    return {"type": "ADDED", "object": pod(name, "10.0.0.9", version=version)}


async def test_a_watch_that_breaks_off_goes_on_from_its_last_version_and_keeps_the_pods() -> None:
    api = API(pod("a", "10.0.0.1"))
    api.watches = [[added("b", "120"), None], [None], [added("c", "130"), "hang"]]
    async with following(api) as f:
        await f.until(lambda: f.pods == ["a", "b", "c"])
    assert api.lists == 1
    # What broke off with its event on the way is asked for again, not lost.
    assert api.watched[-1] in ("100", "120")
    assert len(api.watched) == 3


async def test_a_watch_that_ends_as_watches_do_goes_on_at_once() -> None:
    api = API(pod("a", "10.0.0.1"))
    api.watches = [[added("b", "120")], [added("c", "130")], ["hang"]]
    async with following(api) as f:
        async with asyncio.timeout(10):
            while len(api.watched) < 3:
                await asyncio.sleep(0.002)
        assert f.clock.monotonic() == 0.0
    assert (api.lists, api.watched) == (1, ["100", "120", "130"])


@pytest.mark.parametrize("script", [[], [410], [500], [{"type": "ERROR", "object": {}}], [b"?\n"]])
async def test_a_server_that_ends_every_watch_is_not_asked_without_pause(script: list[Any]) -> None:
    api = API(pod("a", "10.0.0.1"))
    api.watches = [script] * 50
    async with following(api) as f:
        for _ in range(5):
            async with asyncio.timeout(10):
                await f.clock.until_sleeping()
            await f.clock.advance(0.4)
        assert len(api.watched) <= 3
        assert f.pods == ["a"]


@pytest.mark.parametrize(
    "script",
    [
        [410],
        [400],
        [{"type": "ERROR", "object": {"code": 410}}],
        [{"type": "ERROR", "object": {"code": 500, "message": "etcd"}}],
        [b"no json\n"],
    ],
)
async def test_after_anything_but_events_the_pods_are_listed_anew(script: list[Any]) -> None:
    api = API(pod("a", "10.0.0.1"))
    api.watches = [script]
    api.watchable.clear()
    async with following(api) as f:
        await f.until(lambda: f.pods == ["a"])
        api.pods, api.version = [pod("z", "10.0.0.2")], "500"
        api.watchable.set()
        await f.until(lambda: f.pods == ["z"])
        await f.until(lambda: api.watched[-1] == "500")


async def test_a_refused_list_keeps_the_pods_and_is_asked_for_again() -> None:
    api = API(pod("a", "10.0.0.1"))
    api.watches = [[410]]
    api.watchable.clear()
    async with following(api) as f:
        await f.until(lambda: f.pods == ["a"])
        api.list_status = 403
        api.watchable.set()
        asked = api.lists
        await f.until(lambda: api.lists >= asked + 2)
        assert f.pods == ["a"]
        api.list_status, api.pods = 200, []
        await f.until(lambda: f.published > 1 and f.pods == [])


async def test_a_pod_counts_while_it_serves_also_while_it_is_being_deleted() -> None:
    api = API(pod("a", "10.0.0.1"), pod("b", "10.0.0.2"))
    ending = {"deletionTimestamp": "2024-01-01T00:00:00Z"}
    api.watches = [
        [
            {"type": "MODIFIED", "object": pod("a", "10.0.0.1", metadata=ending)},
            {"type": "MODIFIED", "object": pod("b", "10.0.0.2", phase="Succeeded")},
            "hang",
        ]  # type: ignore[list-item]
    ]
    async with following(api) as f:
        await f.until(lambda: f.pods == ["a"])


async def test_every_container_with_the_port_is_a_target() -> None:
    ports = [
        {"name": "app", "ports": [{"name": "metrics", "containerPort": 8080}]},
        {"name": "proxy", "ports": [{"name": "metrics", "containerPort": 9090}]},
        {
            "name": "dns",
            "ports": [
                {"name": "udp", "containerPort": 53},
                {"name": "metrics", "containerPort": 53},
            ],
        },
    ]
    async with following(API(pod("a", "10.0.0.1", containers=ports)), port="metrics") as f:
        await f.until(lambda: bool(f.found))
    assert [(x.url, x.labels["container"]) for x in f.found] == [
        ("http://10.0.0.1:8080/metrics", "app"),
        ("http://10.0.0.1:9090/metrics", "proxy"),
        ("http://10.0.0.1:53/metrics", "dns"),
    ]


async def test_an_annotated_path_needs_no_slash_and_gives_way_to_a_configured_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUFFIX", "x")
    noted = pod("a", "10.0.0.1", metadata={"annotations": {"prometheus.io/path": "stats"}})
    async with following(API(noted)) as f:
        await f.until(lambda: bool(f.found))
    assert f.found[0].url == "http://10.0.0.1:8080/stats"
    async with following(API(noted), path="/m/$SUFFIX") as f:
        await f.until(lambda: bool(f.found))
    assert f.found[0].url == "http://10.0.0.1:8080/m/x"


async def test_inside_a_cluster_the_server_its_ca_and_the_token_are_those_of_the_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    token = tmp_path / "token"
    token.write_text("one\n")
    api = API(pod("a", "10.0.0.1"))
    api.watches = [[added("b", "120")], [added("c", "130"), "hang"]]
    clock = ManualClock()
    follower = Following(clock)
    async with served(api, tls) as port:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
        settings = KubernetesSD(token_file=str(token), ca_file=str(tmp_path / "ca.crt"))

        def publish(name: str, found: Sequence[Found]) -> None:
            follower.publish(name, found)
            token.write_text("two\n")

        task = asyncio.create_task(KubernetesDiscovery(settings, "app", clock).run(publish))
        await follower.until(lambda: follower.pods == ["a", "b", "c"])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert api.tokens[0] == "Bearer one"
    assert api.tokens[-1] == "Bearer two"


async def test_a_proxy_on_plain_http_gets_no_token() -> None:
    api = API(pod("a", "10.0.0.1"))
    async with following(api) as f:
        await f.until(lambda: f.pods == ["a"])
    assert set(api.tokens) == {""}
