from __future__ import annotations

import math
import struct

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.web.exposition import Family, labels, numbers, write_openmetrics, write_text


def test_both_formats_share_the_sample_lines_and_differ_in_the_headers() -> None:
    families = [
        Family.of("jobs", "counter", "Jobs.", [('_total{q="a"}', 3.0)]),
        Family.of("depth", "gauge", "Depth.", [("", 0.5)]),
    ]
    assert write_text(families) == (
        b'# HELP jobs_total Jobs.\n# TYPE jobs_total counter\njobs_total{q="a"} 3\n'
        b"# HELP depth Depth.\n# TYPE depth gauge\ndepth 0.5\n"
    )
    assert write_openmetrics(families) == (
        b'# HELP jobs Jobs.\n# TYPE jobs counter\njobs_total{q="a"} 3\n'
        b"# HELP depth Depth.\n# TYPE depth gauge\ndepth 0.5\n# EOF\n"
    )


def test_help_is_escaped_as_each_format_wants_it() -> None:
    family = Family("a", "gauge", 'say "\\hi"\nthere')
    assert write_text([family]).startswith(b'# HELP a say "\\\\hi"\\nthere\n')
    assert write_openmetrics([family]).startswith(b'# HELP a say \\"\\\\hi\\"\\nthere\n')


def test_a_family_of_unknown_type_is_untyped_in_the_text_format() -> None:
    family = Family.of("a", "unknown", "x", [("", 1.0)])
    assert b"# TYPE a untyped\n" in write_text([family])
    assert b"# TYPE a unknown\n" in write_openmetrics([family])


def test_zeros_can_be_hidden_from_the_text_format_alone() -> None:
    samples = [('_total{s="a"}', 0.0), ('_total{s="b"}', 1.0)]
    family = Family.of("n", "counter", "x", samples)
    family.text_hides_zeros = True
    assert b'{s="a"}' not in write_text([family]) and b'{s="b"} 1' in write_text([family])
    assert b'{s="a"} 0' in write_openmetrics([family])


def test_numbers_are_the_shortest_and_integers_have_no_exponent() -> None:
    values = [0.0, 1.0, 10.0, 0.1, 2_592_000.0, 1e15, 2.0**53, 1e16, 1e20, 1 / 3, -5.0]
    assert numbers(values) == [
        *("0", "1", "10", "0.1", "2592000", "1000000000000000", "9007199254740992"),
        *("10000000000000000", "100000000000000000000", "0.3333333333333333", "-5"),
    ]


def test_infinities_and_nan_are_spelled_as_prometheus_reads_them() -> None:
    assert numbers([math.inf, -math.inf, math.nan, 1.5]) == ["+Inf", "-Inf", "NaN", "1.5"]
    assert numbers([]) == []


@given(st.lists(st.floats()))
def test_every_float_reads_back_as_itself(values: list[float]) -> None:
    back = [float(text) for text in numbers(values)]
    assert len(back) == len(values)
    for one, other in zip(back, values, strict=True):
        both_nan = math.isnan(one) and math.isnan(other)
        assert both_nan or struct.pack("d", one) == struct.pack("d", other) or one == other == 0


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(), min_size=1))
def test_any_label_value_survives_both_formats(values: dict[str, str]) -> None:
    # The readers split pages into lines by Python's idea of one; the formats know only \n.
    clean = {
        k: "".join(c for c in v if c == "\n" or (c.isprintable() and ord(c) < 0xD800))
        for k, v in values.items()
    }
    families = [Family.of("a", "gauge", "x", [(labels(clean), 1.0)])]
    (text,) = parse_text(write_text(families).decode())
    (openmetrics,) = parse_openmetrics(write_openmetrics(families).decode())  # type: ignore[no-untyped-call]
    assert text.samples[0].labels == clean
    assert openmetrics.samples[0].labels == clean
