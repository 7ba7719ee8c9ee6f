"""SLOs made of other SLOs, in the file."""

from __future__ import annotations

import pytest

from exporter.config.lint import lint
from exporter.config.load import parse
from exporter.core.slo import CompositeSLI
from exporter.errors import ConfigError

FILE = """
[source.fast]
type = "scrape"
targets = ["http://h:1/metrics"]
interval = "5s"
[source.slow]
type = "prometheus"
url = "http://h:9090"
interval = "30s"
[slo.all]
objective = 99
sli = {sli}
{more}
[slo.pay-errors]
objective = 99.9
source = "fast"
sli = {{ good = "a", total = "b" }}
[slo.pay-latency]
objective = 99
source = "slow"
sli = {{ histogram = "h", threshold = "500ms" }}
[slo.search]
objective = 99
source = "slow"
sli = {{ good = "c", total = "d" }}
"""


def composite(sli: str, more: str = "") -> CompositeSLI:
    config = parse(FILE.format(sli=sli, more=more), "f.toml")
    found = config.slos[0]
    assert found.name == "all"
    assert isinstance(found.sli, CompositeSLI)
    assert not [f for f in lint(config) if "source" in str(f)]
    return found.sli


def test_names_and_patterns_mean_slos_and_weights_say_what_their_events_weigh() -> None:
    assert composite('{ all = ["pay-*"] }').parts == (("pay-errors", 1.0), ("pay-latency", 1.0))
    sli = '{ all = ["search", "pay-*"], weights = { pay-errors = 5, "pay-*" = 2 } }'
    assert composite(sli).parts == (("search", 1.0), ("pay-errors", 5.0), ("pay-latency", 2.0))


def test_it_is_looked_at_as_often_as_its_slowest_source_is_polled() -> None:
    config = parse(FILE.format(sli='{ all = ["*"] }', more=""), "f.toml")
    assert [(slo.interval, slo.source) for slo in config.slos] == [
        (30.0, ""), (5.0, "fast"), (30.0, "slow"), (30.0, "slow"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sli", "more", "why"),
    [
        ('{ all = ["pya-*"] }', "", "slo.all.sli.all[0]: 'pya-*' means no SLO with an indicator"),
        ('{ all = ["all"] }', "", "'all' means no SLO with an indicator of its own"),
        ("{ all = [] }", "", "slo.all.sli.all: is empty"),
        ('{ all = ["*"], weights = { x = 1 } }', "", "slo.all.sli.weights.x: means none of its"),
        ('{ all = ["*"], weights = { search = 0 } }', "", "must be above 0, not 0"),
        ('{ all = ["*"], total = "x" }', "", "'total' cannot stand beside 'all'"),
        ('{ all = ["*"] }', 'source = "fast"', "an SLO made of others has no 'source'"),
        ('{ all = ["*"] }', 'group_by = ["a"]', "an SLO made of others has no 'group_by'"),
    ],
)
def test_what_cannot_be_meant_is_said(sli: str, more: str, why: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(FILE.format(sli=sli, more=more), "f.toml")
    assert why in str(error.value)


def test_a_faulty_part_is_its_own_fault() -> None:
    text = FILE.format(sli='{ all = ["*"] }', more="").replace('good = "c", ', "")
    with pytest.raises(ConfigError) as error:
        parse(text, "f.toml")
    [finding] = error.value.findings
    assert "slo.search.sli" in str(finding)
