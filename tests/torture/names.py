"""DNS that lies, delays or is gone: what the names of the run resolve to, and a server for SRV."""

from __future__ import annotations

import asyncio
import random

import dns.message
import dns.rcode
import dns.rrset

from tests.torture.control import Control

NAME = "pods.torture"
"""What a source discovers, by A records."""
STATIC = "lying.torture"
"""The name in the address of a target and of a receiver."""
SRV = "_metrics._tcp.pods.torture"
LIES = (
    *("well", "gone", "slow", "hangs", "nobody there", "many", "other services", "itself"),
    *("odd addresses", "turns"),
)


class Names:
    """`ports`: of what the names may lead to; the first is the right one."""

    def __init__(self, control: Control) -> None:
        self.port = 0
        self._control = control
        self._lie = "well"
        self._rng = random.Random(0)
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        """Listen for questions."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Server(self), local_addr=("127.0.0.1", 0)
        )
        self.port = self._transport.get_extra_info("sockname")[1]
        self.behave("well", 0)

    def stop(self) -> None:
        """Be gone."""
        if self._transport is not None:
            self._transport.close()

    def behave(self, lie: str, seed: int) -> None:
        """Lie like this from now on; only about addresses of this machine."""
        self._rng, self._lie = random.Random(seed), lie
        rng = self._rng
        answer: dict[str, object] = {"addresses": ["127.0.0.1"]}
        match lie:
            case "gone":
                answer = {}
            case "slow":
                answer["delay"] = rng.uniform(0.5, 4)
            case "hangs":
                answer["delay"] = 3600.0
            case "nobody there" | "itself":
                answer["addresses"] = [f"127.1.{rng.randrange(256)}.{rng.randrange(1, 255)}"]
            case "many" | "turns":
                answer["addresses"] = [
                    f"127.0.{rng.randrange(256)}.{rng.randrange(1, 255)}" for _ in range(50)
                ]
            case "odd addresses":
                answer["addresses"] = ["0.0.0.0", "255.255.255.255", "127.0.0.1"]
        self._control.resolve({NAME: answer, STATIC: answer})

    async def answer(self, wire: bytes) -> bytes | None:
        """What is answered to a question about SRV records; None for nothing."""
        rng, lie = self._rng, self._lie
        if lie == "hangs":
            return None
        if lie == "slow":
            await asyncio.sleep(rng.uniform(0.2, 3))
        question = dns.message.from_wire(wire)
        response = dns.message.make_response(question)
        if lie == "gone":
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif lie == "odd addresses":
            return wire[:2] + rng.randbytes(rng.randrange(60))
        else:
            count = {"many": 200, "turns": rng.randrange(9)}.get(lie, 1)
            records = [
                f"0 0 {rng.randrange(1, 65536)} {rng.choice(('.', NAME + '.'))}"
                for _ in range(count)
            ]
            name = question.question[0].name
            response.answer.append(dns.rrset.from_text_list(name, 0, "IN", "SRV", records))
        return response.to_wire(max_size=65_000)


class _Server(asyncio.DatagramProtocol):
    def __init__(self, names: Names) -> None:
        self._names = names
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        task = asyncio.create_task(self._answer(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, addr: object) -> None:
        answer = await self._names.answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)  # type: ignore[attr-defined]
