from __future__ import annotations

from tests.fuzz.kit import corpus, fuzz
from tests.fuzz.pages import Readers

readers = Readers("application/openmetrics-text; version=1.0.0", corpus("openmetrics"))


def check(body: bytes) -> None:
    readers.check(body)
    # Most changes cost a page its end; what stands before is to be read all the same.
    readers.check(body + b"\n# EOF\n")


def test_openmetrics_pages() -> None:
    fuzz("openmetrics", check, 2000, seeds=corpus("text"))
