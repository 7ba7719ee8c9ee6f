"""What a new sample of a counter means: explanations of a process, weighed against each other.

Theory of operation: a start time that moved, a value that fell and a name that is new each have
several causes. So no fact is believed alone. A *process* is what counts together (see
`Series.target`); all its wanted series in one look are explained at once, and the likeliest
explanation is counted. A look in which nothing is unusual is not weighed: it goes on.

| explanation of the process | each of its series counts | considered when |
| --- | --- | --- |
| `SAME`: it goes on | by its own explanation, below | always |
| `NEW`: another one, all began at 0 after the last look | its value; a missing one begins at 0 |
  a value fell, the start moved, nobody listened before, or all series are other ones |
| `RENAMED`: it has other labels now | the difference to its twin | all series went, others came |
| `PART_LEFT`: a sum over workers lost one | nothing where it fell (unknown) | a value fell |
| `OTHER`: one more process answers here | nothing | the start moved to before the last look |
| `FOUND`: it was there before it was met | nothing (baseline) | none of its series was ever met |

| explanation of a series in `SAME` | kind | counts |
| --- | --- | --- |
| goes on | increase | the difference |
| a little behind (a replica, rounding) | jitter | nothing; the higher value stays the mark |
| its own reset (removed and made again, expired and back) | reset | its value |
| born | birth | its value |
| found late (a collector that came back, another form of the histogram) | baseline | nothing |

A series' own created timestamp outranks all of it. What makes an explanation likely is the sum of
logarithms of: how common it is, what the start time says of it, and how well the events it implies
fit the pace seen so far. Bursts are real, so the fit has a heavy tail upwards; traffic may always
stop, so too few events cost little. Traffic that came or went in the last look may stay so: each
explanation is weighed at the usual pace and at the last look's. What is alike for all series of a
process (a burst, a lull), or for all that are bad (an outage), is paid for once.

Source: the weights were found by trying them on random worlds (`tests/worlds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, log, sqrt

from exporter.core.likelihood import (
    AGE,
    LONG_AGO,
    OF_SIBLINGS,
    SPREAD,
    among,
    expected_of,
    fit,
    of_age,
    of_life,
    together,
)
from exporter.core.starts import OF_NEW, OF_SAME, Start, start_of
from exporter.core.twins import Twins
from exporter.core.verdicts import (
    CLOCKS_APART,
    GOES_ON,
    START_JITTER,
    Decision,
    Kind,
    Process,
    Seen,
    Verdict,
)

SAME, NEW, RENAMED, PART_LEFT, OTHER, FOUND = (
    "same",
    "new_process",
    "renamed",
    "part_left",
    "other_process",
    "found_late",
)

FIRST_LOOK = Verdict(Kind.BASELINE, "first_look")
_BEHIND = Verdict(Kind.JITTER, "a_little_behind")
_OWN_RESET = Verdict(Kind.RESET, "own_fall")
_RETURNED = Verdict(Kind.RESET, "returned_at_zero")
_BORN = Verdict(Kind.BIRTH, "process_looked_at_before")
FOUND_LATE = Verdict(Kind.BASELINE, "found_late")
_LOST_PART = Verdict(Kind.UNKNOWN, "part_left")
_OF_ANOTHER = Verdict(Kind.REFUSED, "another_process")
_CREATED_BIRTH = Verdict(Kind.BIRTH, "created_timestamp")
_CREATED_RESET = Verdict(Kind.RESET, "created_timestamp")
_CREATED_BEFORE = Verdict(Kind.BASELINE, "created_before_last_look")

# --- how common each explanation is, in natural logarithms ---------------------------------------

_LN = {
    "renamed": log(0.05),
    "part_left": log(0.002),
    "little_left": log(0.001),
    "not_of_most": log(0.1),
    "unlike": log(0.1),
    "down_and_left": log(0.05),
    "away_and_left": log(0.1),
    "other": log(0.01),
    "other_by_falls": log(0.001),
    "all_above": log(0.1),
    "proxy": log(0.01),
    "exporter_away": log(0.03),
    "gap_and_move": log(0.02),
    "lately": log(0.2),
    "behind": log(0.1),
    "own_reset": log(0.001),
    "with_it": log(0.9),
    "gone_too": log(0.3),
    "gone_and_moved": log(0.1),
    "back_and_moved": log(0.8),
    "returned": log(0.5),
    "born": log(0.1),
    "first": log(0.5),
    "another": log(0.5),
    "found_series": log(0.01),
    "found_process": log(0.02),
    "found_passed_on": log(0.5),
}
_EXACT = 0.1
"""Seconds by which a start time with a fraction of a second may be off."""
_ELSEWHERE = frozenset({Start.RECENT, Start.PAST, Start.BACK})
"""Starts before the last look: of one more process, perhaps."""
_FALL_AND_MOVE = log(0.00001)
"""A process that goes on while a value falls and its start moves."""
_BELIEF = 2.0
MOST_BELIEF = 2
_LITTLE_LEFT = 0.2


_Option = tuple[float, str, list[Verdict | None]]


def decide(process: Process, seen: Sequence[Seen]) -> Decision:
    """Explain one look at a process that was looked at before."""
    verdicts: list[Verdict | None] = [_by_created(process, s) for s in seen]
    weighed = [i for i, verdict in enumerate(verdicts) if verdict is None]
    some = [seen[i] for i in weighed]
    if not any(s.value is not None for s in some):
        return Decision(SAME, verdicts, process.belief)
    start = start_of(process)
    if not process.met:
        options = [_born(process, some), _found(process, start, some)]
        _, name, found = max(options, key=lambda option: option[0])
        return Decision(name, _merged(verdicts, weighed, found), process.belief)
    options = _options(process, start, some)
    # The last look of an address that several processes share is of another one.
    if not process.troubled and (lately := _as_lately(some)) is not None:
        options += [
            (score + _LN["lately"], name, found)
            for score, name, found in _options(process, start, lately)
        ]
    _, name, found = max(options, key=lambda option: option[0])
    belief = _believe(process, name, start, some)
    return Decision(name, _merged(verdicts, weighed, found), belief)


def _as_lately(seen: Sequence[Seen]) -> list[Seen] | None:
    """The same series at the pace of their last look: traffic that came or went may stay so. None
    where that was the usual pace."""
    if all(s.lately is None or s.lately == s.pace for s in seen):
        return None
    return [s if s.lately is None else replace(s, pace=s.lately) for s in seen]


def _options(process: Process, start: Start, some: Sequence[Seen]) -> list[_Option]:
    """The explanations of a known process that are considered, each with its weight."""
    options = [_same(process, start, some)]
    falls = any(_fell(s) for s in some)
    present = [s for s in some if s.value is not None]
    gone = [s for s in some if s.value is None and s.last is not None and not s.absent]
    others = not any(s.last is not None for s in present)
    moved = start not in (Start.NONE, Start.SAME)
    away = any(s.value is None and s.absent for s in some)
    if falls or moved or process.down or (others and (gone or away)):
        options.append(_new(process, start, some))
    if falls and any(s.value and _fell(s) for s in some):
        options.append(_part_left(process, start, some))
    if others and gone and not any(s.absent for s in present):
        options += _renamed(start, some, gone)
    if not process.down and (start in _ELSEWHERE or process.troubled):
        options.append(_other(process, start, some))
    return options


def _merged(
    verdicts: list[Verdict | None], places: Sequence[int], found: Sequence[Verdict | None]
) -> list[Verdict | None]:
    for i, verdict in zip(places, found, strict=True):
        verdicts[i] = verdict
    return verdicts


def _by_created(process: Process, s: Seen) -> Verdict | None:
    """What a series' own created timestamp says; None where it has none."""
    if s.value is None or s.created is None:
        return None
    if s.last is None:
        if s.created > process.look + CLOCKS_APART:
            return None  # Its clock is ahead, so this proves nothing.
        return _CREATED_BIRTH if s.created > process.before - START_JITTER else _CREATED_BEFORE
    # Against what the source itself said before, not against our clock: theirs may be ahead.
    if s.was_created is None or s.created < s.was_created - START_JITTER:
        return None
    if s.created > s.was_created + START_JITTER:
        return _CREATED_RESET
    if s.value >= s.last:
        return GOES_ON
    return _BEHIND if _is_behind(s) else _LOST_PART


