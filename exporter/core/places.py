"""The places for the groups of one SLO: `max_groups` for those that are there.

A group that is gone (`group_presence`) has no place, so a label whose values change with every
deployment never fills them up. Its history is kept, of as many groups as there are places: the
oldest are dropped, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf

from exporter.core.events import Group
from exporter.core.group_presence import GroupPresence, Sights
from exporter.core.instance import Instance
from exporter.core.sample import Batch

POLLS = 4
"""Polls without a group after which its place is free. With fewer, one whose series is made anew
would lose it; with more, what is there would be kept out."""


class Places:
    """`instances`: of the SLO, by group. `patience`: as in `instance.patience`."""

    def __init__(self, instances: Mapping[Group, Instance], patience: float) -> None:
        self._instances = instances
        self._presence = GroupPresence(patience)
        self._polled, self._had_data = 0.0, -inf
        """The newest poll, and the newest that brought a sample of any group."""
        self._gone: set[Group] | None = None
        """The groups without a place; None until they are asked for again."""

    @property
    def patience(self) -> float:
        """Seconds of absence after which alerts of a group end."""
        return self._presence.patience

    @patience.setter
    def patience(self, seconds: float) -> None:
        self._presence.patience = seconds

    # --- what happens ---------------------------------------------------------------------------

    def note(self, batch: Batch, sights: Sights, *, has_data: bool) -> list[Group]:
        """Take a poll that was answered; return the groups that were gone and are back.

        `has_data`: some group had a sample, if only one for which there is no place.
        """
        self._gone = None
        self._polled = batch.at
        # Never later than the poll, also when the clock was set back.
        self._had_data = batch.at if has_data else min(self._had_data, batch.at)
        self._presence.note(batch, sights)
        return [group for group in sights if self._instances[group].gone]

    def failing(self, target: str) -> None:
        """Take a poll that a target did not answer."""
        self._gone = None
        self._presence.failing(target)

    def removed(self, target: str) -> None:
        """Take that a target exists no more."""
        self._gone = None
        self._presence.removed(target)

    def forget(self, group: Group) -> None:
        """Take that a group was dropped."""
        self._gone = None
        self._presence.forget(group)

    # --- what follows ---------------------------------------------------------------------------

    def admits(self, group: Group, places: int) -> bool:
        """Whether a group has one of so many places, or gets one that is free."""
        count, known = len(self._instances), group in self._instances
        if count < places or (known and count == places):
            return True
        gone = self._without_place()
        if known and group not in gone:
            return True
        if count - len(gone) >= places or not (known or count < 2 * places):
            return False
        gone.discard(group)
        return True

    def is_over(self, group: Group, now: float) -> bool:
        """Whether a group is gone for so long that its alerts have nothing to wait for.

        No group is gone where the SLO as a whole has no data: `SLIDataMissing` says that the alerts
        hold their state.
        """
        if now - self._had_data > self.patience:
            return False
        absence = self._presence.absence(group)
        without_it = absence.seconds - (self._polled - self._had_data)
        return absence.polls >= POLLS and without_it >= self.patience

    def overflow(self, places: int, now: float) -> Iterator[Group]:
        """Yield the groups to drop, the oldest of those that are gone and have no alert."""
        if len(self._instances) <= places:
            return
        gone = self._without_place()
        idle = [group for group in gone if self._is_idle(group, now)]
        idle.sort(key=lambda group: self._instances[group].seen or 0.0)
        yield from idle[: max(0, len(gone) - places)]

    def _is_idle(self, group: Group, now: float) -> bool:
        return all(alert.is_past(now) for alert in self._instances[group].alerts.values())

    def _without_place(self) -> set[Group]:
        if self._gone is None:
            absence = self._presence.absence
            self._gone = {
                group
                for group, instance in self._instances.items()
                if instance.gone or absence(group).polls >= POLLS
            }
        return self._gone
