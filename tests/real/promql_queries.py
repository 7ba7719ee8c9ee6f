"""Queries over slod's own series, as people and dashboards write them, and as nobody does.

`INSTANT` can be asked at one moment, `RANGE` at many. None has a tie that an order would have to
break, and none asks for a window that begins on a multiple of 5 s of a fixed time, where releases
of Prometheus differ. `WRONG` are refused.
"""

from __future__ import annotations

from itertools import product

from tests.real import promql_expressions

_LITERALS = """
1
-1.5e3
0x1f
Inf
-NaN
1 + 2 * 3 - 4 / 5
2 ^ 3 ^ 2
-2 ^ 2
10 % 3
-10 % 3
1 / 0
0 / 0
1 > bool 2
2 >= bool 2
1 atan2 2
pi()
time()
time() - 60 * 2
scalar(slo_burn_rate{slo="checkout",window="1h"})
scalar(slo_burn_rate)
scalar(slo_burn_rate{slo="nobody"})
vector(1)
vector(time())
vector(scalar(slo_burn_rate{slo="checkout",window="1h"})) * 2
"""
_SELECTORS = """
slo_events_total
slo_events_total{slo="checkout"}
slo_events_total{slo!="checkout",result="bad"}
slo_events_total{slo=~"check.*|login"}
slo_events_total{slo!~"check.*"}
slo_events_total{result="bad",nothing=""}
slo_events_total{nothing="x"}
{__name__="slo_objective_ratio"}
{__name__=~"slo_(objective|window).*",slo="search"}
{service="identity",window=~".+"}
slo_burn_rate{window="5m"}
slo_error_budget_exhaustion_seconds
slo_error_budget_remaining_ratio offset 10m
slo_error_budget_remaining_ratio offset -10m
slo_events_total offset 1h
slo_events_total @ start()
slo_events_total @ end()
slo_events_total @ end() offset 20m
slo_events_total offset 20m @ start()
slod_source_up
slod_build_info
slod_tick_duration_seconds_bucket
nothing_at_all
"""
_ARITHMETIC = """
-slo_burn_rate
+slo_burn_rate
-(slo_burn_rate)
slo_burn_rate * 2 + 1
2 - slo_burn_rate
slo_burn_rate ^ 2
2 ^ slo_burn_rate
-slo_burn_rate ^ 2
slo_burn_rate % 0.3
-7.5 % slo_burn_rate
slo_burn_rate / 0
-slo_burn_rate / 0
-slo_burn_rate atan2 0.5
(1 - slo_objective_ratio) * slo_burn_rate{window="1h"}
(1 - slo_objective_ratio) * on(slo) slo_burn_rate{window="1h"}
slo_burn_rate * ignoring(window) group_left() slo_objective_ratio
slo_burn_rate * on(slo, service) group_left slo_objective_ratio
slo_burn_rate * on(slo) group_left(service) slo_objective_ratio
slo_objective_ratio * on(slo) group_right() slo_burn_rate
slo_objective_ratio - on(slo) group_right(service) slo_burn_rate
slo_events_total{result="bad"} / ignoring(result) slo_events_total{result="good"}
slo_events_total{result="bad"} / on(slo) slo_events_total{result="good"}
slo_events_total / ignoring(result) group_left sum without(result) (slo_events_total)
sum by(slo) (slo_events_total{result="bad"}) / sum by(slo) (slo_events_total)
slo_burn_rate{window="5m"} atan2 on(slo, service) slo_burn_rate{window="1h"}
slo_burn_rate * on() group_left(version) slod_build_info
slo_objective_ratio + slo_objective_ratio offset 5m
slo_objective_ratio ^ slo_objective_ratio
1 - (1 - slo_objective_ratio) / (1 - slo_objective_ratio)
"""
_COMPARISONS = """
slo_burn_rate > 2
slo_burn_rate >= bool 2
2 < slo_burn_rate
2 < bool slo_burn_rate
slo_burn_rate == slo_burn_rate
slo_burn_rate != bool slo_burn_rate
slo_burn_rate{window="5m"} != slo_burn_rate{window="5m"}
slo_burn_rate{window="1h"} > ignoring(window) slo_burn_rate{window="6h"}
slo_burn_rate{window="1h"} > bool ignoring(window) slo_burn_rate{window="5m"}
slo_burn_rate > ignoring(window) group_left slo_error_budget_remaining_ratio
slo_burn_rate{window="5m"} <= on(slo) slo_burn_rate{window="1h"}
slo_error_budget_remaining_ratio < on(slo) group_right slo_burn_rate
slo_error_budget_remaining_ratio < 0
slo_error_budget_exhaustion_seconds == Inf
slo_error_budget_exhaustion_seconds < Inf
slod_source_up == 0
slo_gate_open == 1
"""
_SETS = """
slo_burn_rate > 2 and slo_burn_rate < 3
slo_burn_rate{window="5m"} > 2 and ignoring(window) slo_burn_rate{window="1h"} > 1
slo_burn_rate{window="5m"} > 2 and on(slo) slo_burn_rate{window="1h"} > 2
slo_burn_rate unless slo_burn_rate > 2
slo_burn_rate unless on(slo) slo_gate_open == 1
slo_objective_ratio or slo_gate_open
slo_objective_ratio or on(slo) slo_burn_rate
slo_objective_ratio{slo="checkout"} or ignoring(window) slo_burn_rate
slo_burn_rate > 2 or slo_burn_rate < 1
slo_events_total{slo="nobody"} or vector(0)
slo_events_total and on() vector(1)
slo_events_total unless on() (slo_gate_open == 0)
slo_burn_rate{window="5m"} > 3 or slo_burn_rate{window="1h"} > 3 and slo_burn_rate > 4
"""
_AGGREGATIONS = """
sum(slo_events_total)
sum by(slo) (slo_events_total)
sum(slo_events_total) by(service, result)
sum without(slo) (slo_events_total)
sum by() (slo_burn_rate{window="1h"})
sum without() (slo_burn_rate)
sum by(nothing) (slo_events_total)
avg by(window) (slo_burn_rate)
avg(slo_error_budget_exhaustion_seconds)
min by(slo) (slo_burn_rate)
max by(window) (slo_burn_rate)
max(slo_burn_rate{slo="login",window="5m"})
count(slo_burn_rate)
count by(slo) (slo_burn_rate > 2)
group by(service) (slo_burn_rate)
stddev(slo_burn_rate{window!="5m"})
stdvar by(slo) (slo_burn_rate)
quantile(0.5, slo_burn_rate{window!="5m"})
quantile by(slo) (0.9, slo_burn_rate)
quantile(-0.1, slo_burn_rate)
quantile(1.1, slo_burn_rate)
quantile(NaN, slo_burn_rate)
quantile(scalar(slo_objective_ratio{slo="login"}), slo_burn_rate)
topk(2, slo_burn_rate)
topk by(slo) (1, slo_burn_rate)
topk(100, slo_burn_rate{window!="5m"})
topk(0, slo_burn_rate)
topk(3, slo_burn_rate{window="5m"})
bottomk(3, slo_burn_rate{window="5m"})
bottomk(2, slo_burn_rate)
bottomk without(window) (1, slo_burn_rate)
topk(scalar(vector(2.9)), slo_burn_rate)
count_values("value", slo_alert_firing)
count_values by(severity) ("firing", slo_alert_firing)
count_values without(severity, long_window, short_window) ("n", slo_alert_firing)
count_values("value", slo_error_budget_exhaustion_seconds)
count_values("bytes", slod_ledger_bytes * 1e20)
sum(sum by(slo) (rate(slo_events_total[5m])))
avg(slo_burn_rate) - min(slo_burn_rate)
sum(slo_burn_rate) > 1
max by(slo) (slo_burn_rate) > bool on(slo) slo_objective_ratio
"""
_FUNCTIONS = """
abs(slo_error_budget_remaining_ratio)
ceil(slo_burn_rate)
floor(slo_error_budget_remaining_ratio)
exp(slo_burn_rate)
exp(slod_ledger_bytes)
sqrt(slo_error_budget_remaining_ratio)
ln(slo_error_budget_remaining_ratio)
ln(slod_source_up)
log2(slo_burn_rate)
log10(slo_events_total)
sgn(slo_error_budget_remaining_ratio)
round(slo_burn_rate)
round(slo_burn_rate, 0.1)
round(slo_burn_rate, 5)
round(slo_error_budget_remaining_ratio, 0.25)
round(-slo_burn_rate, 0.5)
round(slo_error_budget_exhaustion_seconds, 1000)
sin(slo_burn_rate)
cos(slo_error_budget_exhaustion_seconds)
tan(slo_burn_rate)
asin(slo_sli_ratio)
acos(slo_sli_ratio)
atan(slo_error_budget_exhaustion_seconds)
sinh(slo_burn_rate)
cosh(slo_error_budget_remaining_ratio)
tanh(slo_error_budget_exhaustion_seconds)
asinh(slo_error_budget_remaining_ratio)
acosh(slo_burn_rate)
atanh(slo_sli_ratio)
atanh(slo_coverage_ratio)
deg(slo_burn_rate)
rad(slo_burn_rate)
clamp(slo_burn_rate, 1, 2)
clamp(slo_burn_rate, 2, 1)
clamp_min(slo_error_budget_remaining_ratio, 0)
clamp_max(slo_error_budget_exhaustion_seconds, 7 * 86400)
clamp_max(slo_burn_rate, NaN)
clamp_min(slo_burn_rate{window="5m"}, scalar(slo_objective_ratio{slo="login"}))
absent(slo_burn_rate)
absent(slo_burn_rate{slo="nobody",window="1h"})
absent(slo_burn_rate{slo="nobody",window=~"1h"})
absent(slo_burn_rate{slo="a",slo="b"})
absent(sum(slo_burn_rate{slo="nobody"}))
absent(slo_events_total{slo="login",result="bad"})
absent(slo_burn_rate > 100)
absent_over_time(slo_events_total{slo="search",result="good"}[5m])
absent_over_time(slo_events_total{slo="nobody",result="bad"}[5m])
absent_over_time(nothing_at_all[1h])
label_replace(slo_burn_rate, "where", "$1-$2", "service", "(.)(.*)")
label_replace(slo_burn_rate, "slo", "$1", "slo", "(...).*")
label_replace(slo_burn_rate, "window", "none", "window", "5.*")
label_replace(slo_objective_ratio, "service", "", "service", ".*")
label_replace(slo_burn_rate, "where", "${first}x", "slo", "(?P<first>.).*")
label_replace(slo_burn_rate, "where", "none", "nothing", "")
label_replace(slo_objective_ratio, "__name__", "renamed", "__name__", ".*")
label_join(slo_burn_rate, "where", "/", "service", "slo")
label_join(slo_burn_rate, "where", "/", "nothing", "window")
label_join(slo_objective_ratio, "service", "")
sort(slo_burn_rate)
sort_desc(slo_burn_rate)
sort(slo_burn_rate{window="5m"})
timestamp(slo_burn_rate)
timestamp(slo_events_total offset 10m)
timestamp(slo_burn_rate + 0)
timestamp(slo_burn_rate @ end())
timestamp(timestamp(slo_objective_ratio))
time() - timestamp(slo_events_total)
minute()
hour()
day_of_week()
day_of_month()
day_of_year()
days_in_month()
month()
year()
month(vector(951782400))
day_of_year(slod_ledger_bytes * 300)
days_in_month(vector(time() - 31536000))
year(vector(-1))
hour(timestamp(slo_objective_ratio))
"""
_HISTOGRAMS = """
histogram_quantile(0.9, slod_tick_duration_seconds_bucket)
histogram_quantile(0.5, rate(slod_tick_duration_seconds_bucket[5m]))
histogram_quantile(0.99, sum by(le) (increase(slod_tick_duration_seconds_bucket[10m])))
histogram_quantile(1, slod_tick_duration_seconds_bucket)
histogram_quantile(0, slod_tick_duration_seconds_bucket)
histogram_quantile(2, slod_tick_duration_seconds_bucket)
histogram_quantile(-1, slod_tick_duration_seconds_bucket)
histogram_quantile(0.5, slod_tick_duration_seconds_bucket{le!="+Inf"})
histogram_quantile(0.5, slod_tick_duration_seconds_bucket{le="+Inf"})
histogram_quantile(0.5, slod_tick_duration_seconds_bucket * 0)
histogram_quantile(0, (slod_tick_duration_seconds_bucket > bool 4000) * 5)
histogram_quantile(0.5, slo_burn_rate)
round(slo_burn_rate, Inf)
histogram_quantile(scalar(slo_objective_ratio{slo="login"}), slod_tick_duration_seconds_bucket)
rate(slod_tick_duration_seconds_sum[5m]) / rate(slod_tick_duration_seconds_count[5m])
"""
_OVER_TIME = """
quantile_over_time(0.5, slo_burn_rate[10m])
quantile_over_time(0.99, slo_burn_rate{window="5m"}[20m])
quantile_over_time(-1, slo_burn_rate[10m])
quantile_over_time(1.5, slo_burn_rate[10m])
predict_linear(slo_error_budget_remaining_ratio[30m], 3600)
predict_linear(slo_error_budget_remaining_ratio[30m] offset 10m, 3600)
predict_linear(slo_objective_ratio[10m], 60)
deriv(slo_error_budget_exhaustion_seconds[15m])
stddev_over_time(slo_objective_ratio[10m])
sum_over_time(slo_error_budget_exhaustion_seconds[30m])
avg_over_time(slo_error_budget_exhaustion_seconds[30m])
min_over_time(slo_burn_rate{slo="login",window="5m"}[2m])
rate(slo_events_total[1m] offset 5m)
rate(slo_events_total[5m] @ end())
increase(slo_events_total[1h] @ start())
day_of_month(slo_error_budget_remaining_ratio)
rate(slo_events_total[20s])
rate(slo_events_total[30s])
rate(slo_events_total{result="bad"}[5m]) / on(slo) rate(slo_events_total{result="good"}[5m])
sum by(slo) (rate(slo_events_total{result="bad"}[5m])) / sum by(slo) (rate(slo_events_total[5m]))
1 - sum(increase(slo_events_total{result="bad"}[1h])) / sum(increase(slo_events_total[1h]))
avg_over_time(slod_source_up[1h]) < 1
changes(slo_alert_firing[1h]) > 0
sum_over_time({__name__=~"slo_burn_rate|slo_objective_ratio",slo="search",window=""}[5m])
"""
_SUBQUERIES = """
max_over_time(slo_burn_rate[30m:1m])
min_over_time(slo_burn_rate[30m:])
avg_over_time(rate(slo_events_total[5m])[30m:1m])
max_over_time(sum(rate(slo_events_total[5m]))[1h:5m])
count_over_time(slo_burn_rate[30m:45s])
last_over_time(slo_burn_rate[10m:3m] offset 7m)
sum_over_time((slo_burn_rate > bool 2)[30m:30s])
rate(slo_events_total[20m:1m])
increase(sum by(slo) (slo_events_total)[20m:1m])
quantile_over_time(0.9, (slo_burn_rate{window="1h"} * 2)[30m:2m])
max_over_time(avg_over_time(slo_burn_rate[5m])[20m:1m] @ end())
avg_over_time(max_over_time(slo_burn_rate[10m:1m] offset 5s)[30m:3m])
avg_over_time(vector(time())[10m:2m] offset 1m)
max_over_time((slo_burn_rate offset 5m)[10m:1m])
max_over_time((slo_burn_rate @ start())[10m:1m])
min_over_time((slo_burn_rate @ end() offset 5m)[10m:1m] offset 10m)
deriv(slo_error_budget_remaining_ratio[30m:1m])
predict_linear(slo_error_budget_remaining_ratio[30m:1m], 600)
absent_over_time((slo_burn_rate > 3)[5m:30s])
timestamp(max_over_time(slo_burn_rate[10m:1m]))
count_over_time(topk(1, slo_burn_rate{window!="5m"})[30m:1m])
"""


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


