"""What the keeper makes of a file with something unreadable in it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from exporter.app.keeper import Keeper
from exporter.core.engine import Engine
from exporter.core.notification import Notification, Reason
from exporter.errors import StateError
from exporter.store.contents import OutboxRow
from exporter.store.database import Store
from exporter.store.save import Save
from tests.core.builders import ERROR, OK, T, engine, feed, slo, status


async def saved(path: Path, rounds: int) -> Engine:
    """An engine that was fed and saved so often."""
    made = engine(slo())
    keeper = Keeper(made, Store(str(path), now=lambda: T))
    await keeper.restore()
    for i in range(rounds):
        feed(made, T + 10 * i, {OK: 10.0 * i, ERROR: float(i)})
        made.tick(T + 10 * i)
        assert await keeper.save() is None
    await keeper.close()
    return made


async def tampered(path: Path, save: Save) -> None:
    store = Store(str(path), now=lambda: T)
    await store.open()
    await store.save(save)
    await store.close()


async def test_the_journal_counts_up_to_what_cannot_be_read_and_samples_bridge_the_rest(
    tmp_path: Path,
) -> None:
    path = tmp_path / "slod.db"
    before = await saved(path, 5)
    await tampered(path, Save(journal=b"\xc1"))
    again = engine(slo())
    keeper = Keeper(again, Store(str(path), now=lambda: T))
    await keeper.restore()
    for one in (before, again):
        feed(one, T + 60, {OK: 60.0, ERROR: 6.0})
    now = T + 60
    assert status(again, now).bad_total == status(before, now).bad_total == 6
    await keeper.close()


async def test_a_notification_that_cannot_be_read_holds_up_no_other(tmp_path: Path) -> None:
    path = tmp_path / "slod.db"
    await saved(path, 2)
    await tampered(path, Save(outbox_put=[OutboxRow("x", "hook", b"\xc1", 0, 0.0)]))
    again = engine(slo())
    keeper = Keeper(again, Store(str(path), now=lambda: T))
    await keeper.restore()
    assert again.outbox.entries() == []
    await keeper.close()


async def test_what_was_said_is_kept_once_also_when_the_disk_refused_for_a_while(
    tmp_path: Path,
) -> None:
    store = Store(str(tmp_path / "slod.db"), now=lambda: T)
    made = engine(slo())
    keeper = Keeper(made, store)
    await keeper.restore()
    first, second = (
        Notification(key, "f", Reason.FIRING, {"alertname": key}, {}, T, None)
        for key in ("first", "second")
    )
    keeper.note([first], T)
    write, refused = store.save, StateError("full", "the disk is full")

    async def refuse(save: Save) -> None:
        raise refused

    store.save = refuse  # type: ignore[method-assign]
    assert await keeper.save() is refused
    store.save = write  # type: ignore[method-assign]
    keeper.note([second], T + 1)
    assert await keeper.save() is None
    assert await keeper.save() is None
    kept = [msgspec.msgpack.decode(body, type=Notification) for body in await store.said(T, T + 9)]
    assert kept == [first, second]
    await keeper.close()