def _fell(s: Seen) -> bool:
    """Whether it is under its last value by more than a replica or rounding makes."""
    return s.value is not None and s.last is not None and s.value < s.last and not _is_behind(s)


# --- the explanations ----------------------------------------------------------------------------


def _same(process: Process, start: Start, seen: Sequence[Seen]) -> _Option:
    score = OF_SAME[start]
    if start not in (Start.NONE, Start.SAME):
        score += _BELIEF * process.belief
        if any(_fell(s) or _is_under(s) for s in seen):
            score += _FALL_AND_MOVE
        elif process.missed and start is Start.INSIDE:
            score += _LN["gap_and_move"]
    score += _went_on(process, start)
    added, of_new = _of_new_series(process, seen)
    began = False
    anew: list[Seen] = []
    gained: list[tuple[int, float, float | None]] = []
    verdicts: list[Verdict | None] = []
    for s in seen:
        if s.value is None:
            verdicts.append(None)
        elif s.last is None:
            verdicts.append(of_new)
        else:
            best, verdict = max(_of_series(s, began), key=lambda option: option[0])
            verdicts.append(verdict)
            # What fell together began anew together: one of several processes on the page.
            began = began or verdict is _OWN_RESET
            if verdict is GOES_ON:
                gained.append((s.role, s.value - s.last, expected_of(s, s.idle)))
                continue
            score += best
            if verdict.kind is Kind.RESET:
                anew.append(s)
                score -= fit(s.value, expected_of(s, s.idle), s.idle)
    score += of_life(anew, max((s.idle for s in anew), default=0.0))
    score += _of_gone(process, start, seen, anew=bool(anew))
    score += together(gained, process.look - process.before)
    return score + added, SAME, verdicts


