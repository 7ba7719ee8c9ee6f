"""When alerts fired, of an SLO with many groups."""

from __future__ import annotations

from exporter.core.history import History
from exporter.core.instance import Instance
from exporter.series.spans import Fired, Firing
from tests.core.builders import T, slo
from tests.support import instructions


def fired(groups: int) -> Fired:
    """One alert for each region, which fired for a minute."""
    out = Fired()
    labels = [{"slo": "s", "region": f"r{n}", "severity": "page"} for n in range(groups)]
    out.take(Firing(one, [(T, T + 60.0)]) for one in labels)
    return out


def asked(groups: int) -> int:
    """Every region asks for its own; how many instructions that takes."""
    found = fired(groups)
    past = History(Instance(slo(), {}, 10.0))
    reads = [found.where("s", {"region": f"r{n}", "severity": "page"}) for n in range(groups)]

    def work() -> None:
        for read in reads:
            assert read(past, [T - 1, T, T + 60]) == [0.0, 1.0, 0.0]

    return instructions(work)


def test_each_of_many_groups_finds_its_alerts_as_fast_as_each_of_few() -> None:
    assert asked(100) / 100 <= 1.1 * asked(20) / 20


def test_only_an_alert_of_the_slo_with_these_labels_counts_and_others_may_take_its_place() -> None:
    found, past = fired(2), History(Instance(slo(), {}, 10.0))
    all_of_it, other = found.where("s", {"severity": "page"}), found.where("t", {})
    assert (all_of_it(past, [T]), other(past, [T])) == ([1.0], [0.0])
    found.take([Firing({"slo": "t"}, [(T, T + 1.0)])])
    assert (all_of_it(past, [T]), other(past, [T])) == ([0.0], [1.0])
