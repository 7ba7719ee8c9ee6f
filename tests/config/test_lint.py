from __future__ import annotations

import pytest

from exporter.config.lint import Finding, lint
from exporter.config.load import parse

RECEIVER = '[receiver.am]\ntype = "alertmanager"\nurl = "http://am:9093"\n'
SOURCE = '[source.s]\ntype = "prometheus"\nurl = "http://p:9090"\n'
SLO = "[slo.x]\nobjective = 99.9\nsli = { bad = 'a{b=\"c\"}', total = 'a' }\n"
CLEAN = RECEIVER + SOURCE + SLO


def warnings(text: str) -> list[str]:
    found = lint(parse(text, "c.toml"))
    assert all(f.level == "warning" for f in found)
    return [str(f).removeprefix("c.toml:").strip() for f in found]


def only(text: str) -> str:
    (found,) = warnings(text)
    return found


def with_sli(sli: str, source: str = SOURCE, more: str = "") -> str:
    return f"{RECEIVER}{source}[slo.x]\nobjective = 99.9\nsli = {{ {sli} }}\n{more}"


def test_a_sound_configuration_has_no_findings() -> None:
    assert warnings(CLEAN) == []


def test_an_empty_configuration_is_told_what_it_lacks() -> None:
    assert [w.split(";")[0] for w in warnings("")] == [
        "there is no SLO",
        "there is no [receiver.NAME]",
    ]


def test_a_finding_keeps_file_line_key_and_message_apart() -> None:
    text = CLEAN + 'source = "s"\n[source.t]\ntype = "scrape"\ndiscover.dns = "a:1"\n'
    assert lint(parse(text, "c.toml")) == [
        Finding("warning", "c.toml", 11, "source.t", "no SLO uses it")
    ]


def test_a_burn_rate_that_cannot_be_reached_says_the_highest() -> None:
    found = warnings(CLEAN.replace("99.9", "90"))
    assert found == [
        (
            "7: slo.x: the page rule over 1h and 5m can never fire: it needs a burn rate above "
            "14.4, but with everything failing it is 10"
        )
    ]


def test_a_burn_rate_below_one_is_told() -> None:
    policy = '[alert_policy.p]\nrules = [{severity="a", burn_rate=0.5, long="1h", short="5m"}]\n'
    found = only(f'{CLEAN}alert_policy = "p"\n{policy}')
    assert found.startswith("7: slo.x: the a rule over 1h and 5m fires above a burn rate of 0.5")


def test_the_workbook_leaves_out_rules_longer_than_the_window_with_a_warning() -> None:
    """Its windows are two polls at least, of 15 s each."""
    text = CLEAN + 'window = "20s"\n'
    assert parse(text, "c.toml").slos[0].rules == ()
    found = warnings(text)
    assert (
        "10: slo.x.window: is 20s, but alert_policy.workbook.rules[2] looks back 30s, two polls; "
        "that rule is left out" in found
    )


def test_the_slowest_rule_of_the_workbook_over_28d_is_told() -> None:
    found = only(CLEAN + 'window = "28d"\n')
    assert found.startswith(
        "7: slo.x: the ticket rule over 3d and 6h fires above a burn rate of 0.93, at which the "
        "budget outlasts the window"
    )


def test_a_short_window_of_few_polls_is_told() -> None:
    slow = CLEAN.replace("9090", "9090/").replace("[slo.x]", 'interval = "2m"\n[slo.x]')
    found = only(slow)
    assert "sees fewer than 4 polls in its short window; source 's' is polled every 2m" in found
    # On a short period the built-in windows shrink to two polls, which nobody can help.
    assert warnings(slow + 'window = "12h"\n') == []


def test_an_objective_given_as_a_ratio_is_told() -> None:
    assert any("did you mean 99.9?" in w for w in warnings(CLEAN.replace("99.9", "0.999")))


@pytest.mark.parametrize(
    ("sli", "finding"),
    [
        ("bad = 'e', total = 'a'", "sli.bad: counts 'e', but total counts 'a'"),
        ("bad = 'a', total = 'a'", "sli.bad: bad and total are the same selector"),
        ("good = 'a', bad = 'a'", "sli: good and bad are the same selector"),
        (
            "good = 'a{c=\"2\"}', total = 'a{job=\"x\"}'",
            "sli.good: not a subset of total, which asks for job=\"x\" too; add that to 'good'",
        ),
    ],
)
def test_good_that_is_not_a_subset_of_total_is_told(sli: str, finding: str) -> None:
    assert only(with_sli(sli)).startswith(f"9: slo.x.{finding}")


@pytest.mark.parametrize(
    "sli",
    [
        'bad = \'a{job="x",c="5"}\', total = \'a{job="x"}\'',
        "bad = 'a{c=\"500\"}', total = 'a{c=~\"2..|5..\"}'",
        "good = 'a', bad = 'b'",
    ],
)
def test_a_subset_of_total_is_fine(sli: str) -> None:
    assert warnings(with_sli(sli)) == []


RATIO = "sum(rate(x[{0}])) / sum(rate(y[{0}]))"


