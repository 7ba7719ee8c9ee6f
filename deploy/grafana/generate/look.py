"""What colours, units and words mean, the same on every dashboard."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions,
    RangeMap,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

RATIO = "percentunit"
SECONDS = "s"
BYTES = "bytes"
COUNT = "short"
EVENTS = "cps"
MOMENT = "dateTimeFromNow"

_SPENT = 1e-9
"""Just above 0: a threshold holds from its value on, and a budget of 0 is spent."""


def steps(first: str, *more: tuple[float, str]) -> ThresholdsConfig:
    """The colour below all limits, then each limit with the colour from there on."""
    found = [Threshold(None, first), *(Threshold(value, color) for value, color in more)]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def budget() -> ThresholdsConfig:
    """Of the budget that is left: the steps of the built-in policy."""
    return steps("red", (_SPENT, "orange"), (0.25, "yellow"), (0.5, "green"))


def burn() -> ThresholdsConfig:
    """Of a burn rate: the rates of the built-in alert rules on a period of 30d."""
    return steps("green", (1, "yellow"), (3, "orange"), (6, "red"), (14.4, "dark-red"))


def coverage() -> ThresholdsConfig:
    """Of a share of time with data; under half of it nothing much is known."""
    return steps("red", (0.5, "orange"), (0.9, "yellow"), (0.99, "green"))


def exhaustion() -> ThresholdsConfig:
    """Of the time until the budget is gone: within a day, three days, a week."""
    return steps("red", (86_400, "orange"), (259_200, "yellow"), (604_800, "green"))


def none_is_good(bad: str = "red") -> ThresholdsConfig:
    """Of a number that should be 0."""
    return steps("green", (1, bad))


def one_is_good() -> ThresholdsConfig:
    """Of a flag that should be 1."""
    return steps("red", (1, "green"))


def neutral() -> ThresholdsConfig:
    """Of a number that is neither good nor bad."""
    return steps("text")


def words(of: Mapping[str, tuple[str, str]]) -> ValueMap:
    """Values to the words and the colour they are shown in."""
    return ValueMap(
        {
            value: ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(of.items())
        }
    )


def far_away() -> RangeMap:
    """Ten years or more, +Inf among them, is no forecast."""
    result = ValueMappingResult(text="not in sight", color="green", index=0)
    return RangeMap(DashboardRangeMapOptions(from_val=315_360_000, to=None, result=result))


GATE = words({"0": ("closed", "red"), "1": ("open", "green")})
YES_NO = words({"0": ("no", "red"), "1": ("yes", "green")})
FIRING = words({"0": ("quiet", "transparent"), "1": ("firing", "red")})
HOLDS = words({"0": ("no", "transparent"), "1": ("yes", "orange")})
UP = words({"0": ("down", "red"), "1": ("up", "green")})
