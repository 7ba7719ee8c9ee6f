"""The configuration file to a `Config`: read, parse, convert section by section, report all errors.

Source: TOML 1.0.0 by tomli. The domain never sees the file's shape, only `core.slo.SLO`.
"""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
import tomli

from exporter.config.budget_policies import check_budget_policy
from exporter.config.check_receivers import check_receiver
from exporter.config.checks import check_api, check_server, check_source
from exporter.config.composite import is_composite
from exporter.config.convert import convert, convert_tagged
from exporter.config.duration import parse_duration
from exporter.config.exclusions import Planned, read_exclusion, warn_of_idle
from exporter.config.findings import Finding, Findings, nearest
from exporter.config.lines import KeyLines, Path
from exporter.config.policies import (
    DEFAULT,
    WORKBOOK,
    AlertPolicy,
    BudgetPolicy,
    check_alert_policy,
)
from exporter.config.receivers import RECEIVERS, AnyReceiver
from exporter.config.report import ReportPlan, read_report
from exporter.config.settings import (
    API,
    Log,
    PrometheusSource,
    ScrapeSource,
    Server,
    State,
)
from exporter.config.slos import SourceFacts, Surroundings, read_slo
from exporter.config.timeline import (
    Grafana,
    Timeline,
    Watch,
    read_grafana,
    read_timeline,
    read_watch,
)
from exporter.core.slo import SLO
from exporter.errors import ConfigError

SECTIONS = (
    "server",
    "api",
    "state",
    "log",
    "source",
    "receiver",
    "slo",
    "alert_policy",
    "budget_policy",
    "exclusion",
    "report",
    "timeline",
    "events",
    "grafana",
)
_SOURCES = (PrometheusSource, ScrapeSource)

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Keys:
    """What a lint or a reload needs of the file itself: lines, the plain values, a digest of its
    text, warnings found on the way, and the errors of single SLOs, which `SLO.fault` names too."""

    lines: Mapping[Path, int]
    document: Mapping[str, Any]
    digest: bytes
    warnings: tuple[Finding, ...] = ()
    faults: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """A whole and valid configuration."""

    path: str
    server: Server
    api: API
    state: State
    log: Log
    sources: dict[str, ScrapeSource | PrometheusSource]
    receivers: dict[str, AnyReceiver]
    slos: tuple[SLO, ...]
    alert_policies: Mapping[str, AlertPolicy]
    exclusions: tuple[Planned, ...]
    report: ReportPlan | None
    timeline: Timeline
    watches: tuple[Watch, ...]
    grafana: Grafana | None
    keys: Keys


def load(path: str | pathlib.Path) -> Config:
    """The configuration in this file; `ConfigError` with every finding when it cannot be used."""
    return parse(read_text(path), str(path))


def read_text(path: str | pathlib.Path) -> str:
    """The text of a configuration file; `ConfigError` where there is none."""
    try:
        return pathlib.Path(path).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file; name the configuration with -c"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None


def digest_of(text: str) -> bytes:
    """What tells one text of a file from another."""
    return hashlib.sha256(text.encode()).digest()


