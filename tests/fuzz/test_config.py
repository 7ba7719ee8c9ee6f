from __future__ import annotations

import random
import re

from exporter.config.load import parse
from exporter.errors import ConfigError
from tests.fuzz.kit import corpus, fuzz, tokens


def check(data: bytes) -> None:
    try:
        parse(data.decode("utf-8", "replace"), "c.toml")
    except ConfigError as error:
        assert error.findings
        assert not any("\n" in finding for finding in error.findings)


def test_configurations() -> None:
    fuzz("config", check, 3000)


def test_values_in_configurations() -> None:
    """TOML that is whole, with other values, lines and keys."""
    lines = [
        line for seed in corpus("config") for line in seed.decode().splitlines() if line.strip()
    ]
    whole = [seed.decode() for seed in corpus("config")]
    values = [value.decode() for value in tokens("config_values")]

    def check_values(seed: bytes) -> None:
        rng = random.Random(seed)
        text = rng.choice(whole)
        for _ in range(rng.choice((1, 1, 2, 4))):
            found = list(
                re.finditer(r"(?<== )(?:'[^'\n]*'|\"[^\"\n]*\"|[\w.]+|\[.*\]|\{.*\})", text)
            )
            if found and rng.random() < 0.7:
                one = rng.choice(found)
                text = text[: one.start()] + rng.choice(values) + text[one.end() :]
            else:
                some = text.splitlines()
                some.insert(rng.randrange(len(some) + 1), rng.choice(lines))
                text = "\n".join(some)
        check(text.encode())

    fuzz("config", check_values, 1500)
