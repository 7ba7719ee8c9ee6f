from __future__ import annotations

from tests.fuzz.kit import corpus, fuzz
from tests.fuzz.pages import Readers


def test_text_pages() -> None:
    readers = Readers("text/plain; version=0.0.4", corpus("text"))
    fuzz("text", readers.check, 4000, seeds=corpus("openmetrics"))
