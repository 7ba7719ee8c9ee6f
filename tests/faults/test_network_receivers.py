"""The same faults in receivers: what cannot be delivered is tried again until it is, and receivers
that are well hear of it at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.faults.network import FAULTS, Peer
from tests.faults.test_network import (
    NO_NAME,
    NO_TLS,
    WELL,
    Service,
    daemon,
    given_back,
    key,
    open_files,
    until,
)

ALWAYS = (NO_TLS, NO_NAME)
"""Faults that are never lifted."""
POLICY = """
[alert_policy.quick]
rules = [{ severity = "page", burn_rate = 1, long = "4s", short = "1s" }]
"""


class Listener:
    """A receiver's good days: takes what comes."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def take(self, path: str, body: bytes) -> tuple[str, bytes]:
        found = json.loads(body)
        alerts = found if isinstance(found, list) else found["alerts"]
        self.heard += [alert["labels"]["alertname"] for alert in alerts]
        return "text/plain", b"taken" + b"." * 400


class Burning(Service):
    """All requests fail."""

    def page(self, path: str, body: bytes) -> tuple[str, bytes]:
        count = self._count()
        return "text/plain", f"bad_total {count}\nall_total {count}\n".encode()


def receivers(peers: dict[str, Peer], kind: str) -> str:
    text = ""
    for name, peer in peers.items():
        scheme = "https" if name == NO_TLS else "http"
        host = "nothing.invalid" if name == NO_NAME else "127.0.0.1"
        text += (
            f'[receiver.{key(name)}]\ntype = "{kind}"\nurl = "{scheme}://{host}:{peer.port}/"\n'
            'timeout = "400ms"\nmax_body_bytes = 1000000\nseverities = ["page"]\n'
        )
    return text


@pytest.mark.parametrize("kind", ["webhook", "alertmanager"])
async def test_a_notification_waits_until_its_receiver_is_well_again_and_holds_up_no_other(
    kind: str, tmp_path: Path
) -> None:
    tasks, files = asyncio.all_tasks(), open_files()
    names = (*FAULTS, *ALWAYS, WELL)
    listeners = {name: Listener() for name in names}
    peers = {name: Peer(listener.take) for name, listener in listeners.items()}
    for name, peer in peers.items():
        await peer.start()
        if name in FAULTS or name == NO_TLS:
            await peer.set(name)
    service = Burning()
    service.frozen = False
    source = Peer(service.page)
    await source.start()
    text = (
        f'[server]\nlisten = "127.0.0.1:0"\n[state]\npath = "{tmp_path}/slod.db"\n'
        f'[source.s]\ntype = "scrape"\ntargets = ["http://127.0.0.1:{source.port}/metrics"]\n'
        'interval = "200ms"\n[slo.s]\nobjective = 99\nalert_policy = "quick"\n'
        "sli = { bad = 'bad_total', total = 'all_total' }\n"
    )
    async with daemon(text + POLICY + receivers(peers, kind), tmp_path) as metrics:

        async def untried() -> list[str]:
            found = await metrics()
            return [
                name
                for name in (*FAULTS, *ALWAYS)
                if found[outcome(name, "retried")] < 1 or found[waiting(name)] < 1
            ]

        await until(untried, "an attempt that failed, and what waits for the next one")
        assert listeners[WELL].heard, "the receiver that is well was held up"
        for name in FAULTS:
            await peers[name].set(None)

        async def unheard() -> list[str]:
            return [name for name in FAULTS if not listeners[name].heard]

        await until(unheard, "receivers that have heard of the alert")
        found = await metrics()
        assert {s for s in found if "given_up" in s} == set()
    for peer in (*peers.values(), source):
        await peer.stop()
    await given_back(tasks, files)


def outcome(name: str, what: str) -> str:
    return f'slod_notifications_total{{receiver="{key(name)}",outcome="{what}"}}'


def waiting(name: str) -> str:
    return f'slod_notification_queue_length{{receiver="{key(name)}"}}'
