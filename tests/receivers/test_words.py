"""Templates: what is found when the file is read, what when an alert is told, and their bounds."""

from __future__ import annotations

from collections import Counter

import pytest

from exporter.config.load import parse
from exporter.config.templates import MOST, TemplateFault, check_template, render
from exporter.core.notification import Notification, Reason
from exporter.errors import ConfigError
from exporter.receivers.words import Writer
from tests.receivers.kit import FIRING, LABELS, NOTES, RESOLVED, SINCE, SLOD


def writer(**templates: str) -> tuple[Writer, Counter[tuple[str, str]]]:
    counted: Counter[tuple[str, str]] = Counter()
    made = Writer("told", SLOD, templates, lambda *what: counted.update([what]))
    return made, counted


def test_every_documented_variable_is_there() -> None:
    asks = (
        "{{ alertname }} {{ status }} {{ slo }} {{ service }} {{ severity }} {{ fingerprint }} "
        "{{ labels.slo }} {{ annotations.owner }} {{ starts_at }} {{ ends_at }} {{ external_url }} "
        "{{ receiver }} {{ title }}"
    )
    check_template(asks + "{{ text }}")
    made, counted = writer(text=asks)
    assert made.words(FIRING).text == (
        "ErrorBudgetBurn firing checkout-availability checkout page 00ff checkout-availability "
        "payments 2023-11-14T22:13:20.250Z  https://slod.example told "
        "[page] checkout: error budget burns 20.0x over 1h"
    )
    assert "resolved" in made.words(RESOLVED).text
    assert "2023-11-14T22:23:20.000Z" in made.words(RESOLVED).text
    assert not counted


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ slo", "not a template: "),
        ("{% if slo %}", "not a template: "),
        ("{{ slo | nofilter }}", "not a template: No filter named 'nofilter'"),
        ("{{ owner }}", "unknown variable 'owner'; there is alertname, annotations, "),
        ("{{ severty }}", "unknown variable 'severty'; did you mean 'severity'?"),
        ("{{ range(9) }}", "unknown variable 'range'"),
    ],
)
def test_a_faulty_template_is_one_line_that_names_its_key(template: str, said: str) -> None:
    text = (
        '[receiver.chat]\ntype = "slack"\nurl_env = "X"\n[receiver.chat.templates]\n'
        f'title = "{template}"\n'
    )
    with pytest.raises(ConfigError) as caught:
        parse(text, "slod.toml")
    [found] = caught.value.findings
    assert found.startswith("slod.toml:5: receiver.chat.templates.title: " + said)


@pytest.mark.parametrize(
    "template",
    [
        "{{ labels.nowhere }}",
        "{{ labels.nowhere.deeper }}",
        "{{ 'x' * 99999999 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ slo.ljust(999999999) }}",
        "{{ labels.clear() }}",
        "{{ labels.__class__.__mro__ }}",
        "{{ 1 // 0 }}",
        "{% for a in annotations.report %}{{ annotations.report }}{% endfor %}",
    ],
)
def test_a_template_that_fails_costs_its_words_and_not_the_alert(template: str) -> None:
    made, counted = writer(title=template)
    notes = {**NOTES, "report": "x" * 1000}
    alert = Notification("k", "f", Reason.FIRING, LABELS, notes, SINCE, None)
    assert made.words(alert).title == "[page] checkout: error budget burns 20.0x over 1h"
    assert counted == {("told", "template_error"): 1}
    assert alert.labels == LABELS


def test_a_text_is_never_longer_than_its_bound() -> None:
    with pytest.raises(TemplateFault, match="longer than"):
        render("{{ text }}{{ text }}", {"text": "x" * (MOST // 2 + 1)})


def test_a_text_can_always_be_sent() -> None:
    assert render("{{ '\\ud800' }}x", {}).encode() == b"?x"


def test_a_report_is_the_text_where_there_is_one() -> None:
    alert = Notification("k", "f", Reason.FIRING, {}, {"report": "# Review\n\n- a"}, SINCE, None)
    made, _ = writer()
    assert made.words(alert).text == "# Review\n\n- a"
    assert made.plain(alert)[1].startswith("# Review\n\n- a\n\nSince: ")


def test_a_runbook_that_is_no_web_address_is_no_link() -> None:
    notes = {"runbook_url": "javascript:alert(1)"}
    alert = Notification("k", "f", Reason.FIRING, {}, notes, SINCE, None)
    assert writer()[0].words(alert).links == (("slod", "https://slod.example/"),)
