"""Which groups of an SLO are gone: their series are absent from targets that answer.

| the target that had the group's series | what follows for the group |
| --- | --- |
| answers and has them | present |
| answers and does not have them | absent for one more poll, and for the time between its polls |
| fails (its scrape fails, or `up` is 0) | present: silence is not health |
| is back after a failure | absent at the earliest from its first answer on |
| does not exist any more | the other targets decide; without any, every target of the SLO does |
| is not known, since slod was restarted | every target of the SLO decides, and none may fail |

A group is absent for the fewest polls and the shortest time of all targets that had it. Time passes
only between polls, so nothing is absent while an upstream cannot be asked. Nothing is kept over a
restart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from exporter.core.events import Group
from exporter.core.sample import Batch, Target

_ANY = ""
"""In place of the targets that had a group, once none of them exists."""
_SWEEPS = 5
"""Searches for targets that exist no more, in each time that such a target is given."""

Sights = Mapping[Group, Collection[str]]
"""By group, the targets that had a sample of it that was not there before."""


class Absence(NamedTuple):
    """How long the series of a group have been absent: in polls, and in seconds between them."""

    polls: int
    seconds: float


_PRESENT = Absence(0, 0.0)


class _Poll(NamedTuple):
    """One answer of a target: its number, and its time in unix seconds."""

    number: int
    at: float


class _Answers:
    """The answers of one target. `first`: since it failed last, None while it fails. `named`: when
    it was known to exist. `look`: when an upstream looked at it last, None where nobody says so."""

    __slots__ = ("first", "look", "named", "newest")

    def __init__(self, at: float) -> None:
        self.first: _Poll | None = None
        self.newest = _Poll(0, at)
        self.named = at
        self.look: float | None = None

    def count(self, at: float) -> None:
        """Count one more."""
        self.newest = _Poll(self.newest.number + 1, at)
        self.first = self.first or self.newest
        self.named = at

    def absence(self, sighted: _Poll | None) -> Absence:
        """Return how long a group is absent that was seen last at that poll."""
        if self.first is None:
            return _PRESENT
        since = _Poll(self.first.number - 1, self.first.at)
        if sighted is not None and sighted.number > since.number:
            since = sighted
        return Absence(self.newest.number - since.number, self.newest.at - since.at)


class GroupPresence:
    """The polls of one SLO's targets, and at which of them each group was seen.

    `patience`: seconds after which a target that neither answers nor fails does not exist any more.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._targets: dict[str, _Answers] = {}
        self._any = _Answers(0.0)
        """The answers of all targets together."""
        self._failing: set[str] = set()
        self._sights: dict[Group, dict[str, _Poll]] = {}
        self._swept = 0.0

    def note(self, batch: Batch, sights: Sights) -> None:
        """Take a poll that was answered."""
        at = batch.at
        if at < self._any.newest.at:
            # The clock was set back. No time of before can be compared, as after a restart.
            self._targets.clear()
            self._sights.clear()
            self._any, self._swept = _Answers(at), at
        if not batch.own_clock:
            # An upstream says of all its targets which of them fail.
            self._failing.clear()
        answered = self._answered(batch, sights)
        for name in answered:
            self._failing.discard(name)
            self._answers(name, at).count(at)
        if answered:
            self._any.count(at)
        for group, targets in sights.items():
            polls = self._sights.setdefault(group, {})
            polls.pop(_ANY, None)
            for name in targets:
                polls[name] = self._targets[name].newest
        self._sweep(batch)

    def _answered(self, batch: Batch, sights: Sights) -> set[str]:
        """Return the targets that answered; keep those that do not."""
        out = {name for targets in sights.values() for name in targets}
        for name, target in batch.targets.items():
            if target.down:
                self.failing(name)
                if name in self._targets:
                    self._targets[name].named = batch.at
            elif batch.own_clock or self._is_looked_at(name, target, batch.at):
                out.add(name)
        return out

    def _is_looked_at(self, name: str, target: Target, at: float) -> bool:
        """Whether an upstream has looked at a target since the last poll."""
        if not target.looks:
            return False
        answers = self._answers(name, at)
        answers.named = at
        # The range of a query overlaps the one before, so the same look may come again.
        if answers.look is not None and target.looks[-1] <= answers.look:
            return False
        answers.look = target.looks[-1]
        return True

    def _answers(self, name: str, at: float) -> _Answers:
        answers = self._targets.get(name)
        if answers is None:
            answers = self._targets[name] = _Answers(at)
        return answers

    def _sweep(self, batch: Batch) -> None:
        """Remove the targets that exist no more and of which nobody said so."""
        if batch.at - self._swept < self.patience / _SWEEPS:
            return
        self._swept = batch.at
        for name, answers in list(self._targets.items()):
            # Without `up` an upstream's target that is silent may fail as well.
            known = batch.own_clock or answers.look is not None
            if known and name not in self._failing and batch.at - answers.named > self.patience:
                self.removed(name)

    def failing(self, target: str) -> None:
        """Take a poll that a target did not answer."""
        self._failing.add(target)
        if (answers := self._targets.get(target)) is not None:
            answers.first = None

    def removed(self, target: str) -> None:
        """Take that a target exists no more."""
        self._failing.discard(target)
        if self._targets.pop(target, None) is None:
            return
        for polls in self._sights.values():
            if polls.pop(target, None) is not None and not polls:
                polls[_ANY] = self._any.newest

    def forget(self, group: Group) -> None:
        """Forget a group."""
        self._sights.pop(group, None)

    def absence(self, group: Group) -> Absence:
        """Return how long the series of a group have been absent."""
        polls = self._sights.get(group)
        if polls is None:
            found = [] if self._failing else [a.absence(None) for a in self._targets.values()]
        elif _ANY in polls:
            found = [self._any.absence(polls[_ANY])]
        elif self._failing.isdisjoint(polls):
            found = [self._targets[name].absence(poll) for name, poll in polls.items()]
        else:
            found = []
        if not found:
            return _PRESENT
        return Absence(min(a.polls for a in found), min(a.seconds for a in found))
