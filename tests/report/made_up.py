"""A month of one SLO that is made up: incidents, deploys, an exclusion, alerts that were said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import pi, sin
from typing import Any

from exporter.core.attribution import EXCLUSION, INCIDENT, Cause
from exporter.core.instance import Instance
from exporter.core.notification import Notification, Reason
from exporter.core.slo import SLO
from exporter.report.data import Review, SLOReview
from exporter.report.history import spans
from exporter.report.review import review
from tests.core.builders import slo, workbook

DAY, HOUR = 86_400.0, 3600.0
END = 1_700_006_400.0  # Wednesday, 2023-11-15T00:00:00Z
START = END - 30 * DAY
STEP = 300.0
OUTAGES = {3.5: (1.0, 0.10), 11.2: (0.25, 0.25), 20.0: (6.0, 0.004), 26.4: (0.5, 0.15)}
"""Day: hours, and the share of failing events."""
SPAN = (START, END)


def at(day: float) -> float:
    """A moment of the month."""
    return START + day * DAY


def instance(objective: float = 0.999, outages: bool = True) -> Instance:
    """After a month; the same one whatever its objective."""
    made = _instance(outages)
    made.configure(spec(objective))
    return made


@cache
def _instance(outages: bool) -> Instance:
    made = Instance(spec(), {}, STEP)
    for k in range(round(30 * DAY / STEP)):
        begin = START + k * STEP
        events = 600 + 400 * sin(2 * pi * (begin % DAY) / DAY)
        share = 0.0002
        for day, (hours, failing) in OUTAGES.items():
            if outages and at(day) <= begin < at(day) + hours * HOUR:
                share = failing
        made.ledger.add(begin, begin + STEP, events * (1 - share), events * share)
        made.ledger.cover(begin, begin + STEP)
    return made


def spec(objective: float = 0.999) -> SLO:
    """Of the service `shop`."""
    return slo("checkout", objective=objective, interval=STEP, rules=workbook())


def said(labels: Mapping[str, str], begin: float, end: float | None) -> list[Notification]:
    """As receivers heard it; days of the month."""
    full = {"slo": "checkout", "service": "shop", **labels}
    print_ = str(sorted(full.items()))
    words = {"summary": f"said of {labels.get('alertname')}"}
    first = Notification("k", print_, Reason.FIRING, full, words, at(begin), None)
    if end is None:
        return [first]
    return [first, Notification("l", print_, Reason.RESOLVED, full, words, at(begin), at(end))]


def burn(severity: str, long: str, short: str, begin: float, end: float | None) -> Any:
    labels = {"severity": severity, "long_window": long, "short_window": short}
    return said({"alertname": "ErrorBudgetBurn", **labels}, begin, end)


def alerts() -> list[Notification]:
    return [
        *burn("page", "1h", "5m", 3.515, 3.56),
        *burn("page", "6h", "30m", 3.52, 3.6),
        *burn("page", "1h", "5m", 8.0, 8.01),
        *burn("page", "1h", "5m", 9.0, 9.02),
        *burn("page", "1h", "5m", 26.41, 26.45),
        *burn("ticket", "3d", "6h", 20.2, None),
        *said({"alertname": "ErrorBudgetPolicy", "state": "warning"}, 3.53, 11.21),
        *said({"alertname": "ErrorBudgetPolicy", "state": "freeze_discussion"}, 11.21, None),
        *said({"alertname": "GateOverride", "gate": "open"}, 12.0, 12.5),
        *said({"alertname": "GateOverride", "slo": "another", "service": "cart"}, 12.0, 12.5),
        *said({"alertname": "ReliabilityReview"}, 14.0, 14.1),
    ]


def causes() -> list[Cause]:
    return [
        Cause("deploy", "shop 1.4.2", at(3.45), at(3.75), "https://ci.example/builds/812"),
        Cause("deploy", "shop 1.4.3", at(17.0), at(17.1), "javascript:alert(1)"),
        Cause("feature_flag", "new-basket <b>", at(19.0), at(22.0)),
        Cause(INCIDENT, "database full", at(3.49), at(3.56), "https://wiki.example/p/41"),
        Cause(EXCLUSION, "move to another rack", at(11.0), at(11.5)),
        Cause("deploy", "long ago", at(-9), at(-8)),
    ]


def one(
    objective: float = 0.999,
    *,
    outages: bool = True,
    known: Sequence[Cause] | None = None,
    heard: Sequence[Notification] | None = None,
    watched: float | None = START,
) -> SLOReview:
    """The review of it."""
    of = instance(objective, outages)
    found = causes() if known is None else known
    of.ledger.exclude(tuple((c.start, c.end) for c in found if c.kind == EXCLUSION))
    of.configure(of.slo)
    listed = spans(alerts() if heard is None else heard)
    return review(of, of.status(END), SPAN, found, listed, watched)


def whole(*slos: SLOReview) -> Review:
    """A review of these."""
    return Review(START, END, END + 60, slos)
