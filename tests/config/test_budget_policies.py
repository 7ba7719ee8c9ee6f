"""Budget policies in the file: their steps, which SLO has which, and what is wrong with one."""

from __future__ import annotations

import pytest

from exporter.config.load import parse
from exporter.core.slo import BudgetStep, Window
from exporter.errors import ConfigError

FILE = """
[source.app]
type = "scrape"
targets = ["http://h:1/metrics"]
[slo.checkout]
service = "shop"
objective = 99
labels = {{ team = "payments" }}
sli = {{ good = "a", total = "b" }}
{more}
[budget_policy.strict]
{policy}
"""
STEP = 'steps = [{{ below = 0.1, state = "low"{} }}]\n'


def steps(policy: str, more: str = "") -> tuple[BudgetStep, ...]:
    [slo] = parse(FILE.format(policy=policy, more=more), "f.toml").slos
    return slo.steps


def test_a_step_says_when_it_holds_and_what_follows() -> None:
    policy = """steps = [
      { incident_above = 0.2, state = "review", within = "5d", owner = "anna", severity = "page" },
      { burn_above = 2, over = "1d", state = "hot", runbook = "http://r", action = "Look." },
      { below = 0.5, state = "warning" },
      { below = 0, state = "out", gate = "closed" },
    ]"""
    assert steps(policy, 'budget_policy = "strict"') == (
        BudgetStep(0.0, "out", gate_open=False),
        BudgetStep(0.5, "warning"),
        BudgetStep(
            None, "review", incident_above=0.2, within=432_000.0, owner="anna", severity="page"
        ),
        BudgetStep(
            None,
            "hot",
            burn_above=2.0,
            over=Window("1d", 86_400.0),
            runbook="http://r",
            action="Look.",
        ),
    )


@pytest.mark.parametrize(
    "slos", ['"checkout"', '["x", "checkout"]', "'{service=\"shop\"}'", "'{team=\"payments\"}'"]
)
def test_a_policy_says_for_which_slos_it_is(slos: str) -> None:
    policy = STEP.format("") + f"slos = {slos}\nhysteresis = 0.05"
    assert [step.state for step in steps(policy)] == ["low"]
    named = steps(policy, 'budget_policy = "default"')
    assert [step.state for step in named] == ["exhausted", "freeze_discussion", "warning"]


def test_for_others_it_is_not() -> None:
    policy = STEP.format("") + "slos = '{team=\"search\"}'"
    assert [step.state for step in steps(policy)][-1] == "warning"


def test_two_policies_for_one_slo_are_too_many() -> None:
    policy = STEP.format("") + 'slos = "checkout"\n[budget_policy.other]\n' + STEP.format("")
    with pytest.raises(ConfigError, match="several budget policies are for it"):
        steps(policy + 'slos = "checkout"')


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (STEP.format(", incident_above = 0.2"), "must have exactly one of 'below',"),
        ('steps = [{ state = "low" }]', "must have exactly one of 'below',"),
        ('steps = [{ incident_above = 0, state = "a" }]', "must be above 0, like 0.2"),
        ('steps = [{ burn_above = 2, state = "a" }]', "'burn_above' and 'over'"),
        (STEP.format(', over = "1d"'), "'burn_above' and 'over'"),
        (STEP.format(', severity = " "'), "severity: is empty"),
        (STEP.format(f', action = "{"x" * 1001}"'), "is longer than 1000 characters"),
        (STEP.format("") + "hysteresis = 1", "must be a share like 0.01, not 1"),
        (STEP.format("") + "slos = '{'", "not label matchers"),
    ],
)
def test_what_is_wrong_with_one_is_said_at_its_place(policy: str, why: str) -> None:
    with pytest.raises(ConfigError) as error:
        steps(policy)
    assert why in str(error.value) and "budget_policy.strict" in str(error.value)
