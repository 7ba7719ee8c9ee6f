"""Every key of the configuration that takes a regular expression takes RE2's, and says so."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from exporter.config.load import Config, parse
from exporter.errors import ConfigError

SOURCE = '[source.s]\ntype = "prometheus"\nurl = "http://p:9090"\n'
SLO = "[slo.x]\nobjective = 99\nsli = "
PLAIN = SLO + "{ bad = 'b', total = 'a' }\n"


def selector(expression: str) -> str:
    """A selector by the expression, as a string of TOML."""
    return json.dumps(f"m{{a=~{json.dumps(expression)}}}")


def matchers(expression: str) -> str:
    """SLOs by the expression, as a string of TOML."""
    return json.dumps(f"{{service=~{json.dumps(expression)}}}")


PLACES: dict[str, Callable[[str], str]] = {
    "slo.x.sli.bad": lambda e: f"{SLO}{{ bad = {selector(e)}, total = 'm' }}",
    "slo.x.sli.good": lambda e: f"{SLO}{{ good = {selector(e)}, total = 'm' }}",
    "slo.x.sli.total": lambda e: f"{SLO}{{ bad = 'm', total = {selector(e)} }}",
    "slo.x.sli.histogram": lambda e: f"{SLO}{{ histogram = {selector(e)}, threshold = 1 }}",
    "slo.x.sli.good_if": lambda e: (
        f"{SLO}{{ histogram = 'm', threshold = 1, good_if = {json.dumps('a=~' + json.dumps(e))} }}"
    ),
    "slo.x.sli.gauge": lambda e: f"{SLO}{{ gauge = {selector(e)}, good = '> 1' }}",
    "exclusion.y.slos": lambda e: (
        f"{PLAIN}[exclusion.y]\nstart = 2026-01-01T00:00:00Z\nduration = '1h'\nreason = 'r'\n"
        f"slos = {matchers(e)}"
    ),
    "budget_policy.y.slos": lambda e: (
        f"{PLAIN}[budget_policy.y]\nsteps = [{{ below = 0.5, state = 'low' }}]\n"
        f"slos = {matchers(e)}"
    ),
    "events.y.selector": lambda e: (
        f"{PLAIN}[events.y]\nsource = 's'\nlabel = 'version'\nservice = 'x'\n"
        f"selector = {selector(e)}"
    ),
}
TAKEN = ["", "5..", "(a+)+b", "(x|x)*y", r"\p{Greek}+", "(?i)get", "[[:digit:]]+", r"\Qa.b\E", "a$"]
REFUSED = {
    "(?=a)b": "look-around is not supported; use a second matcher",
    r"(a)\1": "back references are not supported",
    "(?P=n)": "back references are not supported",
    "(?>a)": "write the plain repeat",
    "(": "missing )",
    "a{2000}": "a repeat count above 1000",
    r"\p{L}{900}": "use smaller repeat counts",
}


def read(place: str, expression: str) -> Config:
    return parse(SOURCE + PLACES[place](expression) + "\n", "c.toml")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("expression", TAKEN)
def test_what_re2_knows_is_taken(place: str, expression: str) -> None:
    read(place, expression)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("expression", REFUSED)
def test_what_it_does_not_know_is_one_error_of_that_key(place: str, expression: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(place, expression)
    [finding] = refused.value.findings
    assert f": {place}: " in finding
    assert "bad regular expression" in finding
    assert REFUSED[expression] in finding
    assert "\n" not in finding


@pytest.mark.parametrize("expression", [*TAKEN, *REFUSED])
def test_a_query_is_for_its_server_to_judge(expression: str) -> None:
    """It may be of a dialect that only the server reads, so it is taken as it stands."""
    query = f"avg({json.loads(selector(expression))})"
    config = parse(f"{SOURCE}{SLO}{{ error_ratio_query = {json.dumps(query)} }}\n", "c.toml")
    assert [str(want) for want in config.slos[0].sli.wants()] == [query]
