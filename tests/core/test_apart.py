"""An exception that nobody foresaw stays in its SLO, whatever was computed, and is shown there."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.core.account import Account
from exporter.core.alert import Alert
from exporter.core.apart import LASTS, one_line
from exporter.core.engine import Engine
from exporter.core.instance import Instance
from exporter.core.outbox import Route
from exporter.core.status import Snapshot
from tests.core.builders import ERROR, OK, T, batch, rule, show, slo

Told = list[tuple[str, str, str]]
RULES = (rule("page", "5m", "1m", 2.0),)
ROUTES = (Route("hook", "hook"), Route("am", "am", resend=60.0))


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def two(told: Told) -> Engine:
    """Two SLOs over the same counters, `bad` and `good`; who is told of failures."""
    slos = [slo(name, objective=0.9, period="1h", rules=RULES) for name in ("bad", "good")]
    return Engine(
        slos, ROUTES, show, lambda name, work, error: told.append((name, work, str(error)))
    )


def feed(engine: Engine, many: int = 1) -> None:
    """So many polls with errors, each with a tick."""
    for _ in range(many):
        at = engine_time(engine) + 10
        n = (at - T) * 10
        engine.ingest(batch(engine, at, {"a": {OK: n, ERROR: n}}))
        engine.tick(at)


def engine_time(engine: Engine) -> float:
    return engine._ticked or T  # noqa: SLF001


def breaks(patch: pytest.MonkeyPatch, owner: type, method: str, name: str = "bad") -> None:
    """Let a method fail for one SLO."""
    before = getattr(owner, method)

    def broken(self: Any, *args: Any, **more: Any) -> Any:
        if self.slo.name == name:
            raise RuntimeError(f"no {method}\nnow")
        return before(self, *args, **more)

    patch.setattr(owner, method, broken)


@pytest.mark.parametrize(
    ("owner", "method", "work"),
    [
        (Account, "taking", "ingest"),
        (Account, "evaluate", "tick"),
        (Instance, "status", "status"),
    ],
)
def test_it_is_a_fault_of_its_slo_until_the_same_work_succeeds(
    two: Engine, told: Told, owner: type, method: str, work: str
) -> None:
    feed(two)
    with pytest.MonkeyPatch.context() as patch:
        breaks(patch, owner, method)
        feed(two, 2)
        snapshot = two.status(engine_time(two))
        bad, good = two.accounts["bad"], two.accounts["good"]
        assert bad.fault == f"RuntimeError: no {method} now" and good.fault is None
        assert "RuntimeError" in snapshot.unknown["bad"] and "good" not in snapshot.unknown
        assert "good" in {s.slo.name for s in snapshot.slos}
        assert ("bad", work, f"no {method}\nnow") in told
    feed(two)
    two.status(engine_time(two))
    assert bad.fault is None and told[-1] == ("bad", work, "None")


def test_what_was_decided_before_a_failure_is_said_and_missing_data_too(
    two: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(two, 30)
    assert any(a.firing for a in two.accounts["good"].alerts())
    breaks(monkeypatch, Account, "_slide")
    said = [n for _ in range(20) for n in two.tick(engine_time(two) + 30).said]
    assert {n.labels["slo"] for n in said if n.labels["alertname"] == "SLIDataMissing"} == {
        "bad",
        "good",
    }


def test_an_alert_that_cannot_be_sent_again_keeps_back_no_other(
    two: Engine, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(two, 30)
    before = Alert.notification

    def broken(self: Alert, *args: Any) -> Any:
        if self.labels.get("slo") == "bad":
            raise RuntimeError("no words")
        return before(self, *args)

    waiting = [e for e in two.outbox.entries() if e.endpoint == "am"]
    for entry in waiting:
        two.outbox.delivered(entry, engine_time(two))
    monkeypatch.setattr(Alert, "notification", broken)
    two.tick(engine_time(two) + 61)
    again = {e.notification.labels["slo"] for e in two.outbox.entries() if e.endpoint == "am"}
    assert again == {"good"} and ("bad", "resend", "no words") in told


def test_what_a_reader_saw_is_forgotten_when_it_does_not_come_again(
    two: Engine, told: Told
) -> None:
    feed(two)
    now = engine_time(two)
    snapshot = two.status(now)
    with snapshot.apart("bad", "page") as work:
        raise KeyError("row")
    assert work.failed and work.why == two.accounts["bad"].fault == "KeyError: 'row'"
    assert snapshot.why_unseen("bad") == "it cannot be computed: KeyError: 'row'"
    with snapshot.apart("bad", "page"), two.apart("bad", "alerts"):
        pass  # another group's row is no reason to forget it
    assert two.accounts["bad"].fault is not None
    with pytest.raises(KeyboardInterrupt), two.apart("bad", "page"):
        raise KeyboardInterrupt
    with pytest.raises(MemoryError), two.apart("good", "page", MemoryError):
        raise MemoryError
    assert two.accounts["good"].fault is None
    with two.apart("nobody", "page"):
        raise ValueError
    two.status(now + LASTS)
    assert two.accounts["bad"].fault is not None
    assert "bad" not in two.status(now + LASTS + 1).unknown
    assert two.accounts["bad"].fault is None and told[-1] == ("bad", "page", "None")
    with two.status(now).apart("bad", "page"):
        raise ValueError
    # A clock that was set back.
    two.status(now - 2 * LASTS)
    assert two.accounts["bad"].fault is None


def test_work_on_an_slo_that_works_again_is_told_to_whoever_reads_the_snapshot(
    two: Engine, told: Told
) -> None:
    feed(two)
    snapshot = two.status(engine_time(two))
    work = snapshot.apart("bad", "page")
    work.fail(ValueError("row"))
    work.works()
    assert told == [("bad", "page", "row"), ("bad", "page", "None")]


def test_a_snapshot_that_no_engine_made_contains_failures_too() -> None:
    with Snapshot(T, ()).apart("bad", "page") as work:
        raise ValueError
    assert work.failed


def test_a_message_is_one_bounded_line_whatever_the_exception_is() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert one_line(Odd()) == "Odd"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(ValueError("a\n b")) == "ValueError: a b"
    assert len(one_line(ValueError("x" * 10_000))) < 600
