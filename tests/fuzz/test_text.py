from __future__ import annotations

from tests.fuzz.kit import corpus, fuzz
from tests.fuzz.pages import Readers

check = Readers("text/plain; version=0.0.4", corpus("text")).check


def test_text_pages() -> None:
    fuzz("text", check, 4000, seeds=corpus("openmetrics"))
