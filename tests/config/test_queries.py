"""Queries of an SLI: what `check` says of them, and what the daemon makes of a faulty one."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.backtest.choice import chosen
from exporter.config.lint import lint
from exporter.config.load import Config, load, parse
from exporter.config.reload import reload
from exporter.core.query_sli import QuerySLI, Scale
from exporter.errors import ConfigError

SOURCE = '[source.s]\ntype = "prometheus"\nurl = "http://p:9090"\n'
RECEIVER = '[receiver.am]\ntype = "alertmanager"\nurl = "http://am:9093"\n'
SOUND = "[slo.sound]\nobjective = 99\nsli = { bad = 'a{b=\"c\"}', total = 'a' }\n"


def config(sli: str) -> Config:
    return parse(f"{SOURCE}{RECEIVER}{SOUND}[slo.q]\nobjective = 99\nsli = {{ {sli} }}\n", "c.toml")


def findings(sli: str) -> list[str]:
    found = [f for f in lint(config(sli)) if "less exact" not in f.message]
    return [f"{f.level} {f.key.removeprefix('slo.q.sli')}: {f.message}" for f in found]


def scales(sli: str) -> dict[str, Scale]:
    query = config(sli).slos[1].sli
    assert isinstance(query, QuerySLI)
    return dict(query.scales)


GOOD = "sum(increase(good[{{.window}}]))"
ALL = "sum(rate(all[{{.window}}]))"
VM = "sum(increase_pure(x[{{.window}}]))"
TELL = "what it counts cannot be told: "


@pytest.mark.parametrize(
    ("sli", "by_role"),
    [
        (
            f"good_query = '{GOOD}', total_query = '{ALL}'",
            {"good": Scale("events"), "total": Scale("rate")},
        ),
        (
            "bad_query = 'x:increase5m', total_query = 'y:increase5m'",
            {"bad": Scale("events", 300), "total": Scale("events", 300)},
        ),
        # The file's word outranks a name, and stands for what cannot be told.
        (
            "bad_query = 'x:rate5m', total_query = 'count(y)', unit = 'events'",
            {"bad": Scale("events"), "total": Scale("events")},
        ),
        (
            f"bad_query = 'x', total_query = '{ALL}', unit = 'events'",
            {"bad": Scale("events"), "total": Scale("rate")},
        ),
        (
            "bad_query = 'x:increase5m', total_query = 'y', unit = 'events'",
            {"bad": Scale("events", 300), "total": Scale("events")},
        ),
        (
            "good_query = 'x:ratio', total_query = '1'",
            dict.fromkeys(("good", "total"), Scale("ratio")),
        ),
        ("error_ratio_query = '1 - avg(up)'", {"error_ratio": Scale("ratio")}),
        ("error_ratio_query = 'x_total', unit = 'ratio'", {"error_ratio": Scale("ratio")}),
        ("error_ratio_query = 'job:errors:rate5m'", {"error_ratio": Scale("ratio")}),
    ],
)
def test_a_unit_is_of_the_query_or_else_of_the_file(sli: str, by_role: dict[str, Scale]) -> None:
    assert findings(sli) == [] and scales(sli) == by_role


@pytest.mark.parametrize(
    ("sli", "finding"),
    [
        (
            f"bad_query = 'sum(rate(x[5m])', total_query = '{ALL}'",
            ".bad_query: cannot read the query: unclosed left parenthesis",
        ),
        (
            f"bad_query = 'raet(x[5m])', total_query = '{ALL}'",
            ".bad_query: cannot read the query: unknown function with name 'raet'; did you mean 'r",
        ),
        (
            f"bad_query = '{VM}', total_query = '{ALL}'",
            ".bad_query: cannot read the query: unknown function with name 'increase_pure'; did",
        ),
        (
            f"bad_query = 'rate(x[$__rate_interval])', total_query = '{ALL}', unit = 'rate'",
            ".bad_query: cannot read the query: unexpected character inside brackets: '$'; Grafana",
        ),
        (
            f"bad_query = 'rate(x[{{{{window}}}}])', total_query = '{ALL}'",
            ".bad_query: cannot read the query: unexpected character inside brackets: '{'; the",
        ),
        # Whatever the server's dialect is.
        (
            f"bad_query = 'sum(rate(x[5m])', total_query = '{ALL}', unit = 'rate'",
            ".bad_query: cannot read the query: unclosed left parenthesis",
        ),
        (
            f"bad_query = 'rate(x{{a=\"b}}[5m])', total_query = '{ALL}', unit = 'rate'",
            ".bad_query: cannot read the query: ",
        ),
        (
            f"bad_query = 'x[5m]', total_query = '{ALL}', unit = 'rate'",
            ".bad_query: gives a range of samples",
        ),
        (
            f"bad_query = 'sum(x_total)', total_query = '{ALL}'",
            ".bad_query: x_total is a counter, all since its process began; write increase(x_total",
        ),
        (
            f"bad_query = 'x', total_query = '{ALL}'",
            f'.bad_query: {TELL}x is a metric without a function; give unit = "events" (',
        ),
        (
            f"bad_query = '5', total_query = '{ALL}'",
            f".bad_query: {TELL}it has no function; give unit",
        ),
        (
            f"bad_query = 'idelta(x[5m])', total_query = '{ALL}'",
            f".bad_query: {TELL}idelta() gives no count; give unit",
        ),
        (
            f"bad_query = 'x:ratio_rate5m', total_query = '{ALL}'",
            ".bad_query: gives a ratio, and total_query events per second; give events in both, or",
        ),
        (
            f"bad_query = '{GOOD}', total_query = '1'",
            ".total_query: gives a ratio, and bad_query events; give events in both",
        ),
        (
            f"bad_query = '{GOOD}', total_query = '{ALL}', unit = 'ratio'",
            ".unit: is 'ratio', but bad_query gives events and total_query gives events per second",
        ),
        (
            "error_ratio_query = '100 * rate(a[5m]) / rate(b[5m])'",
            ".error_ratio_query: gives percent; leave out the 100",
        ),
        (f"error_ratio_query = '{ALL}'", ".error_ratio_query: gives events per second, no ratio"),
        ("error_ratio_query = 'x_total'", ".error_ratio_query: x_total is a counter, all since"),
        (
            "error_ratio_query = 'x', unit = 'rate'",
            ".unit: is 'rate', but error_ratio_query is a ratio",
        ),
    ],
)
def test_a_query_that_cannot_be_counted_is_an_error_of_its_key(sli: str, finding: str) -> None:
    [first, *_] = [f for f in findings(sli) if f.startswith("error")]
    assert first.startswith(f"error {finding}")
    sound, faulty = config(sli).slos
    assert sound.fault == "" and faulty.fault == first.removeprefix("error ").join(
        ("slo.q.sli", "")
    )


@pytest.mark.parametrize("query", [VM, "sum(increase(x)) limit 5", "rate(x[5i])"])
def test_a_dialect_is_vouched_for_by_the_unit(query: str) -> None:
    sli = f"bad_query = '{query}', total_query = '{ALL}', unit = 'events'"
    [only] = [f for f in findings(sli) if "has no {{.window}}" not in f]
    assert only.startswith("warning .bad_query: is not PromQL as slod knows it (")
    assert scales(sli) == {"bad": Scale("events"), "total": Scale("rate")}


BROKEN = "[slo.q]\nobjective = 99\nsli = { error_ratio_query = 'sum(' }\n"


def test_a_reload_keeps_what_counts_today(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    whole = BROKEN.replace("sum(", "x")
    file.write_text(SOURCE + SOUND + whole)
    running = load(file)
    file.write_text(SOURCE + SOUND + BROKEN)
    with pytest.raises(ConfigError, match=r"slo\.q\.sli\.error_ratio_query: cannot read the query"):
        reload(running)
    # One that was broken at the start holds up nobody.
    started = load(file)
    file.write_text(SOURCE + SOUND.replace("99", "98") + BROKEN)
    assert reload(started).slos[0].objective == 0.98
    file.write_text(SOURCE + SOUND + whole)
    assert not any(slo.fault for slo in reload(started).slos)


def test_a_reload_of_the_same_text_reads_nothing_anew(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(SOURCE + SOUND)
    running = load(file)
    assert reload(running) is running
    file.write_text(SOURCE + SOUND + "# a note\n")
    again = reload(running)
    assert again is not running and again.keys.document == running.keys.document


def test_a_backtest_replays_no_faulty_query() -> None:
    faulty = config("error_ratio_query = 'sum('")
    with pytest.raises(ConfigError, match="cannot read the query"):
        chosen(faulty, None, [])
    assert [slo.name for slo in chosen(faulty, None, ["sound"])] == ["sound"]


def test_every_example_of_the_page_about_queries_is_sound() -> None:
    text = (Path(__file__).parents[2] / "docs/queries.md").read_text("utf-8")
    examples = [line for line in text.splitlines() if line.startswith("sli = {")]
    assert len(examples) == 2
    for example in examples:
        loaded = parse(f"{SOURCE}{RECEIVER}[slo.q]\nobjective = 99\n{example}\n", "c.toml")
        assert [f.message.partition(":")[0] for f in lint(loaded)] == [
            "queries are less exact than selectors"
        ]
