"""What the bodies of the state file's rows say: written, read and judged, in one place.

The store knows rows, the core knows values; here is what is between them. A start of the daemon,
`slod state check` and `slod state repair` judge by the same functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import msgspec

from exporter.core.amounts import is_time
from exporter.core.memory import Op
from exporter.core.notices import Notices
from exporter.core.notification import Notification
from exporter.core.outbox import Entry
from exporter.core.state_check import check_dump, check_operations
from exporter.printable import excerpt
from exporter.store.contents import NOTICES, Loaded, OutboxRow
from exporter.store.rows import BadRow

CODEC = 1
UNREADABLE = (
    *(msgspec.MsgspecError, RecursionError, ArithmeticError, AttributeError, LookupError),
    *(TypeError, ValueError),
)
"""What reading a body can raise, whatever it holds."""

encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_decode_journal = msgspec.msgpack.Decoder(dict[str, list[tuple[Any, ...]]]).decode
_decode_notification = msgspec.msgpack.Decoder(Notification).decode

Logs = dict[str, list[Op]]
"""The operations of one save, by SLO."""


@dataclass(slots=True)
class Judged:
    """What of a file can be used. `snapshots`: by SLO, the save it is of and the dump. `journal`:
    by save, the operations that may be done again. `bad`: rows for the quarantine; `rewritten`:
    journal entries as they are without what was bad, None for those to be dropped."""

    snapshots: dict[str, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    journal: list[tuple[int, Logs]] = field(default_factory=list)
    outbox: list[Entry] = field(default_factory=list)
    notices: list[Any] | None = None
    bad: list[BadRow] = field(default_factory=list)
    rewritten: dict[int, bytes | None] = field(default_factory=dict)

    def logs(self, slo: str) -> list[list[Op]]:
        """The operations of an SLO after its snapshot, save by save."""
        since = self.snapshots[slo][0]
        return [logs[slo] for seq, logs in self.journal if seq > since and slo in logs]


def judge(loaded: Loaded) -> Judged:
    """Read and check every body of a file; nothing is raised, whatever it holds."""
    judged = Judged(bad=list(loaded.bad))
    for slo, (seq, body) in loaded.snapshots.items():
        try:
            judged.snapshots[slo] = (seq, read_snapshot(body))
        except UNREADABLE as error:
            judged.bad.append(_bad("snapshot", ("slo", slo), error, body))
    _judge_journal(loaded, judged)
    for row in loaded.outbox:
        try:
            judged.outbox.append(_entry(row))
        except UNREADABLE as error:
            judged.bad.append(_bad("outbox", ("id", row.id), error, row.body))
    if loaded.notices is not None:
        try:
            judged.notices = read_notices(loaded.notices)
        except UNREADABLE as error:
            judged.bad.append(_bad("document", ("kind", NOTICES[0]), error, loaded.notices))
    return judged


def _judge_journal(loaded: Loaded, judged: Judged) -> None:
    """Take the journal up to the first entry that is bad, for each SLO by itself.

    The next sample bridges what is left out at the end; what is left out in between is lost, since
    later entries go on from it.
    """
    entries: dict[int, bytes | None] = dict(loaded.journal)
    entries |= dict.fromkeys(loaded.bad_entries())
    stopped: set[str] = set()
    for seq, body in sorted(entries.items()):
        logs = _read_entry(seq, body, judged)
        if logs is None:
            stopped |= {slo for slo, (since, _) in judged.snapshots.items() if since < seq}
            judged.rewritten[seq] = None
            continue
        sound = {slo: ops for slo, ops in logs.items() if slo not in stopped}
        for slo in list(sound):
            try:
                check_operations(sound[slo])
            except UNREADABLE as error:
                reason = ValueError(f"SLO {excerpt(slo)}: {error}")
                # A copy: what the entry says of other SLOs counts.
                judged.bad.append(replace(_bad("journal", ("seq", seq), reason, body), column=""))
                stopped.add(slo)
                del sound[slo]
        if len(sound) < len(logs):
            judged.rewritten[seq] = encode(sound) if sound else None
        judged.journal.append((seq, sound))


def _read_entry(seq: int, body: bytes | None, judged: Judged) -> Logs | None:
    if body is None:
        return None
    try:
        return _decode_journal(body)
    except UNREADABLE as error:
        judged.bad.append(_bad("journal", ("seq", seq), error, body))
        return None


def write_snapshot(dump: Mapping[str, Any]) -> bytes:
    """A dump of `Engine.dump` as the body of a row."""
    return encode((CODEC, dump))


def read_snapshot(body: bytes) -> Mapping[str, Any]:
    """The same back, checked; one of `UNREADABLE` when it cannot be used."""
    codec, dump = _decode(body)
    _check_codec(codec)
    if not isinstance(dump, dict) or not isinstance(dump.get("identity"), str):
        raise ValueError("it is no dump")
    check_dump(dump["state"])
    return dump


def write_removed(dump: Mapping[str, Any], logs: Iterable[Iterable[Op]]) -> bytes:
    """A dump with the operations that came after it, as the body of a removed ledger."""
    return encode((CODEC, dump, list(logs)))


def read_removed(body: bytes) -> tuple[Mapping[str, Any], list[list[Op]]]:
    """The same back, checked; one of `UNREADABLE` when it cannot be used."""
    codec, dump, logs = _decode(body)
    _check_codec(codec)
    check_dump(dump["state"])
    for ops in logs:
        check_operations(ops)
    return dump, logs


def read_notices(body: bytes) -> list[Any]:
    """What `Notices.dump` gave, checked; one of `UNREADABLE` when it cannot be used."""
    dumped: list[Any] = _decode(body)
    for notice in dumped:
        # One without an end lasts until it is taken back.
        times = [one for one in (*notice[3:6], notice[8]) if one not in (None, inf)]
        if not all(map(is_time, times)) or not isinstance(notice[0], str):
            raise ValueError("a time of an announcement is none")
        _check_labels(notice[1], notice[2])
    Notices().load(dumped)
    return dumped


def row(entry: Entry) -> OutboxRow:
    """A notification that waits, as a row."""
    return OutboxRow(
        entry.id, entry.endpoint, encode(entry.notification), entry.attempts, entry.due
    )


def _entry(row: OutboxRow) -> Entry:
    notification: Notification = _decode_notification(row.body)
    ends = notification.ends_at
    if not is_time(notification.starts_at) or not (ends is None or is_time(ends)):
        raise ValueError("a time of the notification is none")
    return Entry(row.id, row.endpoint, notification, row.attempts, row.due)


def _check_codec(codec: object) -> None:
    if codec != CODEC:
        raise ValueError(f"written in format {codec!r}, this slod reads {CODEC}")


def _check_labels(*tables: Any) -> None:
    for table in tables:
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in table.items()):
            raise ValueError("a label is no text")


def _bad(table: str, key: tuple[str, str | int], error: Exception, body: bytes | None) -> BadRow:
    reason = " ".join(f"{error}".split()) or type(error).__name__
    return BadRow(table, excerpt(str(key[1])), excerpt(reason), body, *key)
