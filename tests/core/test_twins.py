"""Series under new names: which of those that went each of them goes on from."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.core.twins import Twins
from exporter.core.verdicts import Seen, common
from tests.core.builders import told
from tests.core.conftest import Begin

LABELS = st.fixed_dictionaries(
    {"v": st.sampled_from("12"), "code": st.sampled_from(["200", "500"])},
    optional={"path": st.sampled_from("ab"), "pod": st.sampled_from("xyz")},
)
SERIES = st.tuples(st.integers(0, 1), LABELS, st.integers(0, 5))


def key(labels: dict[str, str]) -> str:
    return "m{" + ",".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"


@given(st.lists(SERIES, max_size=12), st.lists(SERIES, max_size=12))
def test_of_those_not_above_it_the_most_alike_and_none_twice(old: Any, new: Any) -> None:
    gone = [Seen(role, key(labels), None, float(n), None, 1.0) for role, labels, n in old]
    came = [Seen(role, key(labels), float(n), None, None, 1.0) for role, labels, n in new]
    twins, left = Twins(gone, came), list(gone)
    for one in came:
        fits = [o for o in left if o.role == one.role and (o.last or 0.0) <= (one.value or 0.0)]
        found = twins.take(one)
        assert (found is None) == (not fits)
        if found is not None:
            assert any(o is found for o in fits)
            assert common(found.key, one.key) == max(common(o.key, one.key) for o in fits)
            left = [o for o in left if o is not found]


def test_labels_that_change_each_in_its_own_way_are_told_by_the_others(begin: Begin) -> None:
    r = begin()

    def name(path: str, pod: str) -> str:
        return f'http_requests_total{{path="{path}",pod="{pod}",zone="z"}}'

    for k in range(8):
        r.poll(10.0 * k, {name("/a", "x"): 500.0 + 10 * k, name("/b", "y"): 1000.0 + 10 * k})
    # The pods have changed places, and one of them has a new name.
    taken = r.poll(80, {name("/a", "y"): 580.0, name("/b", "z"): 1080.0})
    assert told(taken) == {("increase", "renamed")} and r.counted == (160, 0)


def test_a_label_that_is_new_everywhere_changes_nothing_else(begin: Begin) -> None:
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, {f'http_requests_total{{code="20{n}"}}': 1e3 * n + k for n in range(1, 9)})
    later = {f'http_requests_total{{code="20{n}",zone="z"}}': 1e3 * n + 8 for n in range(1, 9)}
    taken = r.poll(80, later)
    assert told(taken) == {("increase", "renamed")} and r.counted == (64, 0)
