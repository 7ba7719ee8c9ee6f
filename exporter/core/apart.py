"""Faults of one SLO stay in that SLO: a context around whatever is computed for it.

An exception that nobody foresaw becomes a `Failure` of its account, under the name of what was
computed (`ingest`, `tick`, `metrics` ...). Work that is done once a round takes its own failure
back when it succeeds. What readers compute (a row of a page, a line of an answer) may be done many
times a round, for each group say, so its failure is forgotten once it did not come again for
`LASTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import NamedTuple, Protocol, Self

LASTS = 120.0
"""Seconds that a reader's failure is shown after it was seen last: longer than scrapes and open
pages are apart."""

Tell = Callable[[str, str, Exception | None], None]
"""Called with the SLO's name, what was computed, and the exception; None when it works again."""


class Failure(NamedTuple):
    """An exception in one line. `at`: when a reader saw it, in unix seconds; None for work that
    takes its failure back itself."""

    text: str
    at: float | None


class Faulty(Protocol):
    """What keeps the failures of one SLO, by what was computed."""

    failures: dict[str, Failure]


class Apart:
    """A context manager: an exception inside is this SLO's failure and goes no further.

    `why` is afterwards the exception in one line, None without one. Exceptions of the types
    `passing` leave the context: they are no failure of the SLO.
    """

    __slots__ = ("_at", "_faulty", "_name", "_passing", "_tell", "_work", "why")

    def __init__(
        self,
        faulty: Faulty | None,
        name: str,
        work: str,
        tell: Tell,
        at: float | None = None,
        passing: tuple[type[Exception], ...] = (),
    ) -> None:
        self.why: str | None = None
        self._passing = passing
        self._faulty = faulty
        self._name = name
        self._work = work
        self._tell = tell
        self._at = at

    @property
    def failed(self) -> bool:
        """Whether there was an exception."""
        return self.why is not None

    def __enter__(self) -> Self:
        """Begin the work."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Contain the exception, if one came."""
        del kind, trace
        if error is None:
            if self._at is None and self._faulty is not None and self._faulty.failures:
                self.works()
            return False
        if not isinstance(error, Exception) or isinstance(error, self._passing):
            return False
        self.fail(error)
        return True

    def fail(self, error: Exception) -> None:
        """Note a failure that was caught elsewhere."""
        self.why = one_line(error)
        if self._faulty is not None:
            self._faulty.failures[self._work] = Failure(self.why, self._at)
        self._tell(self._name, self._work, error)

    def works(self) -> None:
        """Take back the failure before."""
        if self._faulty is not None and self._faulty.failures.pop(self._work, None) is not None:
            self._tell(self._name, self._work, None)


class Readers:
    """Contexts of what readers compute from one snapshot; see `Snapshot.apart`.

    Args:
        accounts: all SLOs by name.
        unknown: of the snapshot; the reason of a failure is added, for readers to show.
        tell: hears of each failure.
        now: the time of the snapshot, in unix seconds.
    """

    def __init__(
        self, accounts: Mapping[str, Faulty], unknown: dict[str, str], tell: Tell, now: float
    ) -> None:
        self._accounts = accounts
        self._unknown = unknown
        self._tell = tell
        self._now = now

    def __call__(self, name: str, work: str) -> Apart:
        """The context of one SLO's work."""
        return Apart(self._accounts.get(name), name, work, self._failed, self._now)

    def _failed(self, name: str, work: str, error: Exception | None) -> None:
        if error is not None:
            self._unknown[name] = f"it cannot be computed: {one_line(error)}"
        self._tell(name, work, error)


def expire(faulty: Faulty, name: str, tell: Tell, now: float) -> None:
    """Forget what readers saw long ago; a clock that was set back forgets it too."""
    for work, (_, at) in list(faulty.failures.items()):
        if at is not None and abs(now - at) > LASTS:
            Apart(faulty, name, work, tell).works()


def ignore(name: str, work: str, error: Exception | None) -> None:
    """Nobody is told; the failure is kept all the same."""
    del name, work, error


def one_line(error: BaseException) -> str:
    """Type and message of an exception in one line of at most 500 characters."""
    name = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a message that cannot be written is left out
        return name
    return f"{name}: {text[:500]}" if text else name
