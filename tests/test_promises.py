"""The promises of docs/security.md and docs/faults.md each name a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("docs/security.md", "docs/faults.md")
_NAMED = re.compile(r"`(tests/[\w/.]+)(?:::(\w+))?`")
_HOLDS = re.compile(r"^##+ What holds it\n\n(?P<table>(?:\|.*\n)+)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_is_there(page: str) -> None:
    named = _NAMED.findall((ROOT / page).read_text("utf-8"))
    assert len(named) > 5
    for path, test in named:
        assert (ROOT / path).exists(), path
        if test:
            assert re.search(
                rf"^(?:async )?def {test}\(", (ROOT / path).read_text("utf-8"), re.M
            ), test


@pytest.mark.parametrize("page", PAGES)
def test_every_promise_names_its_test(page: str) -> None:
    table = _HOLDS.search((ROOT / page).read_text("utf-8"))
    assert table is not None
    rows = table["table"].splitlines()[2:]
    assert len(rows) > 5
    assert [row for row in rows if not _NAMED.search(row)] == []


@pytest.mark.parametrize("page", PAGES)
def test_what_is_not_promised_is_said(page: str) -> None:
    assert re.search(r"^##+ What slod does not", (ROOT / page).read_text("utf-8"), re.MULTILINE)
