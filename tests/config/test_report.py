"""`[report]`: when a review is sent, and what is refused of it."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

import pytest

from exporter.config.load import parse
from exporter.config.report import ReportPlan
from exporter.errors import ConfigError

RECEIVER = '[receiver.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:1/"\n'


def plan(*lines: str) -> ReportPlan:
    found = parse(RECEIVER + "[report]\n" + "\n".join(lines) + "\n", "slod.toml").report
    assert found is not None
    return found


def when(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "latest", "coming"),
    [
        ("MO 08:00", "2026-11-16T07:00", "2026-11-23T07:00"),
        ("08:00", "2026-11-18T07:00", "2026-11-19T07:00"),
        ("MO,TH 08:30", "2026-11-16T07:30", "2026-11-19T07:30"),
        ("FREQ=MONTHLY;BYMONTHDAY=1;BYHOUR=8", "2026-11-01T07:00", "2026-12-01T07:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=8", "2026-11-09T07:00", "2026-11-23T07:00"),
    ],
)
def test_the_moments_of_a_schedule(schedule: str, latest: str, coming: str) -> None:
    found = plan(f'schedule = "{schedule}"', 'timezone = "Europe/Berlin"')
    now = when("2026-11-18T12:00")
    assert found.around(now - 30 * 86_400, now) == (when(latest), when(coming))
    assert found.around(when(latest), now) == (None, when(coming))


def test_clocks_that_are_put_back_move_it_in_utc_and_not_for_people() -> None:
    found = plan('schedule = "08:00"', 'timezone = "Europe/Berlin"')
    assert found.around(0, when("2026-10-24T12:00"))[0] == when("2026-10-24T06:00")
    assert found.around(0, when("2026-10-25T12:00"))[0] == when("2026-10-25T07:00")


def test_a_schedule_may_end() -> None:
    found = plan('schedule = "FREQ=DAILY;BYHOUR=8;UNTIL=20260101"')
    now = when("2026-11-18T12:00")
    assert found.around(now - 86_400, now) == (None, inf)


def test_period_and_receivers() -> None:
    assert plan('schedule = "08:00"').period == 30 * 86_400
    found = plan('schedule = "08:00"', 'period = "last"', 'receivers = ["hook"]')
    assert (found.period, found.receivers) == (None, ("hook",))
    assert parse("", "slod.toml").report is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['schedule = "mondays"'], 'report.schedule: must be like "MO 08:00", "08:00" or FREQ='),
        (['schedule = "XX 08:00"'], "report.schedule: BYDAY must be like"),
        (['schedule = "25:00"'], "report.schedule: BYHOUR must be from 0 to 23"),
        (
            ['schedule = "FREQ=DAILY;BYHOUR=8,20"'],
            "report.schedule: happens more often than once a day",
        ),
        (['schedule = "FREQ=DAILY;UNTIL=20000101"'], "report.schedule: never happens"),
        (['schedule = "08:00"', 'timezone = "Europe/Berln"'], "report.timezone: unknown time"),
        (['schedule = "08:00"', 'period = "0s"'], "report.period: must be from 1m to 400d"),
        (['schedule = "08:00"', 'period = "soon"'], "or 'last', since the last review"),
        (
            ['schedule = "08:00"', 'receivers = ["hok"]'],
            "report.receivers: there is no receiver 'hok'; did you mean 'hook'?",
        ),
        (["period = '1d'"], "report: the key 'schedule' is missing"),
        (['schedule = "08:00"', "to = 'x'"], "report.to: unknown key"),
    ],
)
def test_what_is_refused_is_said_in_one_line(lines: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(*lines)
    assert any(said in str(finding) for finding in caught.value.findings), caught.value.findings
