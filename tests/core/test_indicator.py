"""Queries in words: how their values count stands beside each."""

from __future__ import annotations

from exporter.core.indicator import describe
from exporter.core.query_sli import QuerySLI, Scale
from exporter.core.selector import Query
from tests.core.builders import show


def test_the_unit_of_each_query_is_said() -> None:
    scales = {"good": Scale("events", 300.0), "total": Scale("rate")}
    sli = QuerySLI(good=Query("g"), total=Query("t"), scales=scales)
    text = describe(sli, 15.0, show).text
    assert text.endswith(
        "asked once a window of 15s (two scrapes of the upstream, where that is longer): "
        "good g (events in 300s); total t (events per second)."
    )
    sli = QuerySLI(
        bad=Query("b"),
        total=Query("t"),
        scales={"bad": Scale("events"), "total": Scale("ratio")},
    )
    assert describe(sli, 15.0, show).text.endswith("bad b (events); total t (a ratio, by time).")
    plain = describe(QuerySLI(bad=Query("b"), total=Query("t")), 15.0, show).text
    assert plain.endswith("bad b; total t.")
