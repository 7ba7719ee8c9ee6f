"""The alert rules about slod itself, judged by promtool: valid, firing, and silent."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.real.servers import need

pytestmark = pytest.mark.real

FOLDER = Path(__file__).parent.parent.parent / "deploy" / "prometheus"
RULES = FOLDER / "slod-alerts.yml"
CASES = FOLDER / "slod-alerts.test.yml"


def promtool(*arguments: str) -> str:
    done = subprocess.run([need("promtool"), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_valid() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(RULES))


def test_each_fires_when_it_should_and_is_silent_when_it_should_not() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(CASES))


def test_no_rule_is_without_a_case() -> None:
    rules = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
    proven = CASES.read_text("utf-8")
    for rule in rules:
        assert f'alertname="{rule["alert"]}"' in proven
