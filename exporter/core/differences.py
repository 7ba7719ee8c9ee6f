"""One sentence for each reason why others count otherwise than slod."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from exporter.core.ledger import Counts
from exporter.core.peers import Heard, bad_and_total
from exporter.core.words import Show

_NOTHING = 0.5
"""Less than half an event is no difference."""


def differences(
    exact: Counts, heard: Heard, roles: Collection[str], every: float, show: Show
) -> tuple[str, ...]:
    """`roles`: of the SLI's counters; `every`: seconds between Sloth's evaluations."""
    return (*_increase(exact, heard, roles), *_sloth(exact, heard, every, show))


def _increase(exact: Counts, heard: Heard, roles: Collection[str]) -> list[str]:
    if not heard.increase:
        return ["increase() says nothing: no counter has two samples in the window."]
    out = []
    late = {role: n for role, n in heard.late_events.items() if n >= _NOTHING}
    if late:
        out.append(
            f"{_series(heard.late)} began inside the window. To increase() the first value is no "
            f"increase, so it leaves out {_listed(late)}; slod counts a first value where the "
            "target was observed before, or its process or the counter began since."
        )
    if heard.alone:
        out.append(
            f"{_series(heard.alone)} have a single sample in the window, of which increase() says "
            "nothing."
        )
    stretched = {role: n - heard.sampled[role] for role, n in heard.increase.items()}
    stretched = {role: n for role, n in stretched.items() if n >= _NOTHING}
    if stretched:
        out.append(
            "increase() stretches what it saw to the window's edges, or by half a sample's "
            f"spacing: that adds {_listed(stretched)} that it did not see."
        )
    found = bad_and_total(heard.increase)
    if found is None:
        missing = " or ".join(role for role in roles if role not in heard.increase)
        out.append(
            f"No series of {missing} events has two samples in the window, so the "
            "ratio of increase() is empty, not zero."
        )
    elif abs(found[1] - exact.total) >= _NOTHING or abs(found[0] - exact.bad) >= _NOTHING:
        out.append(
            f"Together increase() finds {found[0]:,.1f} bad of {found[1]:,.1f} events where "
            f"{exact.bad:,.1f} of {exact.total:,.1f} happened."
        )
    return out


def _sloth(exact: Counts, heard: Heard, every: float, show: Show) -> list[str]:
    evaluations = heard.moments + heard.quiet + heard.absent
    if not evaluations:
        return []
    out = []
    ratio, averaged = exact.error_ratio, heard.averaged
    if ratio is not None and averaged is not None:
        out.append(
            f"Sloth averages {heard.moments} ratios over 5m, one every {show(every)}, each with "
            f"the same weight whatever the traffic was: {averaged:.4%} in place of {ratio:.4%}."
        )
    if heard.quiet:
        out.append(
            f"In {heard.quiet} of {evaluations} evaluations nothing happened within 5m: 0/0 is "
            "NaN, and one NaN makes Sloth's whole average NaN until it has left the window; here "
            "they are left out."
        )
    if heard.absent:
        out.append(
            f"In {heard.absent} of {evaluations} evaluations a counter had no two samples within "
            "5m: there is no ratio then, so Sloth averages the other times only."
        )
    return out


def _series(count: int) -> str:
    return "1 series" if count == 1 else f"{count:,} series"


def _listed(events: Mapping[str, float]) -> str:
    return " and ".join(f"{n:,.1f} {role} events" for role, n in sorted(events.items()))
