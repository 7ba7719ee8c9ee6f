"""A webhook receiver that shows each alert on the console, where a pager would ring.

Source: Alertmanager documentation, "webhook_config", payload version 4.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TextIO

import msgspec
from aiohttp import web

from exporter.demo.site import Site
from exporter.printable import printable

_RESET = "\x1b[0m"
_DIM = "\x1b[2m"
_COLORS = {"page": "\x1b[1;31m", "ticket": "\x1b[1;33m", "resolved": "\x1b[1;32m"}


class _Alert(msgspec.Struct):
    status: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}


class _Message(msgspec.Struct):
    alerts: list[_Alert]


class ConsoleReceiver:
    """Takes Alertmanager's webhook JSON on a free port and writes each alert to `out`."""

    def __init__(self, out: TextIO, *, color: bool | None = None) -> None:
        self._out = out
        self._color = out.isatty() and not os.environ.get("NO_COLOR") if color is None else color
        self._site = Site([web.post("/", self._take)])

    async def start(self) -> int:
        """Begin to listen; returns the port."""
        return await self._site.start()

    async def stop(self) -> None:
        """Cease; may be called twice."""
        await self._site.stop()

    async def _take(self, request: web.Request) -> web.Response:
        try:
            message = msgspec.json.decode(await request.read(), type=_Message)
        except msgspec.MsgspecError as error:
            return web.Response(status=400, text=f"not Alertmanager's webhook JSON: {error}\n")
        for alert in message.alerts:
            self._out.write(block(msgspec.to_builtins(alert), color=self._color))
        self._out.flush()
        return web.Response()


def block(alert: Mapping[str, Any], *, color: bool) -> str:
    """One alert as a few lines of text, with a bar in front that shows how bad it is."""
    labels, annotations = alert["labels"], alert["annotations"]
    severity = labels.get("severity", "")
    firing = alert["status"] == "firing"
    kind = severity if firing else "resolved"
    head = f"{severity.upper() or 'ALERT'} FIRING" if firing else f"{severity} resolved".strip()
    where = " ".join(
        f"{name}={labels[name]}"
        for name in ("service", "slo", "long_window", "short_window")
        if name in labels
    )
    lines = [f"{_line(head)}  {labels.get('alertname', '')}", where]
    if "summary" in annotations:
        lines.append(annotations["summary"])
    if "budget_remaining" in annotations:
        lines.append(_budget(annotations, firing=firing))
    paint = _COLORS.get(kind, _COLORS["ticket"])
    bar, dim = (f"{paint}┃{_RESET} ", _DIM) if color else ("| ", "")
    shown = [_line(line) for line in lines]
    if color:
        shown[0] = f"{paint}{shown[0]}{_RESET}"
        shown[1] = f"{dim}{shown[1]}{_RESET}"
    return "\n" + "".join(f"{bar}{line}\n" for line in shown) + "\n"


def _budget(annotations: Mapping[str, str], *, firing: bool) -> str:
    text = annotations["budget_remaining"]
    try:
        share = float(text)
    except ValueError:
        return f"budget remaining: {text}"
    said = f"budget remaining: {share:.1%}"
    if firing and share > 0 and "exhausts_in" in annotations:
        said += f", gone in {annotations['exhausts_in']} if this goes on"
    return said


def _line(text: str) -> str:
    """Without control characters: what comes from the network does not steer a terminal."""
    return printable(text)
