"""What a notification says to people, whoever shows it: a title, a text, a few facts, links.

The built-in words come from labels and annotations that are there; a template replaces title or
text. A template that cannot be rendered with this alert costs its words, never the alert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from exporter.config.templates import TemplateFault, render
from exporter.core.notification import Notification
from exporter.receivers.link import where
from exporter.receivers.payload import rfc3339

log = structlog.get_logger()

Count = Callable[[str, str], None]
"""Takes the receiver's name and what happened, for `slod_notifications_total`."""

FAULT = "template_error"
"""The outcome that counts a template which could not be rendered."""

_FACTS = (
    ("budget_remaining", "Budget remaining"),
    ("exhausts_in", "Exhausts in"),
    ("owner", "Owner"),
    ("action", "Action"),
    ("deadline", "Deadline"),
)


def ignore(receiver: str, outcome: str) -> None:
    """Counts nothing."""


@dataclass(frozen=True, slots=True)
class Words:
    """One notification in words; `facts` and `links` are pairs of a name and its text or URL."""

    title: str
    text: str
    facts: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]


def status(notification: Notification) -> str:
    """`firing` or `resolved`."""
    return "firing" if notification.ends_at is None else "resolved"


def summary(notification: Notification) -> str:
    """One line: what is the matter, whether or not it still is."""
    labels = notification.labels
    said = notification.annotations.get("summary") or " ".join(
        filter(None, (labels.get("alertname", "alert"), labels.get("slo")))
    )
    return " ".join(said.split())


def shortened(text: str, most: int) -> str:
    """At most so many characters, with an ellipsis where some are left out."""
    return text if len(text) <= most else text[: most - 1] + "…"


def variables(notification: Notification, receiver: str, external_url: str) -> dict[str, Any]:
    """What a template may ask for; times are RFC 3339, `ends_at` is empty while firing."""
    labels, ends = notification.labels, notification.ends_at
    return {
        "alertname": labels.get("alertname", ""),
        "annotations": dict(notification.annotations),
        "ends_at": "" if ends is None else rfc3339(ends),
        "external_url": external_url,
        "fingerprint": notification.fingerprint,
        "labels": dict(labels),
        "receiver": receiver,
        "service": labels.get("service", ""),
        "severity": notification.severity,
        "slo": labels.get("slo", ""),
        "starts_at": rfc3339(notification.starts_at),
        "status": status(notification),
        "text": _text(notification, external_url),
        "title": _title(notification),
    }


class Writer:
    """Puts the notifications of one receiver in words."""

    def __init__(
        self,
        receiver: str,
        external_url: str | None,
        templates: Mapping[str, str | None],
        count: Count = ignore,
    ) -> None:
        self.receiver = receiver
        self.external_url = (external_url or "").rstrip("/")
        self._templates = templates
        self._count = count

    def words(self, notification: Notification) -> Words:
        """By template where there is one and it can be rendered, else the built-in ones."""
        title = self._own("title", notification)
        text = self._own("text", notification)
        if text is None:
            text = notification.annotations.get("report") or notification.annotations.get(
                "description", ""
            )
        return Words(
            _title(notification) if title is None else " ".join(title.split()),
            text,
            tuple(_facts(notification)),
            tuple(_links(notification, self.external_url)),
        )

    def plain(self, notification: Notification) -> tuple[str, str]:
        """Title and a text that holds everything, for what shows text only."""
        words = self.words(notification)
        own = self._templates.get("text") is not None and words.text
        return words.title, words.text if own else _text(notification, self.external_url)

    def fill(self, source: str, notification: Notification) -> str | None:
        """Another template with the same variables; None, logged and counted, when it cannot."""
        return self._render("body", source, notification)

    def _own(self, name: str, notification: Notification) -> str | None:
        source = self._templates.get(name)
        return None if source is None else self._render(name, source, notification)

    def _render(self, name: str, source: str, notification: Notification) -> str | None:
        values = variables(notification, self.receiver, self.external_url)
        try:
            return render(source, values)
        except TemplateFault as fault:
            self._count(self.receiver, FAULT)
            log.error(
                "notification.template_error",
                receiver=self.receiver,
                template=name,
                error=str(fault),
                alertname=values["alertname"],
                outcome="the built-in words are sent instead",
            )
            return None


def _title(notification: Notification) -> str:
    word = notification.severity if notification.ends_at is None else "resolved"
    said = summary(notification)
    return f"[{word}] {said}" if word else said


def _text(notification: Notification, external_url: str) -> str:
    notes = notification.annotations
    parts = [notes.get("report") or notes.get("description", "")]
    parts.append("\n".join(f"{name}: {said}" for name, said in _facts(notification)))
    parts.append("\n".join(f"{name}: {url}" for name, url in _links(notification, external_url)))
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _facts(notification: Notification) -> list[tuple[str, str]]:
    labels, notes = notification.labels, notification.annotations
    out = []
    for label, name in (("service", "Service"), ("slo", "SLO")):
        if labels.get(label):
            out.append((name, labels[label]))
    for key, name in _FACTS:
        if notes.get(key):
            out.append((name, _share(notes[key]) if key == "budget_remaining" else notes[key]))
    if labels.get("long_window") and labels.get("short_window"):
        out.append(("Burns over", f"{labels['long_window']} and {labels['short_window']}"))
    out.append(("Since", rfc3339(notification.starts_at)))
    if notification.ends_at is not None:
        out.append(("Until", rfc3339(notification.ends_at)))
    return out


def _share(text: str) -> str:
    try:
        return f"{float(text):.1%}"
    except ValueError:
        return text


def _links(notification: Notification, external_url: str) -> list[tuple[str, str]]:
    runbook = notification.annotations.get("runbook_url", "")
    pairs = (("Runbook", runbook), ("slod", where(external_url, notification.labels)))
    return [(name, url) for name, url in pairs if url.startswith(("http://", "https://"))]
