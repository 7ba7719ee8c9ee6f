"""What a valid configuration probably does not mean: the warnings of `slod check`."""

from __future__ import annotations

from urllib.parse import urlsplit

from exporter.config.detection import highest_burn_rate
from exporter.config.duration import approximate
from exporter.config.findings import Finding, Findings, in_order, nearest
from exporter.config.lint_sli import lint_sli
from exporter.config.load import Config
from exporter.config.policies import shrinks
from exporter.config.receivers import AlertmanagerReceiver, Receiver
from exporter.config.settings import HTTP, PrometheusSource, ScrapeSource
from exporter.core.slo import SLO

__all__ = ["Finding", "lint"]

# A burn rate is too coarse on fewer polls than this.
_POLLS_PER_WINDOW = 4
# Below 1 a rule fires although the budget would last.
_LOW_RATE = 1.0


def lint(config: Config) -> list[Finding]:
    """Every warning, in the order of the file, and the errors of single SLOs; those of the whole
    file were raised when it was loaded."""
    before = [*config.keys.warnings, *config.keys.faults]
    findings = Findings(config.path, config.keys.lines, before)
    if not config.slos:
        findings.warning((), "there is no SLO; add a [slo.NAME] table")
    for slo in config.slos:
        name = config.keys.document["slo"][slo.name].get("alert_policy", "workbook")
        _lint_slo(slo, findings, shrunk=shrinks(config.alert_policies[name], slo.period))
        if slo.source:
            lint_sli(slo, config.sources[slo.source], findings)
    _lint_sources(config, findings)
    _lint_receivers(config, findings)
    _lint_policies(config, findings)
    return in_order(findings.found)


def _lint_slo(slo: SLO, findings: Findings, *, shrunk: bool) -> None:
    """`shrunk`: its windows are the built-in ones of a short period, two polls at least."""
    path = ("slo", slo.name)
    if slo.objective <= 0.01:
        findings.warning(
            (*path, "objective"),
            f"{slo.objective * 100:g} is read as percent; did you mean {slo.objective * 1e4:g}?",
        )
    if not slo.rules:
        findings.warning(path, "no alert rule applies to it; it will never fire")
    highest = highest_burn_rate(slo.objective)
    for rule in slo.rules:
        name = f"the {rule.severity} rule over {rule.long.label} and {rule.short.label}"
        if rule.rate * (1 + 1e-9) >= highest:
            findings.warning(
                path,
                f"{name} can never fire: it needs a burn rate above {rule.rate:g}, "
                f"but with everything failing it is {highest:.4g}",
            )
        elif rule.rate < _LOW_RATE:
            findings.warning(
                path,
                f"{name} fires above a burn rate of {rule.rate:.2g}, at which the budget outlasts "
                "the window; use a longer window or a policy with a higher burn rate",
            )
        if not shrunk and rule.short.seconds < _POLLS_PER_WINDOW * slo.interval:
            findings.warning(
                path,
                f"{name} sees fewer than {_POLLS_PER_WINDOW} polls in its short window; "
                f"source {slo.source!r} is polled every {approximate(slo.interval)}",
            )


def _lint_sources(config: Config, findings: Findings) -> None:
    used = {slo.source for slo in config.slos}
    for name, source in config.sources.items():
        path = ("source", name)
        if name not in used:
            findings.warning(path, "no SLO uses it")
        # The default timeout is nobody's choice, and so it is not complained about.
        given = "timeout" in config.keys.document["source"][name]
        if given and source.timeout > source.interval:
            findings.warning(
                (*path, "timeout"), f"is longer than the interval of {approximate(source.interval)}"
            )
        urls = (source.url,) if isinstance(source, PrometheusSource) else source.targets
        _lint_peer(urls, source, path, findings)
        if isinstance(source, ScrapeSource):
            for i, label in enumerate(source.target_labels):
                if (
                    label in source.labels
                    and "target_labels" in config.keys.document["source"][name]
                ):
                    findings.warning(
                        (*path, "target_labels", i),
                        f"{label!r} tells no processes apart: 'labels' gives it one value for all",
                    )
            if not source.targets and source.discover is None:
                findings.warning(path, "has neither 'targets' nor 'discover'; nothing is scraped")
            for i, target in enumerate(source.targets):
                if target in source.targets[:i]:
                    findings.warning((*path, "targets", i), "the target is given twice")


def _lint_receivers(config: Config, findings: Findings) -> None:
    if not config.receivers:
        findings.warning((), "there is no [receiver.NAME]; alerts are only shown, nobody is told")
        return
    severities = {rule.severity: slo.name for slo in config.slos for rule in slo.rules}
    for name, receiver in config.receivers.items():
        path = ("receiver", name)
        if isinstance(receiver, AlertmanagerReceiver):
            _lint_peer(receiver.urls, receiver, path, findings)
        elif isinstance(receiver, Receiver):
            # Where the URL itself is the secret it is not known here, and https anyway.
            url = getattr(receiver, "url", None)
            _lint_peer((url,) if isinstance(url, str) else (), receiver, path, findings)
        for i, severity in enumerate(receiver.severities):
            if severities and severity not in severities:
                findings.warning(
                    (*path, "severities", i),
                    f"no rule has the severity {severity!r}{nearest(severity, severities)}",
                )
    for severity, slo in severities.items():
        if all(r.severities and severity not in r.severities for r in config.receivers.values()):
            findings.warning(
                ("slo", slo), f"no receiver takes its alerts of the severity {severity!r}"
            )


def _lint_peer(
    urls: tuple[str, ...], peer: HTTP, path: tuple[str, ...], findings: Findings
) -> None:
    if peer.tls is not None and peer.tls.insecure_skip_verify:
        findings.warning(
            (*path, "tls", "insecure_skip_verify"),
            "anybody on the way can read and answer in its place; give its CA as ca_file",
        )
    if any(urlsplit(url).password for url in urls):
        findings.warning(path, "a URL holds a password; use basic_auth with password_file or _env")
    for header in peer.headers:
        if header.lower() in ("authorization", "proxy-authorization", "cookie"):
            findings.warning(
                (*path, "headers", header),
                "a secret stands in the file; use basic_auth or bearer_token_file",
            )


def _lint_policies(config: Config, findings: Findings) -> None:
    for section, default in (("alert_policy", "workbook"), ("budget_policy", "default")):
        tables = config.keys.document.get("slo", {}).values()
        used = {table.get(section, default) for table in tables}
        for name, policy in config.keys.document.get(section, {}).items():
            if name not in used:
                findings.warning((section, name), "no SLO uses it")
            if section == "alert_policy" and not policy.get("rules"):
                findings.warning((section, name), "has no rules; SLOs that use it never alert")
