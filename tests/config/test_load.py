from __future__ import annotations

import re
from pathlib import Path

import pytest

from exporter.config.load import Config, load, parse
from exporter.config.receivers import WebhookReceiver
from exporter.config.settings import PrometheusSource, ScrapeSource
from exporter.core.slo import BudgetStep, Calendar, Window
from exporter.errors import ConfigError

SOURCE = """\
[source.prom]
type = "prometheus"
url = "http://127.0.0.1:9090"
"""
SLO = """\
[slo.checkout]
objective = 99.9
sli = { bad = 'errors_total', total = 'requests_total' }
"""


def findings(text: str) -> list[str]:
    """Every finding on this text, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.toml")
    return [f.removeprefix("c.toml:").strip() for f in caught.value.findings]


def slo_of(lines: str, source: str = SOURCE) -> Config:
    return parse(f"{source}{SLO}{lines}", "c.toml")


# --- what is read ---------------------------------------------------------------------------------


def test_the_example_configuration_loads() -> None:
    config = load(Path(__file__).parents[2] / "config.toml")
    assert [slo.name for slo in config.slos] == ["sources-up"]
    assert config.sources["self"].name == "self"


def test_every_commented_example_in_it_is_valid_too() -> None:
    text = (Path(__file__).parents[2] / "config.toml").read_text("utf-8")
    lines = [re.sub(r"^# (?=\[|\]|  \{|[a-z_]+ = )", "", line) for line in text.splitlines()]
    # Each way of discovery stands there for itself, and so does each way to log in.
    ways = [line for line in lines if line.startswith(("discover", "basic_auth", "bearer_token"))]
    assert len(ways) == 6
    rest = [line for line in lines if line not in ways]
    for way in ways:
        table = "[source.prom]" if "discover" not in way else "[source.app]"
        at = rest.index(table) + 1
        config = parse("\n".join([*rest[:at], way, *rest[at:]]), "c.toml")
        assert (len(config.slos), len(config.sources), len(config.receivers)) == (6, 3, 3)
        assert config.report and config.grafana and len(config.watches) == 1


def test_an_empty_file_is_a_configuration_with_defaults() -> None:
    config = parse("", "c.toml")
    assert (config.slos, config.sources, config.receivers) == ((), {}, {})
    assert config.server.listen == "127.0.0.1:9947"


def test_what_an_slo_leaves_out_has_the_documented_defaults() -> None:
    (slo,) = slo_of("").slos
    assert (slo.name, slo.service, slo.source) == ("checkout", "checkout", "prom")
    assert slo.period == Window("30d", 30 * 86400.0)
    assert slo.interval == 15.0
    assert [round(r.rate, 9) for r in slo.rules] == [14.4, 6, 3, 1]
    assert [(r.severity, r.long.label, r.short.label) for r in slo.rules] == [
        ("page", "1h", "5m"),
        ("page", "6h", "30m"),
        ("ticket", "1d", "2h"),
        ("ticket", "3d", "6h"),
    ]
    assert slo.steps == (
        BudgetStep(0.0, "exhausted", gate_open=False),
        BudgetStep(0.25, "freeze_discussion"),
        BudgetStep(0.5, "warning"),
    )


@pytest.mark.parametrize(
    ("percent", "ratio"),
    [("99.9", 0.999), ("99", 0.99), ("99.95", 0.9995), ("99.999", 0.99999), ("58.7", 0.587)],
)
def test_the_objective_is_the_exact_decimal(percent: str, ratio: float) -> None:
    (slo,) = parse(SOURCE + SLO.replace("99.9", percent), "c.toml").slos
    assert slo.objective == ratio


def test_a_calendar_period_may_name_its_time_zone() -> None:
    (slo,) = slo_of('window = { calendar = "month", timezone = "Europe/Berlin" }').slos
    assert slo.period == Calendar("month", "Europe/Berlin")
    (slo,) = slo_of('window = { calendar = "week" }').slos
    assert slo.period == Calendar("week", "UTC")
    # A calendar week is a short period; its windows shrink and the rates stay.
    assert [(r.long.label, r.short.label, r.rate) for r in slo.rules] == [
        ("14m", "1m10s", pytest.approx(14.4)),
        ("1h24m", "7m", pytest.approx(6)),
        ("5h36m", "28m", pytest.approx(3)),
        ("16h48m", "1h24m", pytest.approx(1)),
    ]


def test_a_window_is_spelled_as_in_the_file() -> None:
    (slo,) = slo_of('window = "4w"').slos
    assert slo.period.label == "4w"
    assert slo.rules[0].rate == pytest.approx(13.44)


def test_edges_are_read_as_what_their_type_says() -> None:
    config = parse(
        """
