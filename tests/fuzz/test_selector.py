from __future__ import annotations

from exporter.core.selector import parse_matchers, parse_selector
from tests.fuzz.kit import fuzz


def check(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        selector = parse_selector(text)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert parse_selector(str(selector)) == selector
        selector.name.encode()
        for matcher in selector.matchers:
            matcher.label.encode()
            assert matcher.matches("") in (True, False)
    try:
        parse_matchers(text)
    except ValueError as error:
        assert "\n" not in str(error)


def test_selectors() -> None:
    fuzz("selector", check, 20_000)


def test_escapes_are_those_of_go() -> None:
    (matcher,) = parse_selector(r'x{a="\xc3\xa9\u00e9\303\251\t\""}').matchers
    assert matcher.value == 'ééé\t"'
