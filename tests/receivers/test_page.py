"""docs/receivers.md: every example is a valid configuration, every type and variable is there."""

from __future__ import annotations

import re

import pytest

from exporter.app.receivers import make_receiver
from exporter.config.load import parse
from exporter.config.receivers import RECEIVERS
from exporter.config.templates import VARIABLES
from exporter.receivers.words import ignore
from tests.receivers.examples import EXAMPLES, PAGE


@pytest.mark.parametrize("heading", EXAMPLES)
def test_an_example_is_a_configuration_and_makes_receivers(heading: str) -> None:
    [settings] = parse(EXAMPLES[heading], "page.toml").receivers.values()
    made = make_receiver(settings, None, ignore)
    assert len({one.endpoint for one in made}) == len(made) > 0


def test_every_type_has_an_example() -> None:
    shown = set(re.findall(r'^type = "(\w+)"', "".join(EXAMPLES.values()), re.MULTILINE))
    assert shown == {str(one.__struct_config__.tag) for one in RECEIVERS}
    assert PAGE.count("```toml") == len(EXAMPLES)


def test_every_variable_of_a_template_is_described() -> None:
    _, _, table = PAGE.partition("| variable |")
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", "".join(cells))) == VARIABLES
