"""What fires, what was said lately, and whether those who are to hear of it did."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

from exporter.charts import figures
from exporter.core.alert import Alert
from exporter.core.notification import Notification, Reason
from exporter.page.shell import document, slo_link, table
from exporter.redaction import readable

LATELY = 100
"""So many notifications are shown."""
STUCK = 3
"""So many attempts in vain, some five seconds, are no hiccup."""
_OWN = frozenset({"alertname", "slo", "service", "severity", "long_window", "short_window"})


@dataclass(frozen=True, slots=True)
class Delivered:
    """How it stands with one receiver: what waits, after so many attempts at most; why the last
    attempt failed (None where it did not); attempts by outcome."""

    receiver: str
    waiting: int
    attempts: int
    trouble: str | None
    outcomes: Mapping[str, float]

    @property
    def is_stuck(self) -> bool:
        """Whether somebody should look: not one failure, which the next attempt may heal."""
        return self.trouble is not None and self.attempts >= STUCK


def render(
    firing: Sequence[Alert],
    said: Sequence[Notification],
    delivered: Sequence[Delivered],
    waiting: Container[str],
) -> str:
    """`said`: newest first; `waiting`: the keys of those that wait still."""
    many = len(firing)
    headline = "Nothing fires." if not many else f"{figures.plural(many, 'alert')} firing."
    headline = " ".join([headline, *(escape(one) for one in stuck(delivered))])
    return document(
        "Alerts",
        "/alerts",
        f'<h1 id="headline" aria-live="polite">{headline}</h1>'
        f"{_firing(firing)}<h2>Receivers</h2>{_receivers(delivered)}"
        f"<h2>Said lately</h2>{_said(said, waiting)}",
    )


def stuck(delivered: Iterable[Delivered]) -> Iterator[str]:
    """A sentence on each receiver that does not hear what it should."""
    for one in delivered:
        if one.is_stuck:
            yield (
                f"{figures.plural(one.waiting, 'notification')} did not reach the receiver "
                f"{one.receiver} yet."
            )


def _firing(firing: Sequence[Alert]) -> str:
    cards = []
    for alert in sorted(firing, key=lambda a: (a.labels.get("severity") != "page", -a.since)):
        labels, notes = alert.labels, alert.annotations
        severity = labels.get("severity", "")
        told = "" if alert.said else '<small class="soft">not said: a faster page fires</small>'
        link = _link(notes.get("runbook_url", ""))
        cards.append(
            f'<article class="alert {_kind(severity)}" id="a-{escape(alert.fingerprint)}">'
            f'<h2><span class="badge {_kind(severity)}">{escape(severity)}</span> '
            f"{escape(labels.get('alertname', ''))} {_slo(labels)}</h2>"
            f"<p>{escape(notes.get('summary', ''))}</p>"
            f'<p class="soft">{escape(notes.get("description", ""))}</p>'
            f'<p class="soft">since {figures.when(alert.since)} UTC · {_rest(labels)}{link}</p>'
            f"{told}</article>"
        )
    return "".join(cards)


def _receivers(delivered: Sequence[Delivered]) -> str:
    if not delivered:
        return "<p>No receiver is configured: alerts are shown here and in the metrics alone.</p>"
    rows = "".join(
        f'<tr id="r-{escape(one.receiver)}"><th scope="row">{escape(one.receiver)}</th>'
        f'<td class="n{" bad" if one.is_stuck else ""}">{one.waiting:,}</td>'
        f'<td class="n">{one.outcomes.get("delivered", 0):,.0f}</td>'
        f'<td class="n">{one.outcomes.get("retried", 0):,.0f}</td>'
        f"<td>{_failed(one.outcomes)}</td>"
        f"<td>{escape(readable(one.trouble or '', paths=False))}</td></tr>"
        for one in delivered
    )
    head = ["Receiver", "*Waiting", "*Delivered", "*Retried", "Given up", "Last failure"]
    return table(head, rows, "Receivers and what was delivered since the start")


def _failed(outcomes: Mapping[str, float]) -> str:
    lost = {k: v for k, v in outcomes.items() if k not in ("delivered", "retried") and v}
    if not lost:
        return "none"
    return "; ".join(
        f'<span class="bad">{escape(why.replace("_", " "))}: {count:,.0f}</span>'
        for why, count in sorted(lost.items())
    )


def _said(said: Sequence[Notification], waiting: Container[str]) -> str:
    if not said:
        return "<p>Nothing was said in the last week.</p>"
    rows = "".join(
        f"<tr><td>{figures.when(_when(n))}</td>"
        f'<td><span class="badge {_kind(n.severity) if n.ends_at is None else "ok"}">'
        f"{n.reason.value}</span>"
        f"{' <small class=bad>waits</small>' if n.key in waiting else ''}</td>"
        f"<td>{escape(n.severity)}</td><td>{escape(n.labels.get('alertname', ''))}</td>"
        f"<td>{_slo(n.labels)}</td><td>{escape(n.annotations.get('summary', ''))}</td></tr>"
        for n in said[:LATELY]
    )
    head = ["Time (UTC)", "News", "Severity", "Alert", "Objective", "Summary"]
    return table(head, rows, "What was said to receivers lately")


def _when(n: Notification) -> float:
    return n.ends_at if n.reason is Reason.RESOLVED and n.ends_at is not None else n.starts_at


def _kind(severity: str) -> str:
    return {"page": "paging", "ticket": "burning"}.get(severity, "other")


def _slo(labels: Mapping[str, str]) -> str:
    name = labels.get("slo")
    if not name:
        return escape(labels.get("service", ""))
    # The page takes of these what the SLO is grouped by.
    more = {k: v for k, v in labels.items() if k not in _OWN}
    return f'<a href="{slo_link(name, more)}">{escape(name)}</a>'


def _rest(labels: Mapping[str, str]) -> str:
    windows = [labels[key] for key in ("long_window", "short_window") if key in labels]
    rest = [f"{k}: {v}" for k, v in labels.items() if k not in _OWN]
    return escape(" · ".join([*(["/".join(windows)] if windows else []), *rest]))


def _link(url: str) -> str:
    """A link that somebody wrote into a configuration; only to the web."""
    if urlsplit(url).scheme not in ("http", "https"):
        return ""
    return f' · <a href="{escape(url)}" rel="noreferrer">runbook</a>'
