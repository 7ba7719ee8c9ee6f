"""The TYPE of wanted metrics, as far as a page says one.

Prometheus' own names in lower case: `counter`, `gauge`, `histogram`, `gaugehistogram`, `summary`,
`untyped` (OpenMetrics' `unknown` too), `info`, `stateset`; and `vmrange` for a histogram whose
buckets VictoriaMetrics' client writes as ranges, which have no bounds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from exporter.sources.exposition.lines import written

_BUCKETED = frozenset({"histogram", "gaugehistogram", "summary"})
_OF_FAMILY: Mapping[str, frozenset[str]] = {
    "_total": frozenset({"counter"}),
    "_bucket": _BUCKETED,
    "_count": _BUCKETED,
    "_sum": _BUCKETED,
}
"""By suffix, the types of a family whose series have it; OpenMetrics' `foo` has `foo_total`."""
_UNTYPED = "untyped"
_BEFORE = 4096
"""Bytes before a family's first line that may hold its TYPE line: a HELP text stands between."""
_TYPE = re.compile(rb'#[ \t]+TYPE[ \t]+(?:[^ \t"]+|"(?:[^"\\]|\\.)*")[ \t]+([a-z]+)[ \t\r]*')


def types_of(base: str, names: Collection[str], declared: Mapping[str, str]) -> dict[str, str]:
    """The types of a family's wanted metrics, by their names.

    Args:
        base: the family's name, without a suffix.
        names: its wanted metrics.
        declared: types by the names that the page gives them to.
    """
    types: dict[str, str] = {}
    for name in _with_histogram(base, names):
        suffix = name.removeprefix(base)
        if name in declared:
            types[name] = declared[name]
        elif declared.get(base) in _OF_FAMILY.get(suffix, ()):
            types[name] = declared[base]
    return types


def text_types(
    base: str, names: Collection[str], body: bytes, begin: int, end: int
) -> dict[str, str]:
    """The same for a text page on which the family's lines lie between two places."""
    if end <= begin:
        return {}
    declared: dict[str, str] = {}
    for name in {*names, base}:
        found = _declared(name, body, max(0, begin - _BEFORE), end)
        if found is not None:
            declared[name] = _UNTYPED if found == "unknown" else found
    if base + "_bucket" in names:
        inferred = _inferred(written(base), declared.get(base, _UNTYPED), body, begin, end)
        if inferred is not None:
            return dict.fromkeys(_with_histogram(base, names), inferred)
    return types_of(base, names, declared)


def _with_histogram(base: str, names: Collection[str]) -> set[str]:
    """The wanted names of a family, with that of the histogram whose buckets are wanted."""
    return {*names, base} if base + "_bucket" in names else set(names)


def _declared(name: str, body: bytes, begin: int, end: int) -> str | None:
    """The type that a TYPE line gives to a name."""
    plain = written(name)
    for needle in (b"TYPE " + plain + b" ", b'TYPE "' + plain + b'" '):
        at = body.rfind(needle, begin, end)
        if at >= 0:
            stop = body.find(b"\n", at)
            line = body[body.rfind(b"\n", 0, at) + 1 : stop if stop >= 0 else len(body)]
            found = _TYPE.fullmatch(line)
            if found is not None:
                return found[1].decode()
    return None


def _inferred(base: bytes, declared: str, body: bytes, begin: int, end: int) -> str | None:
    """The type of what is wanted as a histogram and has no bucket with a bound."""
    bucket = body.rfind(base + b"_bucket", begin, end)
    if bucket >= 0:
        line = body[bucket : max(bucket, body.find(b"\n", bucket))]
        return "vmrange" if b'vmrange="' in line and b'le="' not in line else None
    # A summary without quantiles, of a client that writes no TYPE.
    counted = declared == _UNTYPED and body.rfind(base + b"_count", begin, end) >= 0
    return "summary" if counted else None