def _of_gone(process: Process, start: Start, seen: Sequence[Seen], *, anew: bool) -> float:
    """How likely a process that goes on lost series just now, when others begin anew."""
    gone = _gone(seen)
    if start not in (Start.NONE, Start.SAME):
        back = sum(s.value is not None and s.absent for s in seen)
        return _LN["gone_and_moved"] * gone + _LN["back_and_moved"] * back
    others = not any(s.last is not None for s in seen if s.value is not None)
    return _LN["gone_too"] * gone if anew or (others and not process.other_form) else 0.0


def _of_new_series(process: Process, seen: Sequence[Seen]) -> tuple[float, Verdict]:
    """Whether the new series of a process that goes on were born, or a collector brought them all:
    they have one age then."""
    new = [s for s in seen if s.last is None and s.value is not None]
    if not new:
        return 0.0, _BORN
    known = [s for s in seen if s.last is not None and s.value is not None and s.pace is not None]
    gained = sum(max(0.0, (s.value or 0.0) - (s.last or 0.0)) for s in known)
    traffic = max(gained, sum(expected_of(s, s.idle) or 0.0 for s in known))
    if traffic or process.incomplete:
        values = [s.value or 0.0 for s in new]
        born = _LN["born"] + among(values, inf if process.incomplete else traffic)
        late = _LN["found_series"] + AGE + among(values, inf)
    else:
        born = _LN["born"] + (len(new) - 1) * _LN["another"]
        # Their pace is that of their siblings.
        first = [(s.role, s.value or 0.0, expected_of(s, s.idle)) for s in new]
        born += together(first, process.look - process.before, OF_SIBLINGS)
        late = _LN["found_series"] + of_age(new, own=not process.passed_on)
    return max((born, _BORN), (late, FOUND_LATE), key=lambda option: option[0])


def _of_series(s: Seen, began: bool = False) -> list[tuple[float, Verdict]]:
    """The explanations of one known series of a process that goes on, each with its weight;
    `began`: another one began anew in this look."""
    assert s.value is not None  # the look showed it
    assert s.last is not None  # it is known
    reset = fit(s.value, expected_of(s, s.idle), s.idle)
    out = []
    if s.value >= s.last:
        out.append((fit(s.value - s.last, expected_of(s, s.idle), s.idle), GOES_ON))
        if s.absent:
            # Under the weight of a fall: most that return had only been away.
            out.append((_LN["own_reset"] + reset, _RETURNED))
        return out
    if _is_behind(s):
        out.append((_LN["behind"] - log(10.0), _BEHIND))
    if s.absent:
        out.append((_LN["returned"] + reset, _RETURNED))
    else:
        out.append((_LN["with_it" if began else "own_reset"] + reset, _OWN_RESET))
    return out


def _gone(seen: Sequence[Seen]) -> int:
    """How many of its series this very look shows no more."""
    return sum(s.value is None and not s.absent for s in seen)


def _is_under(s: Seen) -> bool:
    """Whether it is under its last value by more than rounding makes, however fast it counts."""
    return s.value is not None and s.last is not None and s.last - s.value > max(2.0, s.last / 1e5)


def _is_behind(s: Seen) -> bool:
    """Whether a fall is so small that a replica or rounding makes it."""
    assert s.value is not None  # the look showed it
    assert s.last is not None  # it is known, and fell
    # A replica is up to two looks behind, in which chance makes more; of a restart less is left.
    two = 2.0 * (s.pace or 0.0) * s.idle
    look = min(two + 2.0 * sqrt(two), s.last / 4.0)
    bound = max(look, s.last / (1e5 if s.pace is None else 1e6), 2.0 if s.last >= 10.0 else 0.0)
    return s.last - s.value <= bound and s.value > 0


