"""Sends the reliability review by itself: once for each moment of the schedule, also across
restarts; one that was missed while slod was down is sent late, and only the last of several.

The notice is kept with the outbox, and its key is the moment; that it was sent is written down
only after that. So whenever slod is killed, it is sent again or known already, and said once.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from exporter.app.report import MARK, Reports
from exporter.clock import Clock
from exporter.config.moments import rfc3339
from exporter.config.report import ReportPlan
from exporter.core.engine import Engine
from exporter.core.notices import Notice
from exporter.errors import StateError
from exporter.web.report_api import LAST, Asked

log = structlog.get_logger()

EVERY = 20.0
"""Seconds between two looks at the schedule."""
LASTS = 3600.0
"""How long the notice holds, in seconds."""
MOST = 20_000
"""Bytes of the review that a notification carries."""
SENT = ("report", "sent")


class Schedule:
    """Follows the plan there is, or none; the next tick says what was put."""

    def __init__(
        self,
        reports: Reports,
        engine: Engine,
        clock: Clock,
        plan: Callable[[], ReportPlan | None],
    ) -> None:
        self._reports = reports
        self._engine = engine
        self._clock = clock
        self._plan = plan
        self._sent: float | None = None
        self._coming: tuple[ReportPlan | None, float, float] = (None, 0.0, 0.0)
        """The plan, when it was looked at, and what comes next then."""
        self._unwritten: tuple[float, float] | None = None
        """A moment whose notice was put, and the end of its review."""

    async def run(self) -> None:
        """Look at the schedule again and again."""
        while True:
            try:
                await self._look()
            except (StateError, ValueError) as error:
                log.error("report.not_sent", error=str(error), outcome="tried again later")
            await self._clock.sleep(EVERY)

    async def _look(self) -> None:
        if self._unwritten is not None:
            if self._engine.notices.changed:
                return
            moment, end = self._unwritten
            await self._reports.keep({SENT: moment, MARK: end})
            self._sent, self._unwritten = moment, None
        plan, now = self._plan(), self._clock.now()
        if plan is None:
            return
        if self._sent is None:
            self._sent = await self._reports.marked(SENT)
        sent = self._sent
        if sent is None or sent > now:
            # From now on; what was scheduled before anybody asked for it was not missed.
            await self._reports.keep({SENT: now})
            self._sent = sent = now
        # To follow a rule from its beginning takes some milliseconds.
        planned, looked, coming = self._coming
        if planned is plan and looked <= now < coming:
            return
        due, coming = plan.around(sent, now)
        if due is not None:
            await self._send(plan, due)
        self._coming = (plan, now, coming)

    async def _send(self, plan: ReportPlan, moment: float) -> None:
        from exporter.report.markdown import to_markdown
        from exporter.report.words import span, summary

        asked = Asked(since=LAST) if plan.period is None else Asked(period=plan.period)
        made = await self._reports.make(asked, moment)
        labels = {"alertname": "ReliabilityReview", "severity": "info"}
        words = {
            "summary": f"Reliability review of {span(made)}",
            "description": f"{summary(made)}.",
            "report": to_markdown(made, MOST),
        }
        notice = Notice(
            f"report/{rfc3339(moment)}",
            labels,
            words,
            moment,
            self._clock.now() + LASTS,
            plan.receivers,
        )
        self._engine.notices.put(notice)
        self._unwritten = (moment, made.end)
        log.info("report.sent", scheduled=rfc3339(moment), receivers=list(plan.receivers) or "all")
