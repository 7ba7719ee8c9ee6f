"""The front door of the core: batches in; burn rates, alerts and what to say about them out.

`ingest` counts, `tick` decides, `status` tells. Time comes as an argument, everything that must
survive comes out of `drain` and `dump`, and a fault in one SLO stays in that SLO.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from exporter.core import dumps
from exporter.core.account import Account
from exporter.core.alert import Alert, to_say
from exporter.core.apart import Apart, Readers, Tell, expire, ignore
from exporter.core.burn import Condition
from exporter.core.exclusion import Exclusion
from exporter.core.long_work import Steps, at_once
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


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick decided: what was said, and to which receivers it could not be queued."""

    said: list[Notification]
    full: list[Route]


class Engine:
    """All SLOs and the outbox. `show` writes seconds as a duration, for people. `failed` is called
    with each exception that nobody foresaw, and with the SLO whose failure it is."""

    def __init__(
        self,
        slos: Sequence[SLO],
        routes: Iterable[Route],
        show: Callable[[float], str],
        failed: Tell = ignore,
    ) -> None:
        self.accounts = {slo.name: Account(slo) for slo in slos}
        self.outbox = Outbox(routes)
        self.notices = Notices()
        self.overrides: tuple[Override, ...] = ()
        self._show = show
        self._failed = failed
        self._forgot: float | None = None
        self._ticked: float | None = None
        self._parting: list[Alert] = []
        self._exclusions: tuple[Exclusion, ...] = ()

    def configure(self, slos: Sequence[SLO], routes: Iterable[Route]) -> dumps.Reconfigured:
        """Take another configuration; history stays wherever the SLI did."""
        old, self.accounts = self.accounts, {}
        added, restarted = list[str](), list[str]()
        for slo in slos:
            account = old.get(slo.name)
            if account is not None and dumps.identity(account.slo) == dumps.identity(slo):
                account.configure(slo)
                del old[slo.name]
            else:
                (added if account is None else restarted).append(slo.name)
                account = Account(slo)
            account.exclude(self._exclusions)
            self.accounts[slo.name] = account
        states: dict[str, Mapping[str, Any]] = {}
        for name, gone in old.items():
            with self._work(gone, "parting"):
                self._parting += [a for a in gone.alerts() if a.firing]  # nobody would end these
                states[name] = dumps.dump(gone)
        self.outbox.configure(routes)
        removed = [name for name in old if name not in restarted]
        return dumps.Reconfigured(added, restarted, removed, states)

    def apart(self, name: str, work: str, *passing: type[Exception]) -> Apart:
        """Context of what a reader computes for one SLO: an exception is that SLO's failure, and
        the reader goes on with the others; not so of the types `passing`, see `Apart`."""
        account = self.accounts.get(name)
        return Apart(account, name, work, self._failed, self._ticked or 0.0, passing)

    def _work(self, account: Account, work: str) -> Apart:
        return Apart(account, account.slo.name, work, self._failed)

    def exclude(self, exclusions: Iterable[Exclusion]) -> None:
        """Leave this time out, and no other; budgets are what they would have been without it."""
        self._exclusions = tuple(exclusions)
        for account in self.accounts.values():
            with self._work(account, "exclusions"):
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
        return at_once(self.ingesting(batch))

    def ingesting(self, batch: Batch) -> Steps[dict[str, Taken]]:
        """The same in steps. While a long one is done elsewhere nobody may change the engine."""
        out: dict[str, Taken] = {}
        keep_plausible(batch)
        for account in self._of(batch.source):
            if batch.slos is not None and account.slo.name not in batch.slos:
                continue
            with self._work(account, "ingest"):
                out[account.slo.name] = yield from account.taking(batch)
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
            self._evaluate(account, now, said)
            if forget:
                with self._work(account, "forget"):
                    account.memory.do("forget", now)
        said += self.notices.tick(now)
        full = [route for notification in said for route in self.outbox.put(notification, now)]
        self._resend(now)
        return Tick(said, full)

    def _evaluate(self, account: Account, now: float, said: list[Notification]) -> None:
        try:
            if isinstance(account.slo.sli, CompositeSLI):
                account.gather(self.accounts, now)
                if account.behind:
                    account.watch_anew(now)
            for notification in account.evaluate(now, self._show):
                # One by one: what was decided before a failure is said all the same.
                said.append(notification)  # noqa: PERF402
        except Exception as error:  # noqa: BLE001 - a failure of this SLO alone
            self._work(account, "tick").fail(error)
            account.evaluate_again()
            with self._work(account, "data"):
                said += account.watch_for_data(now, self._show)
        else:
            if account.failures:
                self._work(account, "tick").works()
                self._work(account, "data").works()

    def _resend(self, now: float) -> None:
        try:
            alerts = chain.from_iterable(a.alerts() for a in self.accounts.values())
            self.outbox.resend(chain(alerts, self.notices.alerts()), now)
        except Exception:  # noqa: BLE001 - found and told below, one SLO after the other
            for account in self.accounts.values():
                with self._work(account, "resend"):
                    self.outbox.resend(account.alerts(), now)
            self.outbox.resend(self.notices.alerts(), now)

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
            if account.failures:
                expire(account, name, self._failed, now)
            with self._work(account, "status") as work:
                slos += [
                    instance.status(instance.as_of(now))
                    for instance in account.memory.instances.values()
                ]
                if (why := account.unknown(now, self._show)) is not None:
                    unknown[name] = why
            if work.failed:
                # Without numbers of its own it is listed with the reason.
                unknown[name] = f"it cannot be computed: {account.fault}"
        read = Readers(self.accounts, unknown, self._failed, now)
        return Snapshot(now, tuple(slos), services, unknown, self.overrides, read, self._show)

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
        account = dumps.load(self.accounts[name].slo, dumped, logs, alerts=alerts)
        if isinstance(account, str):
            return account
        account.exclude(self._exclusions)
        self.accounts[name] = account
        return None

    def dump(self, name: str) -> dict[str, Any]:
        """One SLO's whole state."""
        return dumps.dump(self.accounts[name])

    def _of(self, source: str) -> list[Account]:
        return [a for a in self.accounts.values() if a.slo.source == source]
