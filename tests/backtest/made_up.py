"""Results as a replay might find them, to be shown."""

from __future__ import annotations

from dataclasses import replace

from exporter.backtest.result import Backtest, Fired, Incident, Outcome
from exporter.core.recommend import Recommendation

T = 1_767_225_600.0
"""The beginning of 2026 in UTC."""
DAY = 86_400.0
END = T + 90 * DAY

PAGE = Fired("page", "1h", "5m", 14.4, T + 150, T + 3870, 99.6, 0.046, 0)
TICKET = Fired("ticket", "3d", "6h", 1.0, T + 400, None, 1.26, 0.0512, 0)
ALONE = Fired("page", "6h", "30m", 6.0, T + 40 * DAY, T + 40 * DAY + 600, 6.04, 0.0071, None)
PAGED = Incident(T, T + 3600, 6000, 60_000, 0.046, 150, 270)
UNSEEN = Incident(T + 50 * DAY, T + 51 * DAY, 40, 4000, 0.0213, None, None)


def outcome(**more: object) -> Outcome:
    """The workbook's policy at 99.9%, with a page that was worth it and one that was not."""
    plain = Outcome(
        objective=0.999,
        policy="workbook",
        alerts=(PAGE, TICKET, ALONE),
        incidents=(PAGED, UNSEEN),
        precision=0.5,
        recall=0.5,
        detection=150.0,
        reset=270.0,
        remaining=0.61234,
        lowest=-0.0401,
        periods=3,
        met=2,
        burn_down=tuple((T + k * DAY, None if k in (7, 8) else 1 - k / 86) for k in range(1, 91)),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def result(*outcomes: Outcome, **more: object) -> Backtest:
    """90 days of one SLO."""
    plain = Backtest(
        slo="checkout",
        service="shop",
        group={},
        period="30d",
        start=T,
        end=END,
        good=1_000_000,
        bad=6040,
        coverage=0.99789,
        resets=2,
        births=12,
        outcomes=outcomes or (outcome(),),
        recommendation=Recommendation(0.995, 3, 3),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


QUIET = outcome(
    alerts=(), incidents=(), precision=None, recall=None, detection=None, reset=None,
    remaining=None, lowest=None, periods=0, met=0, burn_down=((T, None),),
)  # fmt: skip
"""Nothing happened, and nothing is known."""
