"""The table of a backtest: what people read on a terminal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from exporter.backtest import words
from exporter.backtest.plain import to_json
from exporter.backtest.table import table
from exporter.charts import figures
from exporter.core.recommend import Recommendation
from tests.backtest.made_up import ALONE, PAGE, PAGED, QUIET, TICKET, outcome, result


def test_it_says_what_happened_and_what_would_have() -> None:
    tight = outcome(objective=0.9995, alerts=(PAGE, PAGE, ALONE), remaining=-0.20001, met=0)
    shown = table([result(outcome(), tight, notes=("something odd",))], 0.02)
    assert shown == (
        "checkout of shop: objective 99.9% over 30d\n"
        "  history  2026-01-01 00:00 to 2026-04-01 00:00 UTC, 90d; data for 99.7% of it\n"
        "  events   1,006,040, of which 6,040 bad: 0.60%; 2 resets, 12 births\n"
        "  note     something odd\n"
        "\n"
        "  ALERTS of workbook at 99.9%\n"
        "  FROM (UTC)             LASTED   BUDGET\n"
        "  2026-01-01 00:00:00        1h     4.6%  "
        "incident, 10% bad: paged after 2m30s, reset in 4m30s\n"
        "  2026-01-01 00:02:30      1h2m     4.6%    page 1h/5m over 14.4x, peak 99.6x\n"
        "  2026-01-01 00:06:40         -     5.1%    "
        "ticket 3d/6h over 1x, peak 1.26x, still firing\n"
        "  2026-02-10 00:00:00       10m    0.71%  page 6h/30m over 6x, peak 6.04x, no incident\n"
        "  2026-02-20 00:00:00        1d     2.1%  incident, 1.0% bad: not paged\n"
        "\n"
        "  WHAT IF (the first row is as configured)\n"
        "  OBJECTIVE  POLICY    PAGE  TICKET  PRECISION  RECALL>2%  DETECTED  RESET    LEFT  LOWEST"
        "     MET\n"
        "      99.9%  workbook     2       1        50%        50%     2m30s  4m30s   61.2%   -4.1%"
        "  2 of 3\n"
        "     99.95%  workbook     3       0        50%        50%     2m30s  4m30s  -20.1%   -4.1%"
        "  0 of 3\n"
        "\n"
        "  Recommended objective: 99.5%, the tightest met in 3 of 3 whole periods of 30d."
    )


def test_each_policy_has_its_own_alerts_at_the_configured_objective() -> None:
    other = outcome(policy="mine")
    shown = table([result(outcome(), outcome(objective=0.99), other)], 0.02)
    heads = [line for line in shown.splitlines() if "ALERTS" in line]
    assert heads == ["  ALERTS of workbook at 99.9%", "  ALERTS of mine at 99.9%"]


def test_silence_is_said_and_what_is_unknown_is_a_dash() -> None:
    quiet = result(
        QUIET, good=0, bad=0, group={"route": "/pay"}, recommendation=Recommendation(None, 0, 0)
    )
    lines = table([quiet], 0.05).splitlines()
    assert lines[0] == "checkout{route=/pay} of shop: objective 99.9% over 30d"
    assert lines[2] == "  events   0; 2 resets, 12 births"
    assert "  no alert, and no significant incident" in lines
    assert lines[-3].split() == ["99.9%", "workbook", "0", *"-------"]
    assert lines[-1] == "  No recommendation: history has no whole period of 30d with events in it."


def test_of_many_incidents_those_that_spent_most_are_shown_and_the_others_counted() -> None:
    incidents = tuple(
        replace(PAGED, start=PAGED.start + 9e4 * i, spent=0.03 + 0.001 * i) for i in range(20)
    )
    flapping = tuple(replace(PAGE, start=PAGE.start + i, incident=19) for i in range(100))
    lines = table([result(outcome(incidents=incidents, alerts=flapping))], 0.02).splitlines()
    shown = [line for line in lines if "incident, 10% bad" in line]
    assert [line.split()[3] for line in shown] == [f"{3.5 + 0.1 * i:.1f}%" for i in range(15)]
    assert "  and 5 that spent less; --format json and --html have all" in lines
    more = [line.strip() for line in lines if "more alerts" in line]
    assert more == ["and 92 more alerts; --format json and --html have all"]


def test_it_fits_a_terminal_of_100_columns() -> None:
    named = outcome(
        policy="a-policy-with-a-name-that-does-not-end", detection=90061.0, reset=90061.0
    )
    lines = table([result(named, notes=("words " * 40,))], 0.02).splitlines()
    assert max(map(len, lines)) == 100
    assert "  a-policy-w…  " in lines[-3]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Recommendation(None, 3, 0), "No recommendation: of 3 whole periods of 30d none kept any"),
        (
            Recommendation(0.99, 1, 1),
            "99%, the tightest met in 1 of 1 whole period of 30d; so few are an anecdote.",
        ),
    ],
)
def test_a_recommendation_says_on_what_it_rests(found: Recommendation, said: str) -> None:
    assert said in words.recommendation(result(recommendation=found))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "-"), (0.0, "0%"), (1.0, "100%"), (0.25, "25%"), (0.0461, "4.6%"), (-0.02, "-2.0%"),
        (0.000123, "0.012%"), (12.5, "1250%"), (1e-12, "0.000000%"),
    ],
)  # fmt: skip
def test_a_small_share_is_not_nothing(value: float | None, said: str) -> None:
    assert figures.share(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "-"), (1.0, "100.0%"), (-0.00001, "-0.1%"), (0.00099, "0.0%"), (-12.0, "-1,200.0%")],
)
def test_what_is_left_is_rounded_down(value: float | None, said: str) -> None:
    assert figures.left(value) == said


def test_a_burn_rate_and_a_count_are_short() -> None:
    assert [figures.burn(b) for b in (1.0, 14.4, 236.32, 999.7, 99_999.5)] == [
        "1x", "14.4x", "236x", "1,000x", "100,000x",
    ]  # fmt: skip
    assert [figures.number(n) for n in (0.5, 7.0, 1234.5)] == ["0.5", "7", "1,234"]


def test_the_json_has_everything_by_the_names_of_the_results() -> None:
    found = json.loads(to_json([result(group={"pod": "é"})], 0.02))
    assert found["significant"] == 0.02
    [one] = found["backtests"]
    assert (one["slo"], one["group"], one["coverage"]) == ("checkout", {"pod": "é"}, 0.99789)
    assert one["recommendation"] == {"objective": 0.995, "periods": 3, "met": 3}
    [now] = one["outcomes"]
    assert now["alerts"][1]["end"] is None
    assert now["alerts"][1]["severity"] == TICKET.severity
    assert now["incidents"][0]["detected"] == 150
    assert now["burn_down"][6] == [1_767_225_600.0 + 7 * 86_400, None]
