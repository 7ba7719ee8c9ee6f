"""No secret of an address is shown, whatever stands in it and around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.page.configuration import HIDDEN, shown
from exporter.redaction import readable, readable_value, redact

SECRET = "S3CRET"
ODD = "'\"`\\/ ?#@:;,.&=%[]{}<>()|~^\t\n\u202e\x1b\x7f2é"
"""What a password may hold, and what ends an address elsewhere."""
PASSWORDS = st.builds(
    lambda before, after: f"{before}{SECRET}{after}",
    st.text(ODD, max_size=6),
    st.text(ODD, max_size=6),
)


@given(PASSWORDS)
def test_a_password_is_not_shown_however_it_is_written(password: str) -> None:
    for url in (f"http://user:{password}@h:1/x", f"http://{password}@h/", f"smtp://{password}@h"):
        for text in (redact(url), redact(url, paths=False), readable_value(url)):
            # What stands before a ? or # with no slash before is a host to everybody.
            assert SECRET not in text or is_host(url), url
    in_quotes = f"http://user:{password}@h:1/x"
    for text in (f"cannot ask '{in_quotes}': refused", f"{in_quotes!r} and {in_quotes!r}"):
        assert SECRET not in readable(text) or is_host(in_quotes), text


def is_host(url: str) -> bool:
    """Whether the secret is the host's name or in the path by every reading: nobody could tell."""
    rest = url.partition("://")[2].lstrip("\t\n\r")
    before_at = rest.rpartition("@")[0]
    return SECRET not in before_at


@given(PASSWORDS.filter(lambda p: "@" not in p))
def test_no_value_of_a_query_and_no_fragment_is_shown(secret: str) -> None:
    for before in ("?token=", "?", "#", "?a=1&", "?a=b#"):
        if before in ("?", "?a=1&") and "=" in secret:
            continue  # It has a name, which tells what is asked for.
        tail = before + secret
        for paths in (True, False):
            assert SECRET not in redact(f"http://h:1/x{tail}", paths=paths)
            assert SECRET not in readable_value(f"http://h:1/x{tail}", paths=paths)


@pytest.mark.parametrize(
    ("url", "with_path", "without"),
    [
        ("http://h:1/x", "http://h:1/x", "http://h:1/..."),
        ("http://h:1/", "http://h:1/", "http://h:1/"),
        ("http://u:p@h:1/x?a=b&c=d#e", "http://h:1/x?a=...&c=...#...", "http://h:1/..."),
        ("http://h/x?c2VjcmV0==", "http://h/x?...", "http://h/..."),
        ("http://u:1/s@h/x", "http://...@h/x", "http://..."),
        ("http://u:p[@h/x", "(unreadable URL)", "(unreadable URL)"),
    ],
)
def test_what_is_left_tells_what_is_asked(url: str, with_path: str, without: str) -> None:
    assert (redact(url), redact(url, paths=False)) == (with_path, without)


def test_sentences_stay_and_a_second_look_changes_nothing() -> None:
    said = "asked http://u:p@a/x?k=v, then https://b:1/y: refused; mail anna@example.com"
    once = readable(said.replace("; mail anna@example.com", ""))
    assert once == "asked http://a/x?k=..., then https://b:1/y: refused"
    assert readable(once) == once
    assert readable("no address: a@b ://") == "no address: a@b ://"


@pytest.mark.parametrize(
    "key", ["password", "db_passwd", "TOKEN", "api-key", "private_key", "Cookie", "client_secret"]
)
def test_values_of_secret_keys_are_hidden_whatever_they_are(key: str) -> None:
    assert shown(key, {"a": [SECRET]}) == HIDDEN


def test_what_is_shown_of_a_setting_is_its_value_without_secrets() -> None:
    value = {
        "url": f"http://user:HALF'{SECRET}@h/x",
        "headers": {"X-Key": SECRET},
        "targets": [f'http://user:a "{SECRET}@h/x', "http://plain/metrics"],
        f"http://u:{SECRET}@h": 1,
    }
    assert SECRET not in str(shown("source", value))
    assert shown("targets", value["targets"])[1] == "http://plain/metrics"
