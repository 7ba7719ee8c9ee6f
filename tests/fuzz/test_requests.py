"""What a request may say: parameters, headers and bodies, each read or refused in one line.

The first line is the address' query, the second one a header's value, the rest a body.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from unicodedata import category
from urllib.parse import parse_qsl

import msgspec
from yarl import URL

from exporter import headers
from exporter.config.exclusions import read_exclusion
from exporter.config.findings import Findings
from exporter.core.selector import parse_matchers
from exporter.printable import printable
from exporter.redaction import readable, redact
from exporter.web.history_api_span import read_span
from exporter.web.negotiate import accepts_gzip, wants_openmetrics
from exporter.web.prom_params import MOST_POINTS, Params, Wrong
from tests.fuzz.kit import fuzz

NOW = 1_700_000_000.0


def check(data: bytes) -> None:
    query, _, rest = data.decode("utf-8", "replace").partition("\n")
    header, _, body = rest.partition("\n")
    _parameters(parse_qsl(query, keep_blank_values=True))
    _headers({"X": header})
    _texts(header)
    with contextlib.suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        _body(msgspec.json.decode(body.encode()))


def _parameters(pairs: list[tuple[str, str]]) -> None:
    params = Params(pairs, {}, NOW, lambda: False)
    for read in (params.selectors, params.terms, params.limit):
        with contextlib.suppress(Wrong):
            read()
    with contextlib.suppress(Wrong):
        start, end, step = params.span()
        assert (end - start) // step <= MOST_POINTS
    try:
        span = read_span(dict(pairs), NOW, 3)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert len(span.moments()) == span.count


def _headers(given: Mapping[str, str]) -> None:
    value = given["X"]
    accepts_gzip(value)
    wants_openmetrics(value)
    said = dict.fromkeys(
        ("Retry-After", "Location", "Content-Type", "Content-Length", "Idempotency-Key"), value
    )
    pause = headers.retry_after(said, NOW)
    assert pause is None or 0 <= pause < 1e10
    headers.content_type(said)
    headers.is_delimited(said)
    headers.location(said, URL("http://example/"))
    headers.idempotency_key(said)


def _texts(text: str) -> None:
    for shown in (printable(redact(text)), printable(readable(text))):
        assert printable(shown) == shown
        assert not any(category(char) == "Cc" for char in shown)
    try:
        parse_matchers(text)
    except ValueError as error:
        assert "\n" not in str(error)


def _body(body: object) -> None:
    findings = Findings("body")
    plan = read_exclusion((), body, findings)
    assert (plan is None) == bool(findings.errors)
    for finding in findings.errors:
        assert "\n" not in str(finding)


def test_requests() -> None:
    fuzz("requests", check, 2000)
