"""What is compared: the configured objective and alert policy, and the alternatives."""

from __future__ import annotations

from dataclasses import dataclass, replace

from exporter.core.slo import SLO, Rule


@dataclass(frozen=True, slots=True)
class Variant:
    """An objective (a ratio, 0.999) with the rules of an alert policy, which is called `policy`."""

    objective: float
    policy: str
    rules: tuple[Rule, ...]

    def of(self, slo: SLO) -> SLO:
        """The SLO as it would be; without a budget policy, whose states are read off the budget."""
        return replace(slo, objective=self.objective, rules=self.rules, steps=())
