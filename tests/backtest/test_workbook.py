"""Detection and reset times against the formulas of the SRE workbook, chapter 5."""

from __future__ import annotations

from math import sqrt

import pytest

from exporter.backtest.replay import replay
from exporter.core.burn import CHANCE
from exporter.core.slo import Rule
from tests.backtest.histories import INTERVAL, configured, days, errors, plain, whole
from tests.core.builders import T, show, workbook

BUDGET = 0.001


@pytest.mark.parametrize("ratio", [1.0, 0.15, 0.02, 0.01, 0.002])
@pytest.mark.parametrize("rule", workbook(), ids=lambda r: f"{r.rate:g} {r.long.label}")
def test_detection_and_reset_take_as_long_as_the_formula_says(rule: Rule, ratio: float) -> None:
    before, lasts, after = (n * rule.long.seconds for n in (1.5, 2, 0.5))
    slo = plain(rules=(rule,))
    samples = errors(before + lasts + after, [(before, before + lasts, ratio)])
    batches = days(whole(slo, {"a": samples}))
    (found,) = replay(slo, batches, [configured(slo)], significant=0.02, show=show)
    (outcome,) = found.outcomes
    if ratio <= rule.rate * BUDGET:
        # Above means strictly above: the workbook's own formula gives infinity here.
        assert outcome.alerts == ()
        return
    (alert,) = outcome.alerts
    detection = BUDGET / ratio * rule.long.seconds * rule.rate
    # It ends at its end rate, by more than chance brings in a short window of 100 events a second.
    usual = rule.end_rate * BUDGET * 100 * rule.short.seconds
    least = usual - CHANCE * sqrt(usual * (1 - rule.end_rate * BUDGET))
    reset = rule.short.seconds - least / (100 * ratio)
    begin, end = T + before, T + before + lasts
    assert alert.start - begin == pytest.approx(detection, abs=INTERVAL)
    assert alert.end is not None
    assert alert.end - end == pytest.approx(reset, abs=INTERVAL)
    if ratio <= 2 * BUDGET:
        # An incident is over twice what the objective allows.
        assert outcome.incidents == ()
        return
    (incident,) = outcome.incidents
    assert (incident.start, incident.end) == (begin, end)
    if alert.severity == "page":
        assert incident.detected == alert.start - begin
        assert incident.reset == alert.end - end
