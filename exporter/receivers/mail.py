"""A notification as a mail: plain text and HTML, in one thread from firing to resolved.

Sources: RFC 5322 (3.6.4: Message-ID, In-Reply-To, References), RFC 3834 (Auto-Submitted), RFC 2046
(multipart/alternative).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from html import escape

from exporter.core.notification import Notification
from exporter.printable import printable
from exporter.receivers.words import Words

SUBJECT = 300


def compose(
    notification: Notification,
    words: Words,
    plain: str,
    *,
    sender: str,
    to: Sequence[str],
    now: float,
) -> EmailMessage:
    """The whole message; `plain` is its text part, `now` its date in unix seconds."""
    domain = sender.rpartition("@")[2]
    # The first message of a thread does not exist; mail programs gather by the reference alone.
    thread = f"<{_token(notification.fingerprint, f'{notification.starts_at:.3f}')}@{domain}>"
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = _one_line(words.title)[:SUBJECT]
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    message["Message-ID"] = f"<{_token(notification.key)}@{domain}>"
    message["In-Reply-To"] = thread
    message["References"] = thread
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_clean(plain))
    message.add_alternative(_html(words), subtype="html")
    return message


def _token(*parts: str) -> str:
    """Keys may hold what an id may not; the same key is the same id, also at another attempt."""
    return "slod." + sha256("\n".join(parts).encode()).hexdigest()[:40]


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _clean(text: str) -> str:
    # A lone surrogate cannot be encoded, and a NUL ends the mail at some servers.
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _html(words: Words) -> str:
    rows = "".join(
        f"<tr><th align=left>{escape(name)}</th><td>{escape(said)}</td></tr>\n"
        for name, said in words.facts
    )
    links = " · ".join(f'<a href="{escape(url)}">{escape(name)}</a>' for name, url in words.links)
    return _clean(
        "<!doctype html>\n<html><body style='font-family: sans-serif'>\n"
        f"<h2>{escape(words.title)}</h2>\n"
        f"<p style='white-space: pre-wrap'>{escape(words.text)}</p>\n"
        f"<table cellpadding=4>\n{rows}</table>\n<p>{links}</p>\n</body></html>\n"
    )
