"""The demo's parts and the configuration that points slod at them."""

from __future__ import annotations

import json
import random
import string
import sys
from dataclasses import dataclass
from typing import TextIO

from exporter.clock import Clock
from exporter.demo.receiver import ConsoleReceiver
from exporter.demo.service import SampleService

_CONFIG = string.Template("""\
# What `slod demo` runs with: one source, two objectives, windows short enough to watch.

[server]
listen = $listen

[state]
path = $state

[source.checkout]
type = "scrape"
targets = ["http://127.0.0.1:$service/metrics"]
interval = "1s"
timeout = "900ms"
labels = { job = "checkout" }

[slo.checkout-availability]
service = "checkout"
objective = 99.9
window = "1h"
sli.bad = 'http_requests_total{job="checkout",code=~"5.."}'
sli.total = 'http_requests_total{job="checkout"}'
labels = { team = "payments" }
alert_policy = "demo"

[slo.checkout-fast]
service = "checkout"
objective = 99
window = "1h"
sli.histogram = 'http_request_duration_seconds{job="checkout"}'
sli.threshold = "500ms"
sli.good_if = 'code!~"5.."'
labels = { team = "payments" }
alert_policy = "demo"

# The Site Reliability Workbook's policy, with the windows of a production service (1h and 5m, 1d
# and 2h) made short.
[alert_policy.demo]
rules = [
  { severity = "page",   burn_rate = 14.4, long = "20s", short = "10s" },
  { severity = "ticket", burn_rate = 3,    long = "2m",  short = "20s" },
]

[receiver.console]
type = "webhook"
url = "http://127.0.0.1:$receiver/"
""")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where on 127.0.0.1 the parts listen."""

    service: int
    receiver: int


class DemoParts:
    """The sample service and the receiver, started and stopped together."""

    def __init__(self, service: SampleService, receiver: ConsoleReceiver) -> None:
        self.service = service
        self.receiver = receiver

    async def start(self) -> Ports:
        """Listen on free ports and begin to make traffic; all or nothing."""
        try:
            return Ports(await self.service.start(), await self.receiver.start())
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Give back ports and tasks; may be called twice."""
        await self.service.stop()
        await self.receiver.stop()


async def demo_parts(
    clock: Clock,
    *,
    rng: random.Random | None = None,
    out: TextIO | None = None,
    auto: bool = True,
) -> DemoParts:
    """The parts, not yet started.

    `rng` makes the traffic repeatable, `out` is where alerts are shown (stdout), and without `auto`
    nothing goes wrong until someone turns the service's switch.
    """
    chosen = rng or random.Random()  # noqa: S311 - made-up traffic, no secret
    return DemoParts(
        SampleService(clock, chosen, auto=auto),
        ConsoleReceiver(sys.stdout if out is None else out),
    )


def config_text(service_port: int, receiver_port: int, listen: str, state_path: str) -> str:
    """The demo's TOML, for these ports of 127.0.0.1; `listen` is slod's own `host:port`."""
    return _CONFIG.substitute(
        # A JSON string is a TOML string too, whatever a temporary folder's name holds.
        listen=json.dumps(listen),
        state=json.dumps(state_path),
        service=service_port,
        receiver=receiver_port,
    )
