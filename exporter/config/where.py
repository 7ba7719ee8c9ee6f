"""Which SLOs something is for: a name, several names, or label matchers in braces.

Matchers look at the labels `slo`, `service` and the SLO's own.
"""

from __future__ import annotations

import re

from exporter.config.findings import Findings
from exporter.config.lines import Path
from exporter.core.selector import Matcher, parse_matchers


def parse_where(slos: str | tuple[str, ...], path: Path, findings: Findings) -> tuple[Matcher, ...]:
    """The matchers; none, and findings at `path`, when it cannot be read."""
    if isinstance(slos, str) and slos.strip().startswith("{"):
        text = slos.strip()
        if not text.endswith("}"):
            findings.error(path, f'not label matchers: {slos!r}; write them like {{service="x"}}')
            return ()
        try:
            return parse_matchers(text[1:-1])
        except ValueError as error:
            findings.error(path, str(error))
            return ()
    names = (slos,) if isinstance(slos, str) else slos
    if not names or not all(name.strip() for name in names):
        findings.error(path, 'is empty; name SLOs, or write label matchers like {service="x"}')
    if len(names) == 1:
        return (Matcher("slo", "=", names[0]),)
    return (Matcher("slo", "=~", "|".join(map(re.escape, names))),)