[source.a]
type = "scrape"
targets = ["http://a/metrics"]
interval = "500ms"
labels = { job = "a" }
discover = { file = "t/*.json", kubernetes = { port = 8080 } }
[source.b]
type = "prometheus"
url = "https://b/prometheus"
basic_auth = { username = "u", password_env = "P" }
[receiver.h]
type = "webhook"
url = "http://h/"
severities = ["page"]
secret_file = "s"
[receiver.am]
type = "alertmanager"
url = ["http://x:9093", "http://y:9093"]
""",
        "c.toml",
    )
    a, b, h = config.sources["a"], config.sources["b"], config.receivers["h"]
    assert isinstance(a, ScrapeSource)
    assert isinstance(b, PrometheusSource)
    assert isinstance(h, WebhookReceiver)
    assert (a.interval, a.labels, a.name) == (0.5, {"job": "a"}, "a")
    assert a.discover is not None
    assert a.discover.kubernetes is not None
    assert a.discover.kubernetes.port == 8080
    assert b.basic_auth is not None
    assert b.basic_auth.password_env == "P"
    assert h.severities == ("page",)


def test_a_policy_of_the_file_replaces_the_built_in_one_of_its_name() -> None:
    (slo,) = slo_of(
        """
[alert_policy.workbook]
min_events = 100
confidence = 0.95
rules = [
  { severity = "page", burn_rate = 10, long = "10s", short = "1s" },
  { severity = "page", budget = 0.1, long = "3d", short = "6h", min_events = 7, confidence = 0.9 },
]
[budget_policy.default]
steps = [{ below = 0.5, state = "b" }, { below = -1, state = "a", gate = "closed" }]
"""
    ).slos
    assert [(r.rate, r.min_events, r.confidence) for r in slo.rules] == [
        (10, 100, 0.95),
        (1, 7, 0.9),
    ]
    assert slo.steps == (BudgetStep(-1, "a", gate_open=False), BudgetStep(0.5, "b"))


# --- what is refused ------------------------------------------------------------------------------


def test_all_faults_are_reported_at_once_in_the_order_of_the_file() -> None:
    assert findings(
        """\
