"""The front door of the core: batches in; burn rates, alerts and what to say about them out.

`ingest` counts, `tick` decides, `status` tells. Time comes as an argument, everything that must
survive comes out of `drain` and `dump`, and a fault in one SLO stays in that SLO.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from exporter.core.account import Account
from exporter.core.alert import Alert, to_say
from exporter.core.burn import Condition
from exporter.core.exclusion import Exclusion
from exporter.core.memory import Op
from exporter.core.notices import Notices
from exporter.core.notification import Notification
from exporter.core.numerals import number_text
from exporter.core.outbox import Outbox, Route
from exporter.core.override import Override
from exporter.core.plausible import keep_plausible
from exporter.core.sample import Ask, Batch
from exporter.core.slo import SLO, CompositeSLI, HistogramSLI
from exporter.core.status import SLOStatus, Snapshot
from exporter.core.taken import Taken
from exporter.core.wrong_kind import Shape, wrong_histogram

FORGET_EVERY = 3600.0
"""How often, in seconds, what is too old is dropped."""

UNATTENDED = 60.0
"""Between two ticks so far apart, in seconds, nobody could have seen data that came: ticks follow
every arrival and a beat of a few seconds."""

# Nobody foresaw it, or it would be refused with a reason; the other SLOs go on.
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick decided: what was said, and to which receivers it could not be queued."""

    said: list[Notification]
    full: list[Route]


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """What became of the SLOs: names that are new, whose SLI changed, that are no more.

    `dumps`: whole states of those that changed or are no more, as they were.
    """

    added: list[str]
    restarted: list[str]
    removed: list[str]
    dumps: Mapping[str, Mapping[str, Any]]


def identity(slo: SLO) -> str:
    """What makes a ledger: another source, SLI or grouping counts other events."""
    return repr((slo.source, slo.sli, slo.group_by))


