"""Queries that nobody would write, made at random over the series of `promql_series`.

They keep clear of what differs by release of Prometheus (see `promql_queries`), and of ties that an
order would have to break; everything else may meet everything else, also where it is refused.
"""

from __future__ import annotations

import random

_COUNTERS = (
    "slo_events_total",
    'slo_events_total{result="bad"}',
    'slo_events_total{slo="search"}',
    "slod_samples_total",
    "slod_tick_duration_seconds_bucket",
)
_GAUGES = (
    "slo_burn_rate",
    'slo_burn_rate{window="5m"}',
    'slo_burn_rate{slo=~"check.*",window!="6h"}',
    "slo_error_budget_remaining_ratio",
    "slo_error_budget_exhaustion_seconds",
    "slo_objective_ratio",
    "slo_alert_firing",
    "slod_source_up",
    "slod_ledger_bytes",
    "slo_gate_open",
    '{__name__=~"slo_(gate|objective).*"}',
    "nothing_at_all",
)
_DISTINCT = ("slo_burn_rate", "slo_error_budget_remaining_ratio", "slo_sli_ratio")
_LABELS = ("slo", "service", "window", "result", "severity", "target", "nothing")
_RANGES = ("30s", "45s", "1m", "150s", "5m", "10m", "1h")
_STEPS = ("", "15s", "30s", "1m", "90s", "5m")
_SHIFTS = ("", "", "", " offset 5m", " offset -3m", " offset 40m", " @ start()", " @ end()")
_MATHEMATICS = (
    *("abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "sgn", "deg", "rad", "round"),
    *("sin", "cos", "atan", "asin", "tanh", "sinh", "asinh", "absent", "timestamp", "sort"),
    *("acosh", "-", "+"),
)
_DATES = ("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "month", "year")
_OVER_TIME = (
    *("avg", "min", "max", "sum", "count", "last", "present", "stddev", "stdvar", "absent"),
)
_OF_MATRIX = ("changes", "resets", "deriv", "delta", "idelta")
_OF_COUNTER = ("rate", "increase", "irate")
_NUMBERS = ("0", "1", "2", "-0.37", "1.7", "1e3", "-4.25", "Inf", "NaN")


class Maker:
    """Makes queries; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._inside = 0

    def query(self) -> str:
        """One."""
        return self._vector(self._random.randint(1, 4))

    def _one(self, *of: str) -> str:
        return self._random.choice(of)

    def _vector(self, depth: int) -> str:
        if depth <= 0:
            return self._one(*_COUNTERS, *_GAUGES) + self._one(*_SHIFTS)
        made = self._random.choices(
            (
                self._function,
                self._aggregation,
                self._with_scalar,
                self._matched,
                self._set,
                self._over_time,
                self._rate,
                self._labelled,
                self._best,
            ),
            weights=(3, 4, 3, 5, 2, 4, 3, 1, 1),
        )[0]
        return made(depth - 1)

    def _scalar(self, depth: int) -> str:
        if self._random.random() < 0.7 or depth <= 0:
            return self._one(*_NUMBERS)
        return self._one(
            f"scalar({self._vector(depth)})",
            "time() / 1e9",
            f"({self._scalar(0)} {self._one('+', '-', '*', '/')} {self._scalar(depth - 1)})",
            f"({self._scalar(0)} {self._one('<', '>', '!=')} bool 1)",
        )

    def _function(self, depth: int) -> str:
        name, inside = self._one(*_MATHEMATICS), self._vector(depth)
        return self._one(
            *[f"{name}({inside})"] * 4,
            f"clamp({inside}, {self._scalar(depth)}, {self._scalar(depth)})",
            f"clamp_min({inside}, {self._scalar(depth)})",
            f"round({inside}, {self._one('0.25', '3', '100')})",
            f"histogram_quantile({self._scalar(0)}, {inside})",
            f"vector({self._scalar(depth)})",
            # Which date is that of what is no number differs by processor.
            f"{self._one(*_DATES)}(slo_error_budget_remaining_ratio * {self._one('1', '1e8')})",
        )

    def _labels(self) -> str:
        return ", ".join(self._random.sample(_LABELS, self._random.randint(0, 3)))

    def _aggregation(self, depth: int) -> str:
        op = self._one("sum", "avg", "min", "max", "count", "group", "quantile")
        by = self._one("", f"by ({self._labels()})", f"without ({self._labels()})")
        share = f"{self._one('0', '0.3', '1', '-1', 'NaN')}, " if op == "quantile" else ""
        return f"{op} {by} ({share}{self._vector(depth)})"

    def _with_scalar(self, depth: int) -> str:
        op = self._one("+", "-", "*", "/", "%", "^", "> ", "< bool", "== bool", ">= ", "!=")
        both = [f"({self._vector(depth)})", self._scalar(depth)]
        self._random.shuffle(both)
        return f"{both[0]} {op} {both[1]}"

    def _matched(self, depth: int) -> str:
        op = self._one("+", "-", "*", "/", "%", "^", ">", "< bool", "==", "!= bool")
        matching = self._one("", f"on({self._labels()})", f"ignoring({self._labels()})")
        if matching and self._random.random() < 0.6:
            included = self._one("", "", "severity", "service", "nothing")
            if included not in matching or not matching.startswith("on"):
                matching += f" {self._one('group_left', 'group_right')}({included})"
        if self._random.random() < 0.5:
            by = f"by ({self._labels()})"
            left, right = (f"sum {by} ({self._vector(depth)})" for _ in range(2))
            return f"{left} {op} {matching} {right}"
        return f"({self._vector(depth)}) {op} {matching} ({self._vector(depth)})"

    def _set(self, depth: int) -> str:
        matching = self._one("", f"on({self._labels()})", f"ignoring({self._labels()})")
        op = self._one("and", "or", "unless")
        return f"({self._vector(depth)}) {op} {matching} ({self._vector(depth)})"

    def _matrix(self, depth: int, *leaves: str) -> str:
        window, shift = self._one(*_RANGES), self._one(*_SHIFTS)
        if depth <= 0 or self._random.random() < 0.5:
            return f"{self._one(*leaves)}[{window}]{shift}"
        if self._inside:
            # The moments are those of a subquery: away from the multiples of its own steps.
            shift = self._one(" offset 5s", " offset 10m5s")
        self._inside += 1
        of = self._vector(depth - 1)
        self._inside -= 1
        return f"({of})[{window}:{self._one(*_STEPS)}]{shift}"

    def _over_time(self, depth: int) -> str:
        inside = self._matrix(depth, *_COUNTERS, *_GAUGES)
        return self._one(
            f"{self._one(*_OVER_TIME)}_over_time({inside})",
            f"{self._one(*_OF_MATRIX)}({inside})",
            f"quantile_over_time({self._one('0', '0.5', '0.93', '2')}, {inside})",
            # With the end of a range query fixed it differs by release.
            f"predict_linear({inside.removesuffix(' @ start()').removesuffix(' @ end()')}, 600)",
        )

    def _rate(self, depth: int) -> str:
        return f"{self._one(*_OF_COUNTER)}({self._matrix(0, *_COUNTERS)})"

    def _labelled(self, depth: int) -> str:
        inside = self._vector(depth)
        to, of = self._one(*_LABELS), self._one(*_LABELS)
        return self._one(
            f'label_replace({inside}, "{to}", "x$1", "{of}", "(.).*")',
            f'label_join({inside}, "{to}", "-", "{of}", "slo")',
        )

    def _best(self, depth: int) -> str:
        by = self._one("", f"by ({self._labels()})", f"without ({self._labels()})")
        op = self._one("topk", "bottomk")
        return f"{op} {by} ({self._one('0', '1', '2', '5')}, {self._one(*_DISTINCT)})"