_OF_COUNTERS = ("rate", "increase", "irate", "resets")
_WINDOWED = (
    *("delta", "idelta", "deriv", "changes", "last_over_time", "present_over_time"),
    *("avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time"),
    *("stddev_over_time", "stdvar_over_time"),
)
_COUNTERS = (
    'slo_events_total{slo=~"checkout|login"}[5m]',
    'slo_events_total{slo="search"}[25m]',
    "sum by (slo) (slo_events_total)[20m:45s]",
    "slod_samples_total[1h] offset 10m",
)
_GAUGES = (
    "slo_burn_rate[10m]",
    "slo_error_budget_exhaustion_seconds[15m] offset 3m",
    "slod_source_up[1h]",
    "(slo_burn_rate * 2)[10m:45s]",
)
_STATISTICS = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
_GROUPINGS = ("", "by (slo)", "without (slo, window)")
_GROUPED = ("slo_burn_rate > 1", "increase(slo_events_total[10m])", "slo_alert_firing")

GENERATED = [
    *(f"{name}({window})" for name, window in product(_OF_COUNTERS, _COUNTERS)),
    *(f"{name}({window})" for name, window in product(_WINDOWED, _COUNTERS + _GAUGES)),
    *(f"{name} {by} ({inside})" for name, by, inside in product(_STATISTICS, _GROUPINGS, _GROUPED)),
]
RANGE = [
    *_lines(_LITERALS + _SELECTORS + _ARITHMETIC + _COMPARISONS + _SETS + _AGGREGATIONS),
    *_lines(_FUNCTIONS + _HISTOGRAMS + _OVER_TIME + _SUBQUERIES),
    *GENERATED,
]
INSTANT = [
    *RANGE,
    *promql_expressions.same(),
    '"text"',
    "slo_events_total[2m]",
    "slo_burn_rate[2m] offset 10m",
    "slo_burn_rate[5m:1m]",
    "(slo_burn_rate > 2)[10m:1m]",
    "nothing_at_all[5m]",
]

