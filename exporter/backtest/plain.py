"""A backtest as JSON, for programs: everything that `result.py` names, by the same names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from exporter.backtest.result import Backtest


def to_json(results: Sequence[Backtest], significant: float) -> str:
    """One object; its `backtests` are in the order of the results."""
    found = {"significant": significant, "backtests": [asdict(result) for result in results]}
    return json.dumps(found, ensure_ascii=False)
