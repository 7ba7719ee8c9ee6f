"""`/api/slo/v1/gate/{service_or_slo}`: may I deploy? And `/overrides`: somebody's word instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol

from aiohttp import web

from exporter.config.moments import rfc3339
from exporter.core.gate import Behind, Gate
from exporter.core.override import Override, Verdict
from exporter.web.api import (
    Part,
    Refusal,
    answer,
    by_whom,
    changes,
    limit,
    read_object,
    reading,
    reads,
    refusing,
    who_and_why,
)
from exporter.web.gate_openapi import GATE, OVERRIDES, PATHS, SCHEMAS

_CLOSED, _UNKNOWN = 423, 503
"""Locked (RFC 4918), for what is closed; for what is not known the service is not available."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the audit record. `unreadable`: damaged on disk."""

    number: int
    at: float = 0.0
    by: str = ""
    action: str = "unreadable"
    why: str = ""
    override: Override | None = None


class Gates(Protocol):
    """Whoever knows them."""

    def gate(self, name: str) -> Gate | None:
        """What an SLO or a service says; None when there is neither of that name."""
        ...

    def names(self) -> Sequence[str]:
        """Every SLO and service there is."""
        ...

    def warnings(self, service: str) -> Sequence[str]:
        """What else speaks against a deployment now, in a line each."""
        ...

    def listed(self) -> Sequence[Override]:
        """The overrides in force or still to come."""
        ...

    async def add(self, raw: Mapping[str, Any], by: str) -> Override:
        """Make one; `ConfigError` when it cannot be, `StateError` when it cannot be kept."""
        ...

    async def remove(self, ident: str, by: str, why: str) -> None:
        """End one before its time; `NotFound` when there is none, otherwise as `add`."""
        ...

    async def records(self, most: int) -> Sequence[Record]:
        """The audit record, newest first; `StateError` when it cannot be read."""
        ...


def part(gates: Gates) -> Part:
    """The endpoints and their description."""
    to = _Endpoints(gates)
    routes = (
        web.get(GATE, to.gate),
        # Flagger POSTs its question; the answer is the same, and nothing is changed by it.
        web.post(GATE, reads(to.gate)),
        web.get(OVERRIDES, to.listed),
        web.post(OVERRIDES, changes(to.add)),
        web.get(f"{OVERRIDES}/audit", to.audit),
        web.delete(f"{OVERRIDES}/{{ident}}", changes(to.remove)),
    )
    return Part(routes, PATHS, SCHEMAS)


class _Endpoints:
    def __init__(self, gates: Gates) -> None:
        self._gates = gates

    async def gate(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        found = self._gates.gate(name)
        if found is None:
            near = get_close_matches(name, self._gates.names(), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise Refusal(404, f"there is no service or SLO {name!r}{hint}")
        status = 200
        if request.query.get("enforce", "0") not in ("", "0", "false") and not found.allow:
            # Closed by somebody's word is closed, whatever is known besides.
            closed = found.verdict is Verdict.CLOSED or found.override is not None
            status = _CLOSED if closed else _UNKNOWN
        said = _gate(found, self._gates.warnings(found.service))
        return answer(said, status, {"Cache-Control": "no-store"})

    async def listed(self, request: web.Request) -> web.Response:
        return answer({"overrides": [_override(o) for o in self._gates.listed()]})

    async def add(self, request: web.Request) -> web.Response:
        raw = await read_object(request)
        by = by_whom(raw, "owner")
        with refusing():
            return answer(_override(await self._gates.add(raw, by)), 201)

    async def remove(self, request: web.Request) -> web.Response:
        ident = request.match_info["ident"]
        by, why = who_and_why(request)
        with refusing(f"there is no override {ident!r}; see {OVERRIDES}"):
            await self._gates.remove(ident, by, why)
        return web.Response(status=204)

    async def audit(self, request: web.Request) -> web.Response:
        most = limit(request)
        with reading():
            found = await self._gates.records(most)
        return answer({"records": [_record(record) for record in found]})


def _gate(gate: Gate, warnings: Sequence[str]) -> dict[str, Any]:
    return {
        "name": gate.name,
        "service": gate.service,
        "verdict": gate.verdict.value,
        "allow": gate.allow,
        "reason": gate.reason,
        "reopens_at": None if gate.reopens is None else rfc3339(gate.reopens),
        "warnings": list(warnings),
        "slos": [_behind(one) for one in gate.behind],
        "override": None if gate.override is None else _override(gate.override),
    }


def _behind(one: Behind) -> dict[str, Any]:
    status = one.status
    holding = [s for s in status.steps if s.holds] if status is not None else []
    return {
        "slo": one.slo,
        "labels": {} if status is None else dict(status.labels),
        "verdict": one.verdict.value,
        "allow": one.allows,
        "reason": one.reason,
        "budget_remaining": None if status is None else status.budget_remaining,
        "whole_budget_remaining": None if status is None else status.whole_remaining,
        "age": None if status is None else status.age,
        "state": None if status is None else status.policy_state,
        "states": [
            {
                "state": s.step.state,
                "gate": "open" if s.step.gate_open else "closed",
                "since": None if s.since is None else rfc3339(s.since),
                "due": None if s.due is None else rfc3339(s.due),
                "action": s.step.action,
                "owner": s.step.owner,
                "runbook_url": s.step.runbook,
            }
            for s in holding
        ],
    }


def _record(record: Record) -> dict[str, Any]:
    return {
        "number": record.number,
        "at": rfc3339(record.at),
        "by": record.by,
        "action": record.action,
        "why": record.why,
        "override": None if record.override is None else _override(record.override),
    }


def _override(override: Override) -> dict[str, Any]:
    return {
        "id": override.id,
        "for": override.scope,
        "gate": override.verdict.value,
        "owner": override.owner,
        "reason": override.reason,
        "since": rfc3339(override.since),
        "until": rfc3339(override.until),
    }
