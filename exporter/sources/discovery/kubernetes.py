"""The pods of a node (or namespace, or label selector) from the Kubernetes API.

One list, then a watch that goes on from the list's resource version; when the server no longer
knows that version (410 Gone), or says anything else but events, the list is asked for again.
Source: Kubernetes documentation, "API concepts", efficient detection of changes.

Labels of a target: `namespace`, `pod`, `node`, `container`, and `job` from the pod's label
`app.kubernetes.io/name` or `app`.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from exporter.clock import Clock
from exporter.config.settings import HTTP, TLS, KubernetesSD
from exporter.errors import ConfigError, SlodError, SourceError
from exporter.http import Client, TransportError
from exporter.room import ANSWERS, NoRoom
from exporter.sources.discovery.base import Found, Publish, expand, target_url

log = structlog.get_logger()

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_LONGEST_LINE = 4 * 1024 * 1024
_WATCH = 300
"""Seconds after which the server ends a watch, and we begin the next one from where it was."""
_OVERDUE = 30.0
"""Seconds past that after which the server, or the way to it, is taken for dead."""
_TOKEN = KubernetesSD().token_file
_JOB_LABELS = ("app.kubernetes.io/name", "app", "k8s-app")


class _Gone(Exception):
    """The resource version is too old to go on from."""


class KubernetesDiscovery:
    """Follows the pods that match; publishes them under the name `kubernetes`."""

    def __init__(self, settings: KubernetesSD, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._settings = settings
        self._server = expand(settings.api_server) if settings.api_server else _in_cluster()
        secure = self._server.startswith("https")
        # `kubectl proxy` speaks plain HTTP and wants no token, which is then not there to be read.
        token = settings.token_file if secure or settings.token_file != _TOKEN else None
        tls = TLS(ca_file=expand(settings.ca_file)) if secure else None
        self._client = Client(HTTP(bearer_token_file=token and expand(token), tls=tls))
        self._pods: dict[str, list[Found]] = {}
        self._version = ""
        self._heard = False
        self._path = expand(settings.path)
        self._port_wanted = None if settings.port is None else expand(str(settings.port))
        space = f"namespaces/{expand(settings.namespace)}/" if settings.namespace else ""
        self._url = f"{self._server.rstrip('/')}/api/v1/{space}pods"
        self._params: dict[str, str] = {}
        if settings.node:
            self._params["fieldSelector"] = f"spec.nodeName={expand(settings.node)}"
        if settings.selector:
            self._params["labelSelector"] = expand(settings.selector)

    async def run(self, publish: Publish) -> None:
        """List, watch, and begin anew after whatever goes wrong; the targets stay meanwhile."""
        fruitless = 0
        try:
            while True:
                begun = self._clock.monotonic()
                failed = await self._round(publish)
                lasted = self._clock.monotonic() - begun
                fruitless = 0 if self._heard or lasted > _LONGEST_PAUSE else fruitless + 1
                if failed is None and fruitless <= 1:
                    continue
                # Not all nodes at once when the API server comes back.
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(10, max(0, fruitless - 1)))
                pause *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
                if failed is not None:
                    log.warning(
                        "discovery.failed",
                        source=self._name,
                        list="kubernetes",
                        error=str(failed),
                        wait_for=round(pause, 3),
                    )
                await self._clock.sleep(pause)
        finally:
            await self._client.close()

    async def _round(self, publish: Publish) -> SlodError | None:
        """One list if need be and one watch; None when the watch ended as watches do."""
        self._heard = False
        try:
            if not self._version:
                await self._list(publish)
            async with asyncio.timeout(_WATCH + _OVERDUE):
                await self._watch(publish)
        except _Gone:
            self._version = ""
        except SourceError as error:
            self._version = ""
            return error
        except TransportError as error:
            return error
        except TimeoutError:
            return TransportError("timeout", "the pod watch fell silent")
        return None

    async def _list(self, publish: Publish) -> None:
        answer = await self._client.request("GET", self._url, params=self._params)
        if answer.status != 200:
            raise SourceError("http_status", _refusal(answer.status))
        try:
            ANSWERS.check(answer.body)
        except NoRoom as error:
            raise SourceError("too_large", f"there is no memory for the list: {error}") from None
        document = _decode(answer.body)
        self._pods = {_uid(pod): self._targets(pod) for pod in document.get("items") or ()}
        self._version = str(document.get("metadata", {}).get("resourceVersion", ""))
        self._publish(publish)

    async def _watch(self, publish: Publish) -> None:
        params = {
            **self._params,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH),
            "resourceVersion": self._version,
        }
        async with self._client.stream(self._url, params=params) as response:
            if response.status == 410:
                raise _Gone
            if response.status != 200:
                raise SourceError("http_status", _refusal(response.status))
            rest = b""
            async for part in response.content.iter_any():
                *lines, rest = (rest + part).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    raise SourceError("too_large", "an event of the pod watch is too large")
                for line in lines:
                    if line.strip():
                        self._event(_decode(line))
                if lines:
                    self._publish(publish)

    def _event(self, event: Mapping[str, Any]) -> None:
        kind, thing = str(event.get("type")), event.get("object") or {}
        if kind == "ERROR":
            if thing.get("code") == 410:
                raise _Gone
            raise SourceError("watch", f"the watch ended: {thing.get('message', 'no reason')}")
        if kind == "DELETED":
            self._pods.pop(_uid(thing), None)
        elif kind != "BOOKMARK":
            self._pods[_uid(thing)] = self._targets(thing)
        self._version = str(thing.get("metadata", {}).get("resourceVersion", self._version))
        self._heard = True

    def _publish(self, publish: Publish) -> None:
        publish("kubernetes", [found for pod in self._pods.values() for found in pod])

    def _targets(self, pod: Mapping[str, Any]) -> list[Found]:
        meta, status, spec = (pod.get(k) or {} for k in ("metadata", "status", "spec"))
        address = status.get("podIP")
        if status.get("phase") != "Running" or not address:
            return []
        # A pod that is being deleted still serves; its last events count until it is gone.
        notes = meta.get("annotations") or {}
        path = self._path
        if path == "/metrics":
            path = str(notes.get("prometheus.io/path", path))
        host = f"[{address}]" if ":" in address else address
        pod_labels = meta.get("labels") or {}
        labels = {
            "namespace": str(meta.get("namespace", "")),
            "pod": str(meta.get("name", "")),
            "node": str(spec.get("nodeName", "")),
            "job": next((str(pod_labels[k]) for k in _JOB_LABELS if k in pod_labels), ""),
        }
        out = []
        for container, port in self._ports(spec, notes):
            kept = {k: v for k, v in {**labels, "container": container}.items() if v}
            url = target_url(f"{host}:{port}", {}, self._settings.scheme, path)
            out.append(Found(url, kept))
        return out

    def _ports(
        self, spec: Mapping[str, Any], notes: Mapping[str, Any]
    ) -> list[tuple[str, int | str]]:
        """Containers and ports: as configured, else as annotated, else the first declared."""
        declared = [
            (str(c.get("name", "")), str(p.get("name", "")), int(p.get("containerPort", 0)))
            for c in spec.get("containers") or ()
            for p in c.get("ports") or ()
        ]
        wanted = self._port_wanted
        if wanted is None and "prometheus.io/port" in notes:
            wanted = str(notes["prometheus.io/port"])
        if wanted is None:
            return [(container, port) for container, _, port in declared[:1]]
        # By port, as a port is declared once for TCP and once for UDP at times.
        named = {
            port: container for container, name, port in declared if wanted in (name, str(port))
        }
        if named:
            return [(container, port) for port, container in named.items()]
        # A port need not be declared to be served; a name that nobody has is another pod's.
        return [("", wanted)] if wanted.isdigit() else []


def _uid(pod: Mapping[str, Any]) -> str:
    return str(pod.get("metadata", {}).get("uid", ""))


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise SourceError(
            "malformed", f"the Kubernetes API did not answer in JSON: {error}"
        ) from None


def _refusal(status: int) -> str:
    cure = "; may the service account get, list and watch pods?" if status in (401, 403) else ""
    return f"the Kubernetes API answered {status}{cure}"


def _in_cluster() -> str:
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{x}") for x in ("HOST", "PORT"))
    if not host or not port:
        raise ConfigError(
            "discover.kubernetes: not in a cluster (KUBERNETES_SERVICE_HOST is not set); "
            "give api_server"
        )
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