def parse(text: str, path: str) -> Config:
    """The same from the file's text; `path` is what findings call it."""
    digest = digest_of(text)
    text = text.removeprefix("\ufeff")
    try:
        document = tomli.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: lists or tables are nested too deeply") from None
    except tomli.TOMLDecodeError as error:
        said = error.msg[:1].lower() + error.msg[1:]
        raise ConfigError(f"{path}:{error.lineno}:{error.colno}: not TOML: {said}") from None
    except ValueError as error:
        # tomli lets Python's own limits through, e.g. a number of 5,000 digits.
        raise ConfigError(f"{path}: not TOML: {error}") from None
    findings = Findings(path, KeyLines(text))
    for key in document:
        if key not in SECTIONS:
            findings.error((key,), f"unknown section {key!r}{nearest(key, SECTIONS)}")

    server = _single(document, "server", Server, findings)
    check_server(server, ("server",), findings)
    api = _single(document, "api", API, findings)
    check_api(api, ("api",), findings)
    state = _single(document, "state", State, findings)
    if not state.path.strip():
        findings.error(("state", "path"), 'is empty; give a file name, or ":memory:"')
    log = _single(document, "log", Log, findings)

    sources = _each(document, "source", _tagged(_SOURCES, check_source, findings), findings)
    receivers = _each(document, "receiver", _tagged(RECEIVERS, check_receiver, findings), findings)
    alert = _each(
        document, "alert_policy", _policy(AlertPolicy, check_alert_policy, findings), findings
    )
    budget = _each(
        document, "budget_policy", _policy(BudgetPolicy, check_budget_policy, findings), findings
    )
    around = Surroundings(
        {name: _facts(raw, sources.get(name)) for name, raw in _tables(document, "source").items()},
        {"workbook": WORKBOOK, **alert},
        {"default": DEFAULT, **budget},
    )
    slos = _slos(document, around, findings)
    exclusions = _each(
        document, "exclusion", lambda path, raw: read_exclusion(path, raw, findings), findings
    )
    report = read_report(document, receivers, findings)
    timeline, grafana = read_timeline(document, findings), read_grafana(document, findings)
    queries = {name: facts.answers_queries for name, facts in around.sources.items()}
    watches = _each(
        document, "events", lambda path, raw: read_watch(path, raw, queries, findings), findings
    )
    findings.raise_errors()
    warn_of_idle(exclusions, [s for s in slos.values() if s is not None], findings)
    return Config(
        path=path,
        server=server,
        api=api,
        state=state,
        log=log,
        sources={name: s for name, s in sources.items() if s is not None},
        receivers={name: r for name, r in receivers.items() if r is not None},
        alert_policies={name: p for name, p in around.alert_policies.items() if p is not None},
        slos=tuple(s for s in slos.values() if s is not None),
        exclusions=tuple(e for e in exclusions.values() if e is not None),
        report=report,
        timeline=timeline,
        watches=tuple(w for w in watches.values() if w is not None),
        grafana=grafana,
        keys=Keys(
            findings.lines, document, digest, tuple(findings.warnings), tuple(findings.faults)
        ),
    )


def _slos(
    document: dict[str, Any], around: Surroundings, findings: Findings
) -> dict[str, SLO | None]:
    """Those made of others last, since they need them; in the order of the file."""
    composites = {n: raw for n, raw in _tables(document, "slo").items() if is_composite(raw)}

    def read(path: Path, raw: Any) -> SLO | None:
        return None if path[1] in composites else read_slo(str(path[1]), raw, around, findings)

    slos = _each(document, "slo", read, findings)
    others = {name: slo for name, slo in slos.items() if name not in composites}
    around = replace(around, slos=others)
    for name, raw in composites.items():
        slos[name] = read_slo(name, raw, around, findings)
    return slos


def _single(document: dict[str, Any], key: str, cls: type[S], findings: Findings) -> S:
    return convert(document.get(key, {}), cls, (key,), findings) or cls()


def _tables(document: dict[str, Any], section: str) -> dict[str, Any]:
    found = document.get(section, {})
    return found if isinstance(found, dict) else {}


T = TypeVar("T")


def _each(
    document: dict[str, Any],
    section: str,
    read: Callable[[Path, Any], T | None],
    findings: Findings,
) -> dict[str, T | None]:
    """Every table of a section, each read by itself; a faulty one is None."""
    if not isinstance(document.get(section, {}), dict):
        findings.error((section,), f"must be tables with a name: [{section}.NAME]")
    out: dict[str, T | None] = {}
    for name, raw in _tables(document, section).items():
        if not name.strip():
            findings.error((section, name), f"needs a name: [{section}.NAME]")
        if isinstance(raw, dict):
            out[name] = read((section, name), raw)
        else:
            findings.error((section, name), f"must be a table with a name: [{section}.NAME]")
    return out


def _tagged(
    choices: tuple[type[S], ...],
    check: Callable[[Any, Path, Findings], None],
    findings: Findings,
) -> Callable[[Path, Any], Any]:
    def read(path: Path, raw: object) -> S | None:
        made = convert_tagged(raw, choices, path, findings, given={"name": path[1]})
        if made is not None:
            check(made, path, findings)
        return made

    return read


def _policy(
    cls: type[S], check: Callable[[S, Path, Findings], None], findings: Findings
) -> Callable[[Path, Any], S | None]:
    def read(path: Path, raw: object) -> S | None:
        made = convert(raw, cls, path, findings)
        if made is not None:
            check(made, path, findings)
        return made

    return read


def _facts(raw: Any, source: Any) -> SourceFacts:
    if source is not None:
        return SourceFacts(isinstance(source, PrometheusSource), float(source.interval))
    # The source itself is faulty and reported; its SLOs are not to blame.
    kind = raw.get("type") if isinstance(raw, dict) else None
    return SourceFacts(kind != "scrape", parse_duration("15s"))
