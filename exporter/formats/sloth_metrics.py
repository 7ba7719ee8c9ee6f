"""`compat = ["sloth"]`: the snapshot under the names and labels of Sloth's recording rules, so that
dashboards made for Sloth draw.

Source: github.com/slok/sloth, recording rules and label conventions. Sloth's names have colons, as
recording rules do; `promtool check metrics` advises against colons in every exporter, so with this
option its "should not contain ':'" for these names is to be expected. What differs on purpose: the
ratio over the period is weighted by events, where Sloth's default averages ratios.

The rows are plain (name, type, help, samples), a sample being (quoted labels, value).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from exporter import __version__
from exporter.config.duration import format_duration
from exporter.core.selector import quote
from exporter.core.slo import DAY, SLO, Calendar
from exporter.core.status import SLOStatus, Snapshot

PREFIXES = ("slo:", "sloth_")
"""What all of these names begin with."""

Row = tuple[str, str, str, list[tuple[str, float]]]

_HELP = {
    "slo:objective:ratio": "The objective as a ratio.",
    "slo:error_budget:ratio": "The error budget as a ratio.",
    "slo:time_period:days": "The SLO's period in days.",
    "slo:current_burn_rate:ratio": "Burn rate over the shortest alert window.",
    "slo:period_burn_rate:ratio": "Burn rate over the period.",
    "slo:period_error_budget_remaining:ratio": "Share of the period's error budget that is left.",
    "sloth_slo_info": "The SLO and where it comes from.",
}
_ERROR_HELP = "Bad events of all valid events in the window."


def rows(snapshot: Snapshot) -> list[Row]:
    """Every metric of Sloth that has a value; an SLO without events has no ratios."""
    found: dict[str, list[tuple[str, float]]] = {}
    for status in snapshot.slos:
        seen: set[tuple[str, str]] = set()
        samples: list[tuple[str, str, float | None]] = []
        with snapshot.apart(status.slo.name, "sloth"):
            samples = list(_samples(status, snapshot.now))
        for name, labels, value in samples:
            # A 30d alert window of a 30d period is the same line twice.
            if value is not None and (name, labels) not in seen:
                seen.add((name, labels))
                found.setdefault(name, []).append((labels, value))
    return [(name, "gauge", _HELP.get(name, _ERROR_HELP), s) for name, s in found.items()]


def _samples(status: SLOStatus, now: float) -> Iterator[tuple[str, str, float | None]]:
    slo = status.slo
    own = own_labels(slo, status.labels)
    base = _labels(own)
    period = status.windows[-1]
    for window in status.windows:
        whole = window is period
        # A calendar month is shown as Sloth's 30d, which is what its dashboards ask for.
        seconds = slo.period.nominal if whole and _is_calendar(status) else window.seconds
        spelled = format_duration(seconds)
        error = None if window.sli is None else window.bad / window.total
        yield f"slo:sli_error:ratio_rate{spelled}", _labels(own, sloth_window=spelled), error
    yield "slo:objective:ratio", base, slo.objective
    yield "slo:error_budget:ratio", base, 1 - slo.objective
    yield "slo:time_period:days", base, slo.period.length(now) / DAY
    yield "slo:current_burn_rate:ratio", base, status.windows[0].burn(slo.objective)
    yield "slo:period_burn_rate:ratio", base, period.burn(slo.objective)
    yield "slo:period_error_budget_remaining:ratio", base, status.budget_remaining
    yield "sloth_slo_info", _labels({**own, **info(slo)}), 1.0


def _is_calendar(status: SLOStatus) -> bool:
    return isinstance(status.slo.period, Calendar)


def own_labels(slo: SLO, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels all of an instance's metrics share; `labels`: its own."""
    return {
        **labels,
        "sloth_id": f"{slo.service}-{slo.name}",
        "sloth_service": slo.service,
        "sloth_slo": slo.name,
    }


def info(slo: SLO) -> dict[str, str]:
    """What `sloth_slo_info` says besides."""
    return {
        "sloth_mode": "slod",
        "sloth_spec": "slod",
        "sloth_version": __version__,
        "sloth_objective": f"{slo.objective * 100:.10g}",
    }


def _labels(own: dict[str, str], **more: str) -> str:
    return "{" + ",".join(f"{k}={quote(v)}" for k, v in {**own, **more}.items()) + "}"