def _new(process: Process, start: Start, seen: Sequence[Seen]) -> _Option:
    score = OF_NEW[start]
    away = all(s.absent for s in seen if s.last is not None)
    # A start that is an exporter's says as little as none.
    none = start is Start.NONE or (start is Start.SAME and process.belief > 0)
    if (process.down and start is not Start.SAME) or (away and none):
        score = log(0.5)
    elif start is Start.SAME and process.belief > 0:
        score += _BELIEF * process.belief
    evidence = {
        Start.NONE: "all_fell",
        Start.SAME: "all_fell",
        Start.INSIDE: "process_start",
        Start.RECENT: "process_start",
        Start.PAST: "process_start_elsewhere",
        Start.FUTURE: "process_start_elsewhere",
        Start.BACK: "process_start_elsewhere",
    }[start]
    if process.down:
        evidence = "nobody_listened_before"
    seconds = max(0.0, process.look - process.before)
    if start is Start.INSIDE and process.start is not None:
        # One with a fraction of a second is exact; whole seconds are rounded, or computed anew.
        jitter = _EXACT if process.start % 1.0 else START_JITTER
        seconds = min(seconds, max(0.0, process.look - process.start) + jitter)
    elif start is Start.RECENT and process.start is not None:
        seconds = process.look - process.start
    verdicts: list[Verdict | None] = [
        None if s.value is None else Verdict(Kind.BIRTH if s.last is None else Kind.RESET, evidence)
        for s in seen
    ]
    spread = OF_SIBLINGS if process.hardly_known else SPREAD
    return score + of_life([s for s in seen if s.value is not None], seconds, spread), NEW, verdicts


def _went_on(process: Process, start: Start) -> float:
    """Nobody listened, so what answers now began after that; unless it was a proxy's address, or an
    exporter was away while it restarted."""
    if not process.down or start is Start.SAME:
        return 0.0
    return _LN["proxy" if start is Start.NONE else "exporter_away"]


def _part_left(process: Process, start: Start, seen: Sequence[Seen]) -> _Option:
    score = OF_SAME[start] + (_FALL_AND_MOVE if start not in (Start.NONE, Start.SAME) else 0.0)
    fallen = [(s.last or 0.0, s.value or 0.0) for s in seen if _fell(s)]
    largest, left = max(fallen)
    share = left / largest
    little = share < _LITTLE_LEFT
    score += _LN["little_left" if little else "part_left"] + _went_on(process, start)
    if any((s.last or 0.0) > largest for s in seen if s.value is not None and not _fell(s)):
        score += _LN["not_of_most"]
    if process.down:
        score += _LN["down_and_left"]
    if all(s.absent for s in seen if _fell(s)):
        score += _LN["away_and_left"]
    score += _LN["gone_too"] * _gone(seen)
    added, of_new = _of_new_series(process, seen)
    score += added
    verdicts: list[Verdict | None] = []
    for s in seen:
        if s.value is None:
            verdicts.append(None)
        elif s.last is None:
            verdicts.append(of_new)
        elif _fell(s):
            # Any share may be left of the largest, and then about the same of the others.
            last, anything = s.last or 0.0, -log((s.last or 0.0) + 10.0)
            if last < largest:
                alike = fit(s.value, last * share, s.idle)
                anything = max(anything + _LN["unlike"], alike)
            score += anything
            verdicts.append(_LOST_PART)
        else:
            best, verdict = max(_of_series(s), key=lambda option: option[0])
            score += best
            # What fell a little lost its part as well: nothing of that comes back.
            verdicts.append(_LOST_PART if s.value < s.last else verdict)
    return score, PART_LEFT, verdicts


def _renamed(start: Start, seen: Sequence[Seen], gone: Sequence[Seen]) -> list[_Option]:
    """Each new series with its twin among those that went: of the same role, not above it, the most
    alike by its labels; none where a role of traffic is left without a twin."""
    left = Twins(gone, [s for s in seen if s.value is not None])
    score = _LN["renamed"] + OF_SAME[start]
    verdicts: list[Verdict | None] = [None] * len(seen)
    order = sorted(
        (i for i, s in enumerate(seen) if s.value is not None),
        key=lambda i: seen[i].value or 0.0,
        reverse=True,
    )
    twins = 0
    for i in order:
        s = seen[i]
        assert s.value is not None  # it is in the order
        twin = left.take(s)
        if twin is None:
            score += _LN["born"] + fit(s.value, expected_of(s, s.idle), s.idle)
            verdicts[i] = _BORN
            continue
        twins += 1
        amount = s.value - (twin.last or 0.0)
        score += fit(amount, expected_of(twin, twin.idle), twin.idle)
        verdicts[i] = Verdict(Kind.INCREASE, "renamed", twin.key)
    return [(score, RENAMED, verdicts)] if twins else []