def test_queries_are_less_exact_and_want_the_window() -> None:
    found = warnings(with_sli(f"error_ratio_query = '{RATIO.format('5m')}'"))
    assert [w.split(": ")[1] for w in found] == ["slo.x.sli", "slo.x.sli.error_ratio_query"]
    assert len(warnings(with_sli(f"error_ratio_query = '{RATIO.format('{{ .window }}')}'"))) == 1


def test_the_range_of_a_recorded_series_is_its_rules_choice() -> None:
    assert len(warnings(with_sli("error_ratio_query = 'job:errors:ratio_rate5m'"))) == 1


def test_a_query_that_cannot_be_counted_is_an_error_of_its_slo_alone() -> None:
    found = lint(parse(with_sli("error_ratio_query = 'x[5m]'", more=SLO.replace("x]", "y]")), "c"))
    assert [(f.level, f.line, f.key) for f in found] == [
        ("error", 9, "slo.x.sli.error_ratio_query")
    ]


SCRAPE = '[source.s]\ntype = "scrape"\ntargets = ["http://h:80/metrics", "http://i/metrics"]\n'


@pytest.mark.parametrize(
    ("matcher", "labels", "finding"),
    [
        ('job="app"', 'labels = { job = "web" }', "can never match: source 's' gives job='web'"),
        ('instance="x:80"', "", "gives instance='h:80' or instance='i:80'"),
    ],
)
def test_a_selector_that_no_scraped_series_can_match_is_told(
    matcher: str, labels: str, finding: str
) -> None:
    assert finding in only(
        with_sli(f"gauge = 'up{{{matcher}}}', good = '> 0'", SCRAPE + labels + "\n")
    )


@pytest.mark.parametrize(
    ("matcher", "labels"),
    [
        ('job="app"', 'labels = { job = "app" }'),
        ('job!="x"', ""),
        ('instance=~"i:.*"', ""),
        ('job="app"', 'discover = { file = "x.json" }'),
        # A page that passes others on may have it.
        ('job="app"', ""),
    ],
)
def test_a_selector_that_can_match_is_fine(matcher: str, labels: str) -> None:
    sli = f"gauge = 'up{{{matcher}}}', good = '> 0'"
    assert warnings(with_sli(sli, SCRAPE + labels + "\n")) == []


def test_a_target_label_that_is_the_same_everywhere_is_told() -> None:
    labels = 'labels = { job = "app", cluster = "c" }\n'
    sli = "gauge = 'up', good = '> 0'"
    found = only(with_sli(sli, SCRAPE + labels + 'target_labels = ["cluster", "instance"]\n'))
    assert found.startswith("8: source.s.target_labels[0]: 'cluster' tells no processes apart")
    assert warnings(with_sli(sli, SCRAPE + labels)) == []


def test_grouping_by_a_label_with_one_value_is_told() -> None:
    text = CLEAN + 'group_by = ["b"]\n'
    assert only(text) == "10: slo.x.group_by[0]: 'b' has one value only, 'bad' asks for it with '='"


def test_sources_without_targets_or_users_are_told() -> None:
    text = CLEAN + 'source = "s"\n[source.t]\ntype = "scrape"\n'
    assert warnings(text) == [
        "11: source.t: no SLO uses it",
        "11: source.t: has neither 'targets' nor 'discover'; nothing is scraped",
    ]


def test_a_timeout_longer_than_the_interval_is_told() -> None:
    text = CLEAN.replace("[slo.x]", 'timeout = "20s"\n[slo.x]')
    assert only(text) == "7: source.s.timeout: is longer than the interval of 15s"


def test_a_severity_nobody_takes_is_told() -> None:
    text = CLEAN.replace("[source.s]", 'severities = ["pgae", "page"]\n[source.s]')
    assert warnings(text) == [
        "4: receiver.am.severities[0]: no rule has the severity 'pgae'; did you mean 'page'?",
        "8: slo.x: no receiver takes its alerts of the severity 'ticket'",
    ]


def test_a_password_in_a_url_or_header_is_told_but_not_repeated() -> None:
    text = CLEAN.replace("http://p", "http://u:s3cret@p").replace(
        "[slo.x]", 'headers = { Authorization = "s3cret" }\n[slo.x]'
    )
    found = warnings(text)
    assert [w.split(": ")[1] for w in found] == ["source.s", "source.s.headers.Authorization"]
    assert "s3cret" not in "".join(found)


def test_a_policy_nobody_uses_is_told() -> None:
    found = warnings(CLEAN + "[alert_policy.p]\nrules = []\n")
    assert [w.split(";")[0] for w in found] == [
        "10: alert_policy.p: no SLO uses it",
        "10: alert_policy.p: has no rules",
    ]


def test_a_peer_whose_certificate_is_not_checked_is_pointed_out() -> None:
    said = only(CLEAN.replace(SOURCE, SOURCE + "tls = { insecure_skip_verify = true }\n"))
    assert "source.s.tls.insecure_skip_verify: anybody on the way" in said
