"""Events on the timeline: `[timeline]`, `[events.NAME]`, `[grafana]`, and one as it is posted."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import msgspec

from exporter.config.convert import Span, convert, span
from exporter.config.findings import Findings, nearest
from exporter.config.lines import Path
from exporter.config.moments import parse_moment
from exporter.config.settings import HTTP, Secret
from exporter.config.texts import text_fault
from exporter.core.selector import Selector, parse_selector
from exporter.core.timeline import DEPLOY

_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")
_IDENT = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_LONGEST_TEXT = 500
_AHEAD = 366 * 86_400.0


class Timeline(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long a change has an effect, and when it is blamed for what burns."""

    effect: Span = span("1h")
    significance: float = 0.001
    min_bad_events: float = 5


class Grafana(HTTP, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where annotations go; its token needs the permission `annotations:write`."""

    url: str
    token_file: str | None = None
    token_env: str | None = None
    tags: tuple[str, ...] = ("slod",)

    @property
    def token(self) -> Secret | None:
        """Where the service account's token stands."""
        if self.token_file is None and self.token_env is None:
            return None
        return Secret(self.token_file, self.token_env)


class WatchTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[events.NAME]`: an event whenever the value of a series changes, or, with `label`, whenever
    that label has another value."""

    selector: str
    source: str | None = None
    label: str | None = None
    kind: str = DEPLOY
    service: str | None = None
    service_label: str | None = None
    interval: Span = span("1m")


@dataclass(frozen=True, slots=True)
class Watch:
    """The same, read. Each event is for `service`, or for what `service_label` says."""

    name: str
    source: str
    selector: Selector
    label: str | None
    kind: str
    service: str | None
    service_label: str | None
    interval: float


class EventTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An event as it is posted; it is called what its kind is, where it has no name."""

    kind: str
    name: str = ""
    service: str = ""
    slos: tuple[str, ...] = ()
    start: str | int | float | None = None
    end: str | int | float | None = None
    link: str = ""
    by: str = ""
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The same, read; times in unix seconds."""

    kind: str
    name: str
    service: str
    slos: tuple[str, ...]
    start: float
    end: float | None
    link: str
    id: str | None


def read_timeline(document: Mapping[str, Any], findings: Findings) -> Timeline:
    """`[timeline]`, or what holds without it."""
    path: Path = ("timeline",)
    found = convert(document.get("timeline", {}), Timeline, path, findings) or Timeline()
    if not 0 < found.significance <= 0.5:
        findings.error((*path, "significance"), f"must be like 0.001, not {found.significance:g}")
    if not 0 <= found.min_bad_events < math.inf:
        findings.error((*path, "min_bad_events"), "must be 0 or more")
    return found


def read_grafana(document: Mapping[str, Any], findings: Findings) -> Grafana | None:
    """`[grafana]`, or None."""
    if "grafana" not in document:
        return None
    found = convert(document["grafana"], Grafana, ("grafana",), findings)
    if found is not None and not found.url.startswith(("http://", "https://")):
        findings.error(("grafana", "url"), "must begin with http:// or https://")
    return found


def read_watch(
    path: Path, raw: object, sources: Mapping[str, bool], findings: Findings
) -> Watch | None:
    """`[events.NAME]`; `sources`: whether each can answer queries."""
    table = convert(raw, WatchTable, path, findings)
    if table is None:
        return None
    before = len(findings.errors)
    names = [name for name, queries in sources.items() if queries]
    source = table.source if table.source is not None else (names[0] if len(names) == 1 else None)
    if source is None:
        findings.error(path, "the key 'source' is missing; name a source of type prometheus")
    elif source not in names:
        findings.error((*path, "source"), f"no source of type prometheus{nearest(source, names)}")
    if _KIND.fullmatch(table.kind) is None:
        findings.error((*path, "kind"), f"not a word like deploy: {table.kind!r}")
    if (table.service is None) == (table.service_label is None):
        findings.error(path, "needs exactly one of 'service' and 'service_label'")
    try:
        selector = parse_selector(table.selector)
    except ValueError as error:
        findings.error((*path, "selector"), str(error))
        return None
    if len(findings.errors) > before:
        return None
    return Watch(
        str(path[-1]),
        source or "",
        selector,
        table.label,
        table.kind,
        table.service,
        table.service_label,
        float(table.interval),
    )


def read_event(
    raw: Mapping[str, Any], slos: Collection[str], services: Collection[str], now: float
) -> Asked:
    """One as it was posted; `ConfigError` with all that is wrong with it."""
    findings = Findings("")
    given = {key: value for key, value in raw.items() if value is not None}
    table = convert(given, EventTable, (), findings)
    findings.raise_errors()
    assert table is not None  # or there were errors
    _check_texts(table, findings)
    if bool(table.service) == bool(table.slos):
        findings.error((), "needs exactly one of 'service' and 'slos'")
    for name in table.slos:
        if name not in slos:
            findings.error(("slos",), f"there is no SLO {name!r}{nearest(name, slos)}")
    if table.service and table.service not in services:
        hint = nearest(table.service, services)
        findings.error(("service",), f"no SLO has the service {table.service!r}{hint}")
    start = now if table.start is None else moment(table.start, ("start",), now, findings)
    end = None if table.end is None else moment(table.end, ("end",), now, findings)
    if end is not None and end < start:
        findings.error(("end",), "must not be before 'start'")
    findings.raise_errors()
    name = " ".join(table.name.split()) or table.kind
    return Asked(table.kind, name, table.service, table.slos, start, end, table.link, table.id)


def _check_texts(table: EventTable, findings: Findings) -> None:
    if _KIND.fullmatch(table.kind) is None:
        findings.error(("kind",), f"must be a word like deploy or incident, not {table.kind!r}")
    for key in ("name", "link", "by", "service"):
        if fault := text_fault(getattr(table, key), _LONGEST_TEXT, empty=True):
            findings.error((key,), fault)
    if table.id is not None and _IDENT.fullmatch(table.id) is None:
        findings.error(("id",), "must be up to 100 letters, digits, and . _ : -")
    if table.link and not table.link.startswith(("http://", "https://")):
        findings.error(("link",), "must begin with http:// or https://")


def moment(raw: str | int | float, path: Path, now: float, findings: Findings) -> float:
    """A time in unix seconds; `now`, and a finding, when it cannot be one."""
    try:
        when = parse_moment(raw, UTC).timestamp()
    except (ValueError, OverflowError) as error:
        findings.error(path, str(error))
        return now
    if abs(when - now) > _AHEAD:
        findings.error(path, "is more than a year away")
    return when
