"""Sizes in bytes, as the configuration spells them."""

from __future__ import annotations

import pytest

from exporter.config.load import parse
from exporter.errors import ConfigError


def size(text: str) -> int | None:
    return parse(f"[api]\nquery_memory = {text}\n", "c.toml").api.query_memory


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ('"64MiB"', 64 * 2**20),
        ('"1 GiB"', 2**30),
        ('"100MB"', 100_000_000),
        ('"512KiB"', 512 * 1024),
        ('"9B"', 9),
        ("1048576", 1_048_576),
    ],
)
def test_a_size_has_a_unit_or_is_a_number_of_bytes(text: str, bytes_: int) -> None:
    assert size(text) == bytes_


def test_without_one_it_is_left_to_the_daemon() -> None:
    assert parse("", "c.toml").api.query_memory is None


@pytest.mark.parametrize("text", ['"64"', '"0MiB"', "0", "-1", "1.5", '"1.5GiB"', "true", '"64 m"'])
def test_what_is_no_size_is_said_with_its_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        size(text)
    assert caught.value.findings == (
        'c.toml:2: api.query_memory: must be a size such as "64MiB", or a number of bytes',
    )
