"""Text of others on terminals, in logs, on pages: no character steers what shows it."""

from __future__ import annotations

import ast
import io
import json
import unicodedata
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from exporter import log
from exporter.charts.page import document as report_document
from exporter.cli import output
from exporter.config.settings import Log
from exporter.page.shell import document as page_document
from exporter.printable import printable, printable_json, printable_tree

STEERING = [
    chr(code)
    for code in range(0x110000)
    if unicodedata.category(chr(code)) in ("Cc", "Zl", "Zp", "Cs")
    or unicodedata.bidirectional(chr(code)) in ("LRE", "RLE", "LRO", "RLO", "PDF")
    or unicodedata.bidirectional(chr(code)) in ("LRI", "RLI", "FSI", "PDI")
]
EVIL = "\x1b]0;title\x07\x1b[31mred\nFAKE\r\u009b2J\u202e\x7f\x00\udc9b"


@given(st.text())
def test_nothing_that_steers_is_left_and_all_else_is(text: str) -> None:
    out = printable(text)
    assert not set(out) & set(STEERING)
    assert printable(out) == out
    if not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") for c in text):
        assert out == text


def test_every_character_that_steers_has_an_escape() -> None:
    assert [c for c in STEERING if c in printable(f"a{c}b")] == []
    assert printable(EVIL).startswith(r"\x1b]0;title\x07\x1b[31mred\nFAKE\r\x9b2J\u202e\x7f\x00")
    assert printable("a\n\tb\x1b", keep="\n") == "a\n\\tb\\x1b"


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_means_the_same(value: object) -> None:
    text = printable_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(text) == value
    assert not set(text) & set(STEERING) - set("\n")
    assert not set(str(printable_tree(value))) & set(STEERING)


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_field_of_a_log_line_steers_or_tells_a_secret(form: str) -> None:
    stream = io.StringIO()
    secret = "http://user:HALF'S3CRET@h/x?token=S3CRET"
    try:
        log.configure(Log(level="debug", format=form), stream)  # type: ignore[arg-type]
        logger = structlog.get_logger()
        logger.info(EVIL, target=EVIL, **{EVIL: 1}, nested={EVIL: [EVIL, (secret,)]}, url=secret)
        try:
            raise ValueError(f"{EVIL} {secret}")
        except ValueError:
            logger.exception("failed", one=ValueError(EVIL))
    finally:
        structlog.reset_defaults()
    lines = stream.getvalue()
    assert not set(lines) & set(STEERING) - set("\n")
    assert "S3CRET" not in lines.replace("raise ValueError", "")
    assert "\nFAKE" not in lines and "h/x?token=..." in lines


def test_commands_write_nothing_that_steers(capsys: pytest.CaptureFixture[str]) -> None:
    output.say(EVIL)
    output.say_json({EVIL: EVIL})
    output.complain(EVIL)
    captured = capsys.readouterr()
    assert not set(captured.out + captured.err) & set(STEERING) - set("\n")
    assert captured.err.count("\n") == 1


def test_pages_and_reports_hold_nothing_that_steers() -> None:
    for text in (page_document(EVIL, "/", EVIL), report_document(EVIL, EVIL)):
        assert not set(text) & set(STEERING) - set("\n")


ROOT = Path(__file__).parent.parent / "exporter"


@pytest.mark.parametrize("path", sorted((ROOT / "cli").glob("*.py")), ids=lambda path: path.name)
def test_commands_write_by_one_way_only(path: Path) -> None:
    """A command that printed by itself could forget what a target may have written."""
    if path.name in ("output.py", "progress.py"):
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name != "print" and not name.endswith("stdout.write"), node.lineno
            assert not name.endswith("stderr.write"), node.lineno
