"""Bounds and quantiles are numbers: each format and client spells them in its own way."""

from __future__ import annotations

from math import inf

import pytest

from exporter.sources.exposition import Page
from exporter.sources.exposition.labels import bound, parse_bound, spellings
from tests.sources.pages import NOW, OPENMETRICS, PROTOBUF, TEXT
from tests.sources.pages import reader as new_reader
from tests.wire import double, family, message, whole


def histogram(*bounds: float) -> bytes:
    buckets = [message(3, whole(1, i + 1), double(2, le)) for i, le in enumerate(bounds)]
    return family("h", 4, message(7, whole(1, 9), *buckets))


def keys(page: Page) -> list[str]:
    return [r.series.key for some in page.readings.values() for r in some]


@pytest.mark.parametrize(
    ("matcher", "matches"),
    [
        ('le="1"', True),
        ('le="1.0"', True),
        ('le="1e0"', True),
        ('le="1.000000"', True),
        ('le="10"', False),
        ('le=""', False),
        ('le!="1.0"', False),
        ('le!="2"', True),
        ('le!="x"', True),
        ('le=~"1|2"', True),
        ('le=~"1.0|2.0"', True),
        ('le!~"1.0|2.0"', False),
        ('le!~"2.*"', True),
    ],
)
@pytest.mark.parametrize("spelled", ["1", "1.0", "1.000000", "1e0"])
def test_a_bound_is_matched_by_its_value(matcher: str, spelled: str, *, matches: bool) -> None:
    page = new_reader(f"h_bucket{{{matcher}}}").read(
        f'h_bucket{{le="{spelled}"}} 5\n'.encode(), TEXT, NOW
    )
    assert keys(page) == (['h_bucket{le="1"}'] if matches else [])


def test_a_series_is_the_same_in_every_format() -> None:
    one = new_reader('h_bucket{le=~"1|1000000"}', "s")
    text = b'h_bucket{le="1"} 1\nh_bucket{le="1e+06"} 1\ns{quantile="0.5"} 1\n'
    openmetrics = b'h_bucket{le="1.0"} 1\nh_bucket{le="1e+06"} 1\ns{quantile="0.50"} 1\n# EOF\n'
    summary = family("s", 2, message(4, message(3, double(1, 0.5), double(2, 1.0))))
    pages = [
        one.read(text, TEXT, NOW),
        one.read(openmetrics, OPENMETRICS, NOW),
        one.read(histogram(1.0, 1e6) + summary, PROTOBUF, NOW),
    ]
    assert [keys(page) for page in pages] == [
        ['h_bucket{le="1"}', 'h_bucket{le="1e+06"}', 's{quantile="0.5"}']
    ] * 3


def test_a_bound_that_is_no_number_is_a_text_as_any_other() -> None:
    body = b'h_bucket{le="x"} 1\nh_bucket{le="1_0"} 2\nh_bucket{vmrange="1e-9...1e-8"} 3\n'
    assert keys(new_reader("h_bucket").read(body, TEXT, NOW)) == [
        'h_bucket{le="x"}',
        'h_bucket{le="1_0"}',
        'h_bucket{vmrange="1e-9...1e-8"}',
    ]
    assert keys(new_reader('h_bucket{le="10"}').read(body, TEXT, NOW)) == []
    assert keys(new_reader('h_bucket{le="x"}').read(body, TEXT, NOW)) == ['h_bucket{le="x"}']


def test_two_spellings_of_one_bound_on_a_page_are_one_series_twice() -> None:
    page = new_reader("h_bucket").read(b'h_bucket{le="1"} 1\nh_bucket{le="1.0"} 2\n', TEXT, NOW)
    assert (len(keys(page)), page.refused) == (1, {"duplicate_on_page": 1})


@pytest.mark.parametrize(
    ("text", "some"),
    [
        ("0.01", {"0.01"}),
        ("0.010000", {"0.01", "0.010000"}),
        ("1e-05", {"1e-05", "0.00001"}),
        ("1048576", {"1.048576e+06", "1048576.0", "1048576"}),
        ("2.5E7", {"2.5e+07", "25000000", "25000000.0"}),
        ("+Inf", {"+Inf"}),
        ("NaN", {"NaN"}),
        ("fast", {"fast"}),
    ],
)
def test_the_spellings_of_a_bound(text: str, some: set[str]) -> None:
    assert some <= set(spellings(text))
    value = parse_bound(text)
    if value is not None and abs(value) < inf:
        assert {parse_bound(form) for form in spellings(text)} == {value}
        assert bound(value) in spellings(text)
