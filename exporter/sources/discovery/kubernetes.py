"""The pods of a node (or namespace, or label selector) from the Kubernetes API.

One list, then a watch that goes on from the list's resource version; when the server no longer
knows that version (410 Gone) the list is asked for again. Source: Kubernetes documentation, "API
concepts", efficient detection of changes.

Labels of a target: `namespace`, `pod`, `node`, `container`, and `job` from the pod's label
`app.kubernetes.io/name` or `app`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from exporter.clock import Clock
from exporter.config.settings import HTTP, TLS, KubernetesSD
from exporter.errors import ConfigError, SourceError
from exporter.http import Client, TransportError
from exporter.sources.discovery.base import Found, Publish, expand

log = structlog.get_logger()

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_LONGEST_LINE = 4 * 1024 * 1024
_JOB_LABELS = ("app.kubernetes.io/name", "app", "k8s-app")


class _Gone(Exception):
    """The resource version is too old to go on from."""


class KubernetesDiscovery:
    """Follows the pods that match; publishes them under the name `kubernetes`."""

    def __init__(self, settings: KubernetesSD, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._settings = settings
        self._server = settings.api_server or _in_cluster()
        tls = TLS(ca_file=settings.ca_file) if self._server.startswith("https") else None
        self._client = Client(HTTP(bearer_token_file=settings.token_file, tls=tls))
        self._pods: dict[str, list[Found]] = {}
        self._version = ""
        space = f"namespaces/{expand(settings.namespace)}/" if settings.namespace else ""
        self._url = f"{self._server.rstrip('/')}/api/v1/{space}pods"
        self._params: dict[str, str] = {}
        if settings.node:
            self._params["fieldSelector"] = f"spec.nodeName={expand(settings.node)}"
        if settings.selector:
            self._params["labelSelector"] = expand(settings.selector)

    async def run(self, publish: Publish) -> None:
        """List, watch, and begin anew after whatever goes wrong; the targets stay meanwhile."""
        pause = _FIRST_PAUSE
        try:
            while True:
                try:
                    if not self._version:
                        await self._list(publish)
                    await self._watch(publish)
                    pause = _FIRST_PAUSE
                except _Gone:
                    self._version = ""
                except (SourceError, TransportError) as error:
                    log.warning(
                        "discovery.failed",
                        source=self._name,
                        list="kubernetes",
                        error=str(error),
                        wait_for=pause,
                    )
                    await self._clock.sleep(pause)
                    pause = min(_LONGEST_PAUSE, 2 * pause)
        finally:
            await self._client.close()

    async def _list(self, publish: Publish) -> None:
        answer = await self._client.request("GET", self._url, params=self._params)
        if answer.status != 200:
            raise SourceError("http_status", _refusal(answer.status))
        document = _decode(answer.body)
        self._pods = {}
        for pod in document.get("items") or ():
            self._take("ADDED", pod)
        self._version = str(document.get("metadata", {}).get("resourceVersion", ""))
        self._publish(publish)

    async def _watch(self, publish: Publish) -> None:
        params = {
            **self._params,
            "watch": "true",
            "allowWatchBookmarks": "true",
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
        if kind != "BOOKMARK":
            self._take(kind, thing)
        self._version = str(thing.get("metadata", {}).get("resourceVersion", self._version))

    def _take(self, kind: str, pod: Mapping[str, Any]) -> None:
        uid = str(pod.get("metadata", {}).get("uid", ""))
        if kind == "DELETED":
            self._pods.pop(uid, None)
        else:
            self._pods[uid] = self._targets(pod)

    def _publish(self, publish: Publish) -> None:
        publish("kubernetes", [found for pod in self._pods.values() for found in pod])

    def _targets(self, pod: Mapping[str, Any]) -> list[Found]:
        meta, status, spec = (pod.get(k) or {} for k in ("metadata", "status", "spec"))
        address = status.get("podIP")
        if status.get("phase") != "Running" or not address:
            return []
        # A pod that is being deleted still serves; its last events count until it is gone.
        notes = meta.get("annotations") or {}
        found = self._port(spec, notes)
        if found is None:
            return []
        container, port = found
        path = self._settings.path
        if path == "/metrics":
            path = notes.get("prometheus.io/path", path)
        host = f"[{address}]" if ":" in address else address
        pod_labels = meta.get("labels") or {}
        labels = {
            "namespace": str(meta.get("namespace", "")),
            "pod": str(meta.get("name", "")),
            "node": str(spec.get("nodeName", "")),
            "container": container,
            "job": next((str(pod_labels[k]) for k in _JOB_LABELS if k in pod_labels), ""),
        }
        kept = {k: v for k, v in labels.items() if v}
        return [Found(f"{self._settings.scheme}://{host}:{port}{path}", kept)]

    def _port(
        self, spec: Mapping[str, Any], notes: Mapping[str, Any]
    ) -> tuple[str, int | str] | None:
        """The container and port: as configured, else as annotated, else the first declared."""
        declared = [
            (str(c.get("name", "")), str(p.get("name", "")), int(p.get("containerPort", 0)))
            for c in spec.get("containers") or ()
            for p in c.get("ports") or ()
        ]
        wanted = self._settings.port
        if wanted is None and "prometheus.io/port" in notes:
            wanted = str(notes["prometheus.io/port"])
        if wanted is None:
            return next(((c, p) for c, _, p in declared), None)
        text = expand(str(wanted))
        for container, name, port in declared:
            if text in (name, str(port)):
                return container, port
        # A port need not be declared to be served; a name that nobody has is another pod's.
        return ("", text) if text.isdigit() else None


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
