"""Whether the daemon does its work, for `/-/healthy` and systemd's watchdog.

Unhealthy is only what a restart may mend: the event loop is held (answered by `held_loop`), the
metrics page cannot be made at all, or a vital part fails again and again. A source, receiver,
target or SLO that fails is none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from exporter.core.apart import one_line
from exporter.supervisor import Supervisor
from exporter.web.exposition import Family
from exporter.web.held_loop import HeldLoop
from exporter.web.server import Health as Answer


class Health:
    """`page` makes the families of the metrics page."""

    def __init__(
        self, page: Callable[[], list[Family]], supervisor: Supervisor, loop: HeldLoop
    ) -> None:
        self._page = page
        self._supervisor = supervisor
        self._loop = loop
        self._failing: str | None = None
        self._made = False

    def families(self) -> Sequence[Family]:
        """The metrics page; whether it can be made is noted for `look`."""
        try:
            families = self._page()
        except Exception as error:
            self._failing = one_line(error)
            raise
        self._failing, self._made = None, True
        return families

    def look(self) -> Answer:
        """Healthy, or why not, in one line."""
        if self._failing is not None or not self._made:
            # Nobody may have asked for the page since it failed.
            with self._supervisor.part("metrics"):
                self.families()
        reasons = self._supervisor.unhealthy()
        if self._failing is not None:
            reasons.append(f"/metrics cannot be made: {self._failing}")
        if (held := self._loop.held) is not None:
            reasons.append(f"the event loop is held for {held:.0f} s")
        if reasons:
            return Answer(False, f"slod is not healthy: {'; '.join(reasons)}")
        return Answer()
