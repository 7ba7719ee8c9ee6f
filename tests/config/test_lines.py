from __future__ import annotations

from pathlib import Path as File

import pytest
import tomli

from exporter.config.lines import Path, key_lines

TEXT = '''\
# a comment = 1
title = "x # no comment"
[slo.checkout]   # the header
objective = 99
sli = { bad = 'a{b="}"}', total = "b" }
labels.team = "x"
note = """
[not.a.table]
key = 1
"""
raw = \'\'\'
[no]\'\'\'
[slo."my slo"]
'odd key' = 1979-05-27T07:32:00Z
"quot\\"ed" = 1
[alert_policy.p]
rules = [
  { severity = "page", long = "1h" }, # first
  # between
  { severity = "ticket",
  },
]
empty = []
none = {}
[[fruit]]
name = "a"
[fruit.more]
x = 1
[[fruit]]
name = "b"
[fruit.more]
x = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("slo",), 3),
        (("slo", "checkout"), 3),
        (("slo", "checkout", "objective"), 4),
        (("slo", "checkout", "sli", "total"), 5),
        (("slo", "checkout", "labels"), 6),
        (("slo", "checkout", "labels", "team"), 6),
        (("slo", "checkout", "note"), 7),
        (("slo", "checkout", "raw"), 11),
        (("slo", "my slo"), 13),
        (("slo", "my slo", "odd key"), 14),
        (("slo", "my slo", 'quot"ed'), 15),
        (("alert_policy", "p", "rules", 0, "long"), 18),
        (("alert_policy", "p", "rules", 1), 20),
        (("alert_policy", "p", "none"), 24),
        (("fruit", 0, "more", "x"), 28),
        (("fruit", 1, "name"), 30),
        (("fruit", 1, "more", "x"), 32),
    ],
)
def test_a_key_is_found_on_its_line(path: Path, line: int) -> None:
    assert key_lines(TEXT)[path] == line


def test_text_in_strings_and_comments_is_no_key() -> None:
    lines = key_lines(TEXT)
    assert not {("not",), ("no",), ("a comment",), ("slo", "checkout", "key")} & lines.keys()


def test_windows_line_ends_count_as_one() -> None:
    assert key_lines("a = 1\r\n\r\n[b]\r\nc = 2\r\n")[("b", "c")] == 4


def test_a_text_that_is_not_toml_gives_the_lines_up_to_there() -> None:
    assert key_lines("a = 1\n= 2\nb = 3\n") == {("a",): 1}


def test_every_key_of_the_example_configuration_has_a_line() -> None:
    text = (File(__file__).parents[2] / "config.toml").read_text("utf-8")
    lines = key_lines(text)

    def paths(value: object, path: Path) -> list[Path]:
        if not isinstance(value, dict):
            return [path]
        return [path, *(p for k, v in value.items() for p in paths(v, (*path, k)))]

    assert [p for p in paths(tomli.loads(text), ()) if p and p not in lines] == []