class Engine:
    """All SLOs and the outbox. `show` writes seconds as a duration, for people."""

    def __init__(
        self, slos: Sequence[SLO], routes: Iterable[Route], show: Callable[[float], str]
    ) -> None:
        self.accounts = {slo.name: Account(slo) for slo in slos}
        self.outbox = Outbox(routes)
        self.notices = Notices()
        self.overrides: tuple[Override, ...] = ()
        self._show = show
        self._forgot: float | None = None
        self._ticked: float | None = None
        self._parting: list[Alert] = []
        self._exclusions: tuple[Exclusion, ...] = ()

    def configure(self, slos: Sequence[SLO], routes: Iterable[Route]) -> Reconfigured:
        """Take another configuration; history stays wherever the SLI did."""
        old, self.accounts = self.accounts, {}
        added: list[str] = []
        restarted: list[str] = []
        for slo in slos:
            account = old.get(slo.name)
            if account is not None and identity(account.slo) == identity(slo):
                account.configure(slo)
                del old[slo.name]
            else:
                (added if account is None else restarted).append(slo.name)
                account = Account(slo)
            account.exclude(self._exclusions)
            self.accounts[slo.name] = account
        # Nobody would ever end these.
        self._parting += [a for gone in old.values() for a in gone.alerts() if a.firing]
        self.outbox.configure(routes)
        removed = [name for name in old if name not in restarted]
        dumps = {name: _dump(account) for name, account in old.items()}
        return Reconfigured(added, restarted, removed, dumps)

    def exclude(self, exclusions: Iterable[Exclusion]) -> None:
        """Leave this time out, and no other; budgets are what they would have been without it."""
        self._exclusions = tuple(exclusions)
        for account in self.accounts.values():
            account.exclude(self._exclusions)

    def asks(self, source: str) -> list[Ask]:
        """What each SLO of a source wants, and from when on its samples are missing. Nothing of one
        that is faulty as it is configured."""
        return [
            Ask(a.slo.name, a.slo.sli.wants(), a.memory.polled)
            for a in self._of(source)
            if not a.slo.fault
        ]

    def behind(self, source: str, slos: Collection[str], now: float) -> None:
        """The history of these is being fetched, and that goes on: their data is not missing."""
        for account in self._of(source):
            account.behind = account.slo.name in slos
            if account.behind:
                account.watch_anew(now)

    def unreadable(self, source: str, why: str) -> None:
        """None of a source's targets can be read, in a word; it can where that is empty."""
        for account in self._of(source):
            account.unreadable = why

    def failing(self, source: str, target: str) -> None:
        """A poll of one of a source's targets was not answered, so what it had is not gone."""
        for account in self._of(source):
            account.memory.places.failing(target)

    def removed(self, source: str, target: str) -> None:
        """A target is none of a source's any more, so what it had may be gone."""
        for account in self._of(source):
            account.memory.places.removed(target)

    def ingest(self, batch: Batch) -> dict[str, Taken]:
        """Count a batch for every SLO it was asked for; by SLO, what came of it."""
        out: dict[str, Taken] = {}
        keep_plausible(batch)
        for account in self._of(batch.source):
            if batch.slos is not None and account.slo.name not in batch.slos:
                continue
            try:
                out[account.slo.name] = account.take(batch)
            except _FAULTS as error:
                account.fault = _one_line(error)
        return out

    def bounds(self, slo: str, bounds: Sequence[float]) -> None:
        """The bucket bounds a histogram has, asked for because the threshold's was missing."""
        account = self.accounts.get(slo)
        if account is None or not isinstance(sli := account.slo.sli, HistogramSLI):
            return
        account.memory.do("bucket", sli.threshold in bounds)
        if account.memory.bucket_known:
            account.fault = None
        elif not bounds:
            account.fault = wrong_histogram(sli, {}, Shape(count=True), "")
        else:
            listed = ", ".join(map(number_text, bounds))
            account.fault = (
                f"slo.{slo}: threshold {number_text(sli.threshold)} is not a bucket bound of "
                f"{sli.histogram.name}; there are {listed}"
            )

    def tick(self, now: float) -> Tick:
        """Evaluate what has new data, watch for data that is missing, queue what is to be said."""
        self._follow_clock(now)
        for alert in self._parting:
            alert.step(Condition.BELOW, now)
        said = to_say(self._parting)
        self._parting = []
        forget = self._forgot is None or abs(now - self._forgot) > FORGET_EVERY
        if forget:
            self._forgot = now
        for account in self.accounts.values():
            try:
                if isinstance(account.slo.sli, CompositeSLI):
                    account.gather(self.accounts, now)
                    if account.behind:
                        account.watch_anew(now)
                said += account.evaluate(now, self._show)
                if forget:
                    account.memory.do("forget", now)
            except _FAULTS as error:
                account.fault = _one_line(error)
        said += self.notices.tick(now)
        full = [route for notification in said for route in self.outbox.put(notification, now)]
        alerts = (alert for account in self.accounts.values() for alert in account.alerts())
        self.outbox.resend(chain(alerts, self.notices.alerts()), now)
        return Tick(said, full)

    def _follow_clock(self, now: float) -> None:
        """The clock was set, or the machine slept: for that long nobody looked."""
        step = now - self._ticked if self._ticked is not None else 0.0
        self._ticked = now
        if step < 0:
            self.outbox.shift(step)
            for account in self.accounts.values():
                account.clock_was_set()
        if step > UNATTENDED:
            for account in self.accounts.values():
                account.watch_anew(now)

    def status(self, now: float) -> Snapshot:
        """One consistent view of everything that can be computed."""
        slos: list[SLOStatus] = []
        services: dict[str, str] = {}
        unknown: dict[str, str] = {}
        for name, account in self.accounts.items():
            services[name] = account.slo.service
            try:
                slos += [
                    instance.status(instance.as_of(now))
                    for instance in account.memory.instances.values()
                ]
            except _FAULTS as error:
                account.fault = _one_line(error)
            if (why := account.unknown(now, self._show)) is not None:
                unknown[name] = why
        return Snapshot(now, tuple(slos), services, unknown, self.overrides, self._show)

    def drain(self) -> dict[str, list[Op]]:
        """The operations since the last drain, by SLO."""
        out: dict[str, list[Op]] = {}
        for name, account in self.accounts.items():
            memory = account.memory
            if memory.log:
                out[name], memory.log = memory.log, []
        return out

    def seals(self, name: str) -> int:
        """Changes whenever it is worth dumping an SLO: to replay what follows is cheap."""
        return self.accounts[name].memory.seals

    def restore(
        self,
        name: str,
        dumped: Mapping[str, Any],
        logs: Iterable[Sequence[Op]],
        *,
        alerts: bool = True,
    ) -> str | None:
        """Load one SLO's state; the reason in one line when it cannot be used.

        `alerts`: False for a ledger that was put away, whose alerts ended then.
        """
        slo = self.accounts[name].slo
        if dumped.get("identity") != identity(slo):
            return "its SLI was changed"
        account = Account(slo)
        try:
            account.memory.load(dumped["state"])
            for log in logs:
                account.memory.replay(log)
        except _FAULTS as error:
            return _one_line(error)
        if not alerts:
            account.memory.drop_alerts()
        account.exclude(self._exclusions)
        self.accounts[name] = account
        return None

    def dump(self, name: str) -> dict[str, Any]:
        """One SLO's whole state."""
        return _dump(self.accounts[name])

    def _of(self, source: str) -> list[Account]:
        return [a for a in self.accounts.values() if a.slo.source == source]


def _dump(account: Account) -> dict[str, Any]:
    return {"identity": identity(account.slo), "state": account.memory.dump()}


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