WRONG = {
    "": "bad_data",
    "slo_burn_rate{": "bad_data",
    "sum(": "bad_data",
    "1 +": "bad_data",
    'slo_burn_rate{slo=~"("}': "bad_data",
    "{}": "bad_data",
    '{slo=~".*"}': "bad_data",
    '{slo=""}': "bad_data",
    "rate(slo_events_total)": "bad_data",
    "sum(slo_events_total[5m])": "bad_data",
    "nobody_knows(1)": "bad_data",
    "abs()": "bad_data",
    "abs(1)": "bad_data",
    "topk(slo_burn_rate)": "bad_data",
    'topk("a", slo_burn_rate)': "bad_data",
    "1 == 2": "bad_data",
    "1 and 2": "bad_data",
    "slo_burn_rate and 1": "bad_data",
    "slo_burn_rate[5m] + 1": "bad_data",
    '"a" + "b"': "bad_data",
    '-"a"': "bad_data",
    "slo_burn_rate + bool 1": "bad_data",
    "slo_burn_rate and on(slo) group_left slo_objective_ratio": "bad_data",
    "slo_burn_rate * on(slo) group_left(slo) slo_objective_ratio": "bad_data",
    "slo_burn_rate[5m][5m:1m]": "bad_data",
    "(1)[5m]": "bad_data",
    "sum_over_time(time()[5m:1m])": "bad_data",
    "slo_burn_rate * ignoring(window) group_left 1": "bad_data",
    "slo_burn_rate offset 5m offset 5m": "bad_data",
    "sum(slo_burn_rate) offset 5m": "bad_data",
    "slo_burn_rate * on(slo) slo_objective_ratio": "execution",
    "slo_objective_ratio * on(slo) slo_burn_rate": "execution",
    "slo_burn_rate * on(slo) group_left slo_burn_rate": "execution",
    "slo_burn_rate * on(slo) group_right slo_objective_ratio": "execution",
    "slo_objective_ratio * on(service) group_right(window) slo_burn_rate": "execution",
    '{__name__=~"slo_objective_ratio|slo_gate_open"} * 1': "execution",
    'rate({__name__=~"slo_objective_ratio|slo_gate_open"}[5m])': "execution",
    'label_replace(slo_burn_rate, "window", "", "window", ".*")': "execution",
    'label_replace(slo_burn_rate, "", "", "window", ".*")': "execution",
    'label_replace(slo_burn_rate, "a", "", "window", "(")': "execution",
    'label_join(slo_burn_rate, "", "", "window")': "execution",
    'count_values("", slo_burn_rate)': "execution",
    "topk(NaN, slo_burn_rate)": "execution",
    "topk(Inf, slo_burn_rate)": "execution",
    **dict(promql_expressions.wrong()),
}
"""What Prometheus refuses, and how it calls that."""
