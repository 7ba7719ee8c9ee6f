"""Why the numbers of an SLO, or of one of its targets, are not known: each as one line.

A *note* is about a target, and the SLO goes on with the others; a *fault* is about the SLO.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from exporter.core.events import Term
from exporter.core.numerals import number_text
from exporter.core.sample import Batch
from exporter.core.selector import Want
from exporter.core.slo import SLI, CounterSLI, HistogramSLI
from exporter.core.taken import Taken
from exporter.core.target_state import TargetState
from exporter.core.wrong_kind import shape_of, wrong_histogram, wrong_kind


def notes_of(
    sli: SLI,
    terms: Sequence[Term],
    batch: Batch,
    *,
    without: Collection[str],
    held: Mapping[str, int],
    shared: Iterable[str],
) -> Iterator[tuple[str, str]]:
    """Say of which targets of a batch nothing is known, and why; the last word on a target counts.

    Args:
        without: targets whose histogram has no bucket that ends at the threshold, though others do.
        held: targets that are held back, and the index of the term that has no series there.
        shared: targets where several processes answer.
    """
    if isinstance(sli, HistogramSLI):
        bound = number_text(sli.threshold)
        for target in without:
            yield (
                target,
                (
                    f"{sli.histogram.name} has no bucket that ends at {bound} there, so "
                    "its events are not known; take a threshold that is a bucket of all targets"
                ),
            )
    wrong = wrong_kind(sli, batch.types, "") if batch.types else {}
    for text in wrong.values():
        for target in batch.targets:
            yield target, text
    for target, index in held.items():
        yield (
            target,
            (
                f"{terms[index].want} had series there and has none, so nothing is known of "
                "its events; see whether the metric was renamed or dropped"
            ),
        )
    for target in shared:
        yield (
            target,
            (
                "several processes answer at this address in turn, so nothing of it counts; give "
                "each of them an address of its own"
            ),
        )


def total_is_nowhere(
    sli: SLI,
    terms: Sequence[Term],
    targets: Iterable[TargetState],
    there: Iterable[int],
) -> Want | None:
    """Find the selector of all events where no target ever had any, though others count: errors
    without a total would all be 100%.

    Args:
        there: the term of each series of a batch, by its index; only read while no total was met.
    """
    if not isinstance(sli, CounterSLI):
        return None
    for index, term in enumerate(terms):
        if term.role == "total" and not any(state.series[index] for state in targets):
            met = set(there)
            return term.want if met and index not in met else None
    return None


def nowhere_fault(want: Want) -> str:
    """Say that there is no total."""
    return (
        f"{want} matches nothing, so nothing is known of its events; see whether the "
        "metric has this name"
    )


def surplus_fault(derived: str) -> str:
    """Say that a part is none of its total, so that these events (`good`, `bad`) are unknown."""
    part = "good" if derived == "bad" else "bad"
    return (
        f"{part} counts more than total, so {derived} events cannot be told; "
        f"select as {part} only what total counts too"
    )


def judge_kind(sli: HistogramSLI, batch: Batch, taken: Taken) -> None:
    """Say what a metric is that is no histogram; of a count alone its bounds tell more."""
    shape = shape_of(sli, batch.readings)
    kind = batch.types.get(sli.histogram.name, "")
    if shape.plain or shape.ranges or kind not in ("", "histogram", "untyped", "unknown"):
        taken.fault = wrong_histogram(sli, batch.types, shape, "")
        taken.bucket_missing = taken.bucket_missing and taken.fault is None