[sevrer]
[source.a]
type = "scrap"
[source.b]
type = "prometheus"
url = "b:9090"
interval = 15
[slo.x]
objektive = 99
sli = { total = "t" }
[slo.y]
objective = 100
source = "prom"
"""
    ) == [
        "1: sevrer: unknown section 'sevrer'; did you mean 'server'?",
        "3: source.a.type: unknown type 'scrap'; did you mean 'scrape'?",
        (
            "6: source.b.url: not an http or https URL with a host; "
            'write it like "http://127.0.0.1:9090"'
        ),
        (
            "7: source.b.interval: must be a duration in quotes, not a whole number; "
            'with its unit, like "15s"'
        ),
        "8: slo.x: the key 'objective' is missing",
        "8: slo.x: the key 'source' is missing; there is more than one: a, b",
        "9: slo.x.objektive: unknown key 'objektive'; did you mean 'objective'?",
        "10: slo.x.sli: 'total' alone does not make a ratio; give 'good' or 'bad' too",
        "11: slo.y: the key 'sli' is missing",
        (
            "12: slo.y.objective: must be a percentage above 0 and below 100, not 100; "
            "100 leaves no error budget"
        ),
        "13: slo.y.source: unknown source 'prom'; there is a, b",
    ]


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("objective = 0", "slo.checkout.objective: must be a percentage"),
        ("objective = nan", "slo.checkout.objective: must be a percentage"),
        ('objective = "99"', "slo.checkout.objective: must be a number, not a string"),
        ("objective = 1e400", "slo.checkout.objective: must be a percentage"),
    ],
)
def test_an_objective_is_a_percentage(line: str, finding: str) -> None:
    (found,) = findings(SOURCE + SLO.replace("objective = 99.9", line))
    assert found.startswith(f"5: {finding}")


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ('window = "0s"', "window: must be longer than 0"),
        ("window = 30", "window: must be a duration in quotes"),
        ('window = "1x"', "window: not a duration: '1x'"),
        ('window = { calendar = "mont" }', "window.calendar: unknown period 'mont'; did you mean"),
        (
            'window = { calendar = "day", timezone = "Europe/Berln" }',
            "window.timezone: unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
        ),
        ('window = { calendar = "day", timezone = "../x" }', "window.timezone: unknown time zone"),
        ('source = "pro"', "source: unknown source 'pro'; did you mean 'prom'?"),
        ('alert_policy = "workbok"', "alert_policy: unknown policy 'workbok'; did you mean"),
        ('budget_policy = "x"', "budget_policy: unknown policy 'x'; there is default"),
        ('labels = { slo = "x" }', "labels.slo: the label 'slo' is slod's own"),
        ('labels = { __x = "x" }', "labels.__x: the label '__x' is slod's own"),
        ('labels = { "a-b" = "x" }', "labels.a-b: not a label name"),
        ("labels = { team = 3 }", "labels.team: must be a string, not a whole number"),
        ('group_by = ["le"]', "group_by[0]: the label 'le' is slod's own"),
        ('labels = { a = "x" }\ngroup_by = ["a"]', "group_by[0]: the label 'a' is given twice"),
        ("max_groups = 0", "max_groups: must be at least 1, not 0"),
        ('service = "a/b"', "service: not a usable name"),
    ],
)
def test_a_faulty_key_of_an_slo_is_named(line: str, finding: str) -> None:
    (found,) = findings(f"{SOURCE}{SLO}{line}")
    number, _, rest = found.partition(": ")
    assert int(number) == 7 + line.count("\n")
    assert rest.startswith(f"slo.checkout.{finding}")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ('[server]\nlisten = "localhost"', "2: server.listen: not an address: 'localhost'"),
        ('[server]\nlisten = "a:99999"', "2: server.listen: not an address"),
        ('[server]\ncompat = ["slot"]', "2: server.compat[0]: unknown value 'slot'; did you mean"),
        ('[server]\nexternal_url = "x"', "2: server.external_url: not an http or https URL"),
        (
            '[server]\nexternal_url = "https://slod.example/?a=1"',
            "2: server.external_url: has a query or a fragment",
        ),
        ('[state]\npath = ""', "2: state.path: is empty"),
        ('[log]\nlevel = "warn"', "2: log.level: unknown value 'warn'; did you mean 'warning'?"),
        ("slo = 3", "1: slo: must be tables with a name: [slo.NAME]"),
        ("[[slo]]", "1: slo: must be tables with a name: [slo.NAME]"),
        ("slo.x = 3", "1: slo.x: must be a table with a name: [slo.NAME]"),
        ("[source.a]", "1: source.a: the key 'type' is missing; there is prometheus, scrape"),
    ],
)
def test_a_faulty_section_is_named(text: str, finding: str) -> None:
    (found,) = findings(text)
    assert found.startswith(finding)


@pytest.mark.parametrize(
    ("lines", "finding"),
    [
        ('password = "x"', "4: source.prom.password: unknown key"),
        (
            'bearer_token = "s3cret"',
            (
                "4: source.prom.bearer_token: a secret may not stand in the file; "
                "give 'bearer_token_file' or 'bearer_token_env'"
            ),
        ),
        (
            'basic_auth = { username = "u", password_file = "f", password = "s3cret" }',
            "4: source.prom.basic_auth.password: a secret may not stand in the file",
        ),
        ('basic_auth = { username = "u" }', "4: source.prom.basic_auth: must have one of"),
        (
            'bearer_token_file = "f"\nbearer_token_env = "E"',
            "5: source.prom.bearer_token_env: 'bearer_token_file' is given too",
        ),
        ('name = "x"', "4: source.prom.name: stands in the table's header already"),
        ('interval = "0s"', "4: source.prom.interval: must be longer than 0"),
        ("concurrency = 0", "4: source.prom.concurrency: must be at least 1"),
        ('tls = { ca_fil = "x" }', "4: source.prom.tls.ca_fil: unknown key 'ca_fil'; did you"),
        ('target_labels = ["a b"]', "4: source.prom.target_labels[0]: not a label name: 'a b'"),
        ('target_labels = ["__x"]', "4: source.prom.target_labels[0]: not a label name: '__x'"),
        ('target_labels = [""]', "4: source.prom.target_labels[0]: not a label name: ''"),
        (
            'target_labels = ["a", "le"]',
            "4: source.prom.target_labels[1]: 'le' tells buckets apart",
        ),
        ('target_labels = ["a", "a"]', "4: source.prom.target_labels[1]: 'a' is given twice"),
        ('target_labels = "a"', "4: source.prom.target_labels: must be a list, not a string"),
    ],
)
def test_a_faulty_source_is_named_and_its_secrets_are_not(lines: str, finding: str) -> None:
    (found,) = findings(SOURCE + lines)
    assert found.startswith(finding)
    assert "s3cret" not in found


@pytest.mark.parametrize("kind", ['"prometheus"\nurl = "http://p"', '"scrape"\ntargets = ["a:1"]'])
def test_labels_that_tell_processes_apart_are_names(kind: str) -> None:
    text = f'[source.s]\ntype = {kind}\ntarget_labels = ["cluster", "k8s.pod.name", "_a1"]\n'
    source = parse(text, "c.toml").sources["s"]
    assert source.target_labels == ("cluster", "k8s.pod.name", "_a1")
    (found,) = findings(text.replace("_a1", "1a"))
    assert found.startswith("4: source.s.target_labels[2]: not a label name: '1a'")


def test_pages_that_pass_others_on_have_instance_and_job_unless_something_else_is_said() -> None:
    text = '[source.a]\ntype = "scrape"\ntargets = ["h:1"]\n'
    for more, expected in (("", ("instance", "job")), ("target_labels = []", ())):
        source = parse(text + more, "c.toml").sources["a"]
        assert source.target_labels == expected
    (found,) = findings(text + 'target_label = ["a"]')
    assert "did you mean 'target_labels'" in found


def test_a_faulty_url_is_not_repeated_for_it_may_hold_a_password() -> None:
    (found,) = findings('[receiver.h]\ntype = "webhook"\nurl = "htp://u:s3cret@h/"')
    assert found.startswith("3: receiver.h.url: not an http or https URL")
    assert "s3cret" not in found


@pytest.mark.parametrize(
    ("rule", "finding"),
    [
        ('{ severity = "p", long = "1h", short = "5m" }', "rules[0]: must have exactly one of"),
        (
            '{ severity = "p", budget = 0.1, burn_rate = 3, long = "1h", short = "5m" }',
            "rules[0]: must have exactly one of 'budget' and 'burn_rate'",
        ),
        (
            '{ severity = "p", budget = 2, long = "1h", short = "5m" }',
            "rules[0].budget: must be a share like 0.02, not 2",
        ),
        (
            '{ severity = "p", burn_rate = 0, long = "1h", short = "5m" }',
            "rules[0].burn_rate: must be above 0",
        ),
        (
            '{ severity = "p", burn_rate = 3, long = "5m", short = "5m" }',
            "rules[0].short: must be shorter than 'long', which is 5m, not 5m",
        ),
        (
            '{ severity = "p", burn_rate = 3, long = "1h", short = "5m", confidence = 0.5 }',
            "rules[0].confidence: must be above 0.5 and below 1",
        ),
        ('{ severity = "p", burn_rate = 3, short = "5m" }', "rules[0]: the key 'long' is missing"),
    ],
)
def test_a_faulty_rule_is_named(rule: str, finding: str) -> None:
    (found,) = findings(f"[alert_policy.p]\nrules = [\n  {rule}\n]")
    assert found.startswith(f"3: alert_policy.p.{finding}")


def test_two_rules_with_the_same_severity_and_windows_are_refused() -> None:
    rule = '{ severity = "p", burn_rate = 3, long = "1h", short = "5m" }'
    (found,) = findings(f"[alert_policy.p]\nrules = [\n{rule},\n{rule}]")
    assert found.startswith("4: alert_policy.p.rules[1]: has the severity and windows of rules[0]")


def test_a_rule_must_not_look_back_further_than_the_period() -> None:
    policy = '[alert_policy.p]\nrules = [{ severity="p", burn_rate=3, long="2d", short="5m" }]'
    (found,) = findings(f'{SOURCE}{SLO}window = "1d"\nalert_policy = "p"\n{policy}')
    assert found == (
        "7: slo.checkout.window: is 1d, but alert_policy.p.rules[0] looks back 2d; "
        "use a longer window or another alert_policy"
    )


@pytest.mark.parametrize(
    ("steps", "finding"),
    [
        ('{ below = 50, state = "a" }', "steps[0].below: must be a share of the budget"),
        ('{ below = 0.5, state = "ok" }', "steps[0].state: 'ok' is the state above all steps"),
        ('{ below = 0.5, state = "" }', "steps[0].state: is empty"),
        ('{ below = 0.5, state = "a", gate = "shut" }', "steps[0].gate: unknown value 'shut'"),
        (
            '{ below = 0.5, state = "a" }, { below = 0.1, state = "a" }',
            "steps[1].state: 'a' stands in steps[0] already",
        ),
    ],
)
def test_a_faulty_budget_step_is_named(steps: str, finding: str) -> None:
    (found,) = findings(f"[budget_policy.b]\nsteps = [{steps}]")
    assert found.startswith(f"2: budget_policy.b.{finding}")


def test_an_slo_is_not_blamed_for_its_faulty_source() -> None:
    (found,) = findings(SOURCE.replace("http://127.0.0.1:9090", "x") + SLO)
    assert found.startswith("3: source.prom.url")


# --- the file itself ------------------------------------------------------------------------------


def test_broken_toml_names_line_and_column() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a = 1\nb = = 2\n", "c.toml")
    assert caught.value.findings == ("c.toml:2:5: not TOML: invalid value",)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml: there is no such file; name .* with -c"):
        load(tmp_path / "no.toml")


def test_a_directory_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"# one\n# f\xfcr\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.findings == (f"{path}:2: not UTF-8; save the file as UTF-8",)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000 + "]" * 5000, "a = 1" + "0" * 5000])
def test_absurd_toml_is_an_error_and_not_a_traceback(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, "c.toml")