def _other(process: Process, start: Start, seen: Sequence[Seen]) -> _Option:
    age = process.look - process.start if process.start is not None else None
    score = _LN["other" if start in _ELSEWHERE else "other_by_falls"]
    if not any(s.value is not None and s.last is not None and s.value < s.last for s in seen):
        score += _LN["all_above"]
    verdicts: list[Verdict | None] = []
    for s in seen:
        if s.value is None:
            verdicts.append(None)
        else:
            old = expected_of(s, age) if age is not None and age > 0 else None
            score += fit(s.value, old, LONG_AGO)
            verdicts.append(_OF_ANOTHER)
    return score, OTHER, verdicts


def _born(process: Process, seen: Sequence[Seen]) -> _Option:
    """The first series of a process that was looked at before and had none."""
    verdict = Verdict(Kind.BIRTH, "nobody_listened_before") if process.down else _BORN
    present = [s for s in seen if s.value is not None]
    prior = _LN["born" if process.passed_on and not process.down else "first"]
    seconds = max((s.idle for s in present), default=0.0)
    score = prior + of_life(present, seconds, OF_SIBLINGS)
    return score, SAME, [None if s.value is None else verdict for s in seen]


def _found(process: Process, start: Start, seen: Sequence[Seen]) -> _Option:
    present = [s for s in seen if s.value is not None]
    score = _LN["found_passed_on" if process.passed_on else "found_process"]
    score += of_age(present, own=not process.passed_on)
    if process.down:
        score += _LN["found_series"]
    if start is Start.INSIDE:
        score += OF_SAME[start]
    return score, FOUND, [None if s.value is None else FOUND_LATE for s in seen]


def _believe(process: Process, name: str, start: Start, seen: Sequence[Seen]) -> int:
    """How much the page's start time is another process', after this look."""
    belief = process.belief
    if start not in (Start.NONE, Start.SAME) and process.was_start is not None:
        # Where nothing was counted before, to begin anew and to go on look the same.
        if name is SAME and any(s.last for s in seen):
            belief += 1
        elif name is NEW:
            belief -= 1
    elif start is Start.SAME and name is NEW:
        belief += 1
    return max(-MOST_BELIEF, min(MOST_BELIEF, belief))


def goes_on_in(gained: float, total: float, pace: float | None, seconds: float) -> bool:
    """Whether a histogram that shows its other form goes on, rather than that this form began at
    another time. `gained`: over the newest count of the other form, which had that pace."""
    expected = None if pace is None else pace * seconds
    late = _LN["found_series"] + AGE + fit(total, None, LONG_AGO)
    return fit(gained, expected, seconds) >= late


# --- a process that is met for the first time ----------------------------------------------------


def meet(process: Process, seen: Sequence[Seen], earliest: float) -> list[Verdict]:
    """A process that was never looked at before: baselines, unless it began after `earliest`, the
    moment from which on it would have been seen; infinity where nothing can have begun."""
    began = process.start is not None and earliest < process.start <= process.look + CLOCKS_APART
    verdicts: list[Verdict] = []
    started = [s for s in seen if s.created is None]
    if began and any(s.pace for s in started):
        # A start time that is an exporter's would bring the whole past of what it measures. Where
        # siblings have no traffic, they tell nothing of it.
        seconds = min(process.look - earliest, process.look - (process.start or 0.0) + START_JITTER)
        born = OF_NEW[Start.INSIDE] + of_life(started, max(0.0, seconds), OF_SIBLINGS)
        other = _found(replace(process, passed_on=True), Start.INSIDE, started)[0]
        began = born >= other
    for s in seen:
        if s.created is not None:
            born_now = earliest < s.created <= process.look + CLOCKS_APART
            verdicts.append(_CREATED_BIRTH if born_now else _CREATED_BEFORE)
        elif began:
            verdicts.append(Verdict(Kind.BIRTH, "process_start"))
        else:
            verdicts.append(FIRST_LOOK)
    return verdicts
