"""`[exclusion.NAME]`: what is understood of it, what is refused and how that is said."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exporter.config.expansion import Expansion
from exporter.config.lint import lint
from exporter.config.load import Config, parse
from exporter.config.moments import parse_moment, parse_zone, rfc3339
from exporter.config.recurrence import parse_rule, starts
from exporter.errors import ConfigError

BASE = """
[source.s]
type = "scrape"
targets = ["http://a/metrics"]
[slo.shop]
service = "checkout"
objective = 99
sli = { bad = "b", total = "t" }
labels = { team = "payments" }
group_by = ["route"]
[slo.search]
objective = 99
sli = { bad = "b", total = "t" }
"""


def config(*lines: str) -> Config:
    return parse(BASE + "[exclusion.x]\n" + "\n".join(lines) + "\n", "slod.toml")


def spans(*lines: str, since: str = "2026-01-01", to: str = "2027-01-01") -> list[str]:
    [plan] = config('slos = "shop"', 'reason = "r"', *lines).exclusions
    utc = parse_zone("UTC")
    edges = [parse_moment(text, utc).timestamp() for text in (since, to)]
    return [f"{rfc3339(a)}/{rfc3339(b)}" for a, b in Expansion(plan).spans(*edges)]


def errors(*lines: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config(*lines)
    return [finding.removeprefix("slod.toml:") for finding in caught.value.findings]


def said(*lines: str) -> str:
    """The one error there is, without its place."""
    [error] = errors('slos = "shop"', 'reason = "r"', *lines)
    return error.split(": ", 1)[1]


TEN = ["2026-11-20T10:00:00Z/2026-11-20T12:00:00Z"]


@pytest.mark.parametrize(
    "lines",
    [
        ["start = 2026-11-20T10:00:00Z", "end = 2026-11-20T12:00:00Z"],
        ["start = 2026-11-20T11:00:00+01:00", 'duration = "2h"'],
        ['start = "2026-11-20T10:00:00Z"', 'end = "2026-11-20T12:00Z"'],
        ["start = 2026-11-20T11:00:00", 'duration = "2h"', 'timezone = "Europe/Berlin"'],
        ['start = "2026-11-20 11:00"', 'end = "2026-11-20 13:00"', 'timezone = "Europe/Berlin"'],
        ["start = 1795168800", "end = 1795176000"],
    ],
)
def test_a_time_can_be_written_as_people_write_it(lines: list[str]) -> None:
    assert spans(*lines) == TEN


def test_a_date_is_its_midnight() -> None:
    lines = ["start = 2026-10-25", "end = 2026-10-26", 'timezone = "Europe/Berlin"']
    assert spans(*lines) == ["2026-10-24T22:00:00Z/2026-10-25T23:00:00Z"]


def test_a_local_time_that_does_not_exist_or_comes_twice_is_read_as_calendars_do() -> None:
    berlin = ['duration = "30m"', 'timezone = "Europe/Berlin"']
    assert spans("start = 2026-03-29T02:30:00", *berlin) == [
        "2026-03-29T01:30:00Z/2026-03-29T02:00:00Z"
    ]
    assert spans("start = 2026-10-25T02:30:00", *berlin) == [
        "2026-10-25T00:30:00Z/2026-10-25T01:00:00Z"
    ]


def weekly(start: str, rule: str, duration: str = "1h", **more: str) -> list[str]:
    return [
        span.split("/")[0]
        for span in spans(
            f"start = {start}",
            f'duration = "{duration}"',
            f'rrule = "{rule}"',
            'timezone = "Europe/Berlin"',
            **more,
        )
    ]


def test_what_recurs_keeps_its_wall_clock_time_and_its_length_over_a_clock_change() -> None:
    assert spans(
        "start = 2026-03-22T01:30:00",
        "end = 2026-03-22T04:30:00",
        'rrule = "FREQ=WEEKLY;BYDAY=SU;COUNT=3"',
        'timezone = "Europe/Berlin"',
    ) == [
        "2026-03-22T00:30:00Z/2026-03-22T03:30:00Z",
        "2026-03-29T00:30:00Z/2026-03-29T03:30:00Z",
        "2026-04-04T23:30:00Z/2026-04-05T02:30:00Z",
    ]


def test_a_time_that_does_not_exist_is_left_out_and_not_counted() -> None:
    assert weekly("2026-03-28T02:30:00", "FREQ=DAILY;COUNT=3") == [
        "2026-03-28T01:30:00Z",
        "2026-03-30T00:30:00Z",
        "2026-03-31T00:30:00Z",
    ]


def test_a_time_that_comes_twice_is_the_first_of_the_two() -> None:
    assert weekly("2026-10-24T02:30:00", "FREQ=DAILY;COUNT=3") == [
        "2026-10-24T00:30:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-26T01:30:00Z",
    ]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260403T003000Z", "2026-04-03T00:30:00Z"),
        ("20260403T002959Z", "2026-04-02T00:30:00Z"),
        ("20260403", "2026-04-03T00:30:00Z"),
        ("20260403T022959", "2026-04-02T00:30:00Z"),
    ],
)
def test_a_rule_ends_at_its_until(until: str, last: str) -> None:
    assert weekly("2026-04-01T02:30:00", f"FREQ=DAILY;UNTIL={until}")[-1] == last


def test_a_rule_may_name_days_of_months() -> None:
    found = weekly("2026-01-01T12:00:00", "RRULE:FREQ=MONTHLY;BYDAY=-1FR,1SA;COUNT=4")
    assert [day[:10] for day in found] == ["2026-01-03", "2026-01-30", "2026-02-07", "2026-02-27"]


def test_only_what_touches_the_time_asked_for_is_expanded_and_whole() -> None:
    every_day = "FREQ=DAILY"
    assert weekly("2020-01-01T12:00:00", every_day, "2h", since="2026-07-01", to="2026-07-03") == [
        "2026-07-01T10:00:00Z",
        "2026-07-02T10:00:00Z",
    ]
    inside = {"since": "2026-07-01T11:00:00Z", "to": "2026-07-01T11:00:01Z"}
    assert weekly("2020-01-01T12:00:00", every_day, "2h", **inside) == ["2026-07-01T10:00:00Z"]
    assert weekly("2020-01-01T12:00:00", every_day, "23h", **inside) == ["2026-07-01T10:00:00Z"]
    assert spans("start = 2020-01-01T12:00:00Z", 'duration = "2h"') == []


def test_what_overlaps_is_one_span() -> None:
    lines = ["start = 2026-07-01T00:00:00Z", 'duration = "2d"', 'timezone = "UTC"']
    assert spans(*lines, 'rrule = "FREQ=DAILY;COUNT=3"') == [
        "2026-07-01T00:00:00Z/2026-07-05T00:00:00Z"
    ]


def test_the_next_one_is_known_however_far_away() -> None:
    lines = ["start = 2024-02-29", 'duration = "1d"', 'timezone = "UTC"', 'rrule = "FREQ=YEARLY"']
    [plan] = config('slos = "shop"', 'reason = "r"', *lines).exclusions
    coming = Expansion(plan).following(1_800_000_000)
    assert coming is not None and rfc3339(coming[0]) == "2028-02-29T00:00:00Z"


def test_too_many_are_an_error_and_not_a_long_wait() -> None:
    times = ",".join(map(str, range(60)))
    rule = f"FREQ=DAILY;BYHOUR=1;BYMINUTE={times}"
    with pytest.raises(ValueError, match="more than 10000 times"):
        weekly("2026-01-01T12:00:00", rule, "1s")
    with pytest.raises(ValueError, match="more than 50000 times from its start"):
        weekly("2020-01-01T12:00:00", rule, "1s")


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("FREQ=WEEKLI", "needs a FREQ, one of DAILY, WEEKLY, MONTHLY, YEARLY, not 'WEEKLI'"),
        ("BYDAY=SU", "and 'BYDAY=SU' has none"),
        ("FREQ=HOURLY", "one of DAILY"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY must be like MO,TU or 1SU,-1FR, not 'XX'"),
        ("FREQ=WEEKLY;BYDAY=1SU", "BYDAY=1SU goes with FREQ=MONTHLY or YEARLY, not WEEKLY"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL must be from 1 to 10000, not '0'"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR must be from 0 to 23, not '24'"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY must not be 0"),
        ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS goes with FREQ=MONTHLY or YEARLY, not DAILY"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "COUNT and UNTIL exclude each other"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ stands twice"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL=20270230 is no date that exists"),
        ("FREQ=DAILY;UNTIL=soon", "UNTIL must be like"),
        ("FREQ=DAILY;WKST=1", "WKST must be like MO"),
        ("FREQ=DAILY;DTSTART=1", "unknown part 'DTSTART'"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never happens from 'start' on"),
        ("FREQ=DAILY;UNTIL=20200101", "never happens from 'start' on"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: str, error: str) -> None:
    lines = ["start = 2026-01-01T12:00:00", 'duration = "1h"', 'timezone = "Europe/Berlin"']
    found = said(*lines, f'rrule = "{rule}"')
    assert found.startswith("exclusion.x.rrule: ")
    assert error in found


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (["start = 2026-01-01T12:00:00Z"], "exclusion.x: needs exactly one of 'end' and 'dur"),
        (["start = 2026-01-02T00:00:00Z", "end = 2026-01-01T00:00:00Z"], "must be after 'start'"),
        (["start = 2026-01-01T12:00:00", 'duration = "1h"'], "which time zone is 2026-01-01 12:"),
        (["start = 12:00:00", 'duration = "1h"'], "not a time: datetime.time(12, 0)"),
        (["start = true", 'duration = "1h"'], "not a time: True"),
        (['start = "tomorrow"', 'duration = "1h"'], "not a time: 'tomorrow'; write it like 2026-"),
        (['start = "2026-02-30T10:00Z"', 'duration = "1h"'], "not a time that exists"),
        (["start = 1066-10-14T09:00:00Z", 'duration = "9h"'], "the year must be from 1970 to 2199"),
        (["start = 2026-10-14T09:00:00Z", 'duration = "200y"'], "the year must be from 1970"),
        (["start = 2026-01-01T12:00:00Z", 'duration = "1 h"'], "not a duration: '1 h'"),
        (
            ["start = 2026-01-01", 'duration = "1d"', 'timezone = "Europe/Berlim"'],
            "unknown time zone 'Europe/Berlim'; did you mean 'Europe/Berlin'?",
        ),
        (
            ["start = 2026-01-01T00:00:00Z", 'duration = "1h"', 'rrule = "FREQ=DAILY"'],
            "exclusion.x: a rule needs a timezone",
        ),
        (
            [
                "start = 2026-03-29T02:30:00",
                'duration = "1h"',
                'rrule = "FREQ=DAILY"',
                'timezone = "Europe/Berlin"',
            ],
            "exclusion.x.start: does not exist that day",
        ),
        (["start = 2026-01-01T00:00:00Z", 'duration = "1h"', 'owner = ""'], "x.owner: must be a"),
        (["start = 2026-01-01T00:00:00Z", 'duration = "1h"', "rule = 1"], "did you mean 'rrule'?"),
    ],
)
def test_what_cannot_be_understood_is_one_line_with_the_way_out(
    lines: list[str], error: str
) -> None:
    assert error in said(*lines)


def test_a_reason_and_slos_must_be_there() -> None:
    when = ["start = 2026-01-01T00:00:00Z", 'duration = "1h"']
    assert errors(*when) == [
        "14: exclusion.x: the key 'slos' is missing",
        "14: exclusion.x: the key 'reason' is missing",
    ]
    for slos, error in (
        ('""', "is empty; name SLOs"),
        ("[]", "is empty; name SLOs"),
        ("'{service=checkout}'", "cannot read the label matchers"),
        ("'{service=\"a\"'", "not label matchers"),
        ("'{a=~\"(\"}'", "bad regular expression"),
    ):
        [found] = errors(f"slos = {slos}", 'reason = "r"', *when)
        assert found.startswith("15: exclusion.x.slos: ") and error in found


@pytest.mark.parametrize(
    ("slos", "names"),
    [
        ('"shop"', ["shop"]),
        ('["shop", "search"]', ["shop", "search"]),
        ("'{service=\"checkout\"}'", ["shop"]),
        ('\'{team="payments",slo!="search"}\'', ["shop"]),
        ("'{route=\"/pay\"}'", ["shop"]),
        ("'{}'", ["shop", "search"]),
        ('"s.*"', []),
    ],
)
def test_slos_are_named_or_matched_by_their_labels(slos: str, names: list[str]) -> None:
    found = config(
        f"slos = {slos}", 'reason = "r"', "start = 2026-01-01T00:00:00Z", 'duration = "1h"'
    )
    [plan] = found.exclusions
    assert [slo.name for slo in found.slos if plan.may_cover(slo)] == names
    warned = [str(w) for w in lint(found) if "no SLO there is" in w.message]
    assert bool(warned) is (not names)


def test_an_exclusion_for_no_slo_names_the_nearest() -> None:
    found = config(
        'slos = "shopp"', 'reason = "r"', "start = 2026-01-01T00:00:00Z", 'duration = "1h"'
    )
    assert "slod.toml:15: exclusion.x.slos: is for no SLO there is; did you mean 'shop'?" in [
        str(w) for w in lint(found)
    ]


def test_calendars_are_loaded_only_where_a_rule_is_used() -> None:
    code = f"""
        import sys
        from exporter.config.load import parse
        parse({BASE!r}, "slod.toml")
        assert "zoneinfo" not in sys.modules and "dateutil" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    minute=st.integers(0, 24 * 60 - 1),
    days=st.sets(st.integers(0, 6), min_size=1),
    count=st.one_of(st.none(), st.integers(1, 200)),
    first=st.dates(date(2025, 1, 1), date(2026, 6, 1)),
)
def test_weekly_rules_hold_where_a_walk_over_every_day_finds_them(
    zone: str, minute: int, days: set[int], count: int | None, first: date
) -> None:
    of = ZoneInfo(zone)
    begin = datetime(first.year, first.month, first.day) + timedelta(minutes=minute)
    assume((begin.replace(tzinfo=of).timestamp(), begin) == _walked(begin, of))
    expected: list[float] = []
    for n in range(800):
        when, wall = _walked(begin + timedelta(days=n), of)
        if wall == begin + timedelta(days=n) and wall.weekday() in days:
            expected.append(when)
    expected = expected[:count]
    since, to = (datetime(2026, month, 1, tzinfo=UTC).timestamp() for month in (2, 12))
    names = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
    rule = "FREQ=WEEKLY;BYDAY=" + ",".join(names[d] for d in sorted(days))
    rule += f";COUNT={count}" if count else ""
    found: list[float] = []
    for when in starts(parse_rule(rule), begin, of, since):
        if when >= to:
            break
        found.append(when)
    assert found == [when for when in expected if since <= when < to]


def _walked(wall: datetime, zone: ZoneInfo) -> tuple[float, datetime]:
    """The moment of a wall-clock time, and what the clock really shows then."""
    when = wall.replace(tzinfo=zone).timestamp()
    return when, datetime.fromtimestamp(when, zone).replace(tzinfo=None, fold=0)
