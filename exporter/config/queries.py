"""The queries of an SLI: parsed, and the unit of each decided.

A fault of a query is one of its SLO and not of the file: `check` reports it as an error, and the
daemon runs without that SLO's counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter.config.findings import Findings, nearest
from exporter.config.lines import Path
from exporter.core.query_sli import QuerySLI, Scale
from exporter.core.selector import Query

UNITS = ("events", "rate", "ratio")
_CHOICE = (
    'give unit = "events" (events since the answer before, which is a {{.window}} old), '
    '"rate" (events per second) or "ratio" (a share, 0 to 1)'
)
_DIALECT = (
    'if the server knows it all the same (MetricsQL, a newer Prometheus), give unit = "…" too'
)
_NOT_PROMQL = (
    "is not PromQL as slod knows it ({why}); it goes to the server as it is, which must know it "
    "(MetricsQL, a newer Prometheus)"
)


def read_queries(
    texts: Mapping[str, str], unit: str | None, path: Path, findings: Findings
) -> QuerySLI:
    """The SLI of these queries, by role; `findings.faults` say why it cannot be counted.

    Args:
        texts: the queries by role: `good`, `bad`, `total`, `error_ratio`.
        unit: the file's own word on what cannot be told from a query.
        path: of the SLI's table.
    """
    reader = _Reader(unit, path, findings)
    scales = {role: scale for role, text in texts.items() if (scale := reader.read(role, text))}
    if len(scales) == len(texts):
        reader.compare(scales)
    return QuerySLI(**{role: Query(text) for role, text in texts.items()}, scales=scales)


class _Reader:
    """Reads the queries of one SLI and collects what is wrong with them."""

    def __init__(self, unit: str | None, path: Path, findings: Findings) -> None:
        self._unit = unit
        self._path = path
        self._findings = findings
        self._contradicted: list[str] = []
        self._needed = False
        """The file's unit decided one of the queries."""

    def read(self, role: str, text: str) -> Scale | None:
        """The unit of one query; None when it is faulty or cannot be told."""
        # Late, since most configurations have no query, and the parser takes time to load.
        from exporter.config.promql_unit import meaning
        from exporter.config.unit_algebra import NUMBER, RATIO

        try:
            found = meaning(text)
        except ValueError as error:
            return self._unread(role, text, str(error))
        if found.is_percent:
            self._fault(role, "gives percent; leave out the 100: a ratio is 0 to 1")
            return None
        if role == "error_ratio":
            return self._error_ratio(role, found.unit, found.sure, found.is_counter, found.name)
        if found.unit in UNITS:
            scale = Scale(found.unit, found.over)
            if self._unit in (None, found.unit):
                return scale
            if found.sure:
                self._contradicted.append(f"{role}_query gives {_noun(found.unit)}")
                return scale
        self._needed = True
        if self._unit is not None:
            return Scale(self._unit)
        if found.unit == NUMBER and role == "total":
            # Of ratios the whole is a number, 1 as a rule; `compare` sees to it.
            self._needed = False
            return Scale(RATIO)
        self._fault(role, self._cannot_tell(found.is_counter, found.name, found.why))
        return None

    def compare(self, scales: Mapping[str, Scale]) -> None:
        """Check that the queries fit each other, and the unit of the file one of them."""
        if self._contradicted and not self._needed:
            said = " and ".join(self._contradicted)
            self._findings.fault(
                (*self._path, "unit"), f"is {self._unit!r}, but {said}; leave it out"
            )
        ratios = [role for role, scale in scales.items() if scale.unit == "ratio"]
        if ratios and len(ratios) < len(scales):
            (ratio,), (other,) = ratios, [role for role in scales if role not in ratios]
            self._fault(
                ratio,
                f"gives a ratio, and {other}_query {_noun(scales[other].unit)}; "
                "give events in both, or error_ratio_query alone",
            )

    def _error_ratio(
        self, role: str, unit: str, sure: bool, is_counter: bool, name: str
    ) -> Scale | None:
        if self._unit not in (None, "ratio"):
            self._findings.fault(
                (*self._path, "unit"), f"is {self._unit!r}, but error_ratio_query is a ratio"
            )
        elif sure and unit in ("events", "rate"):
            self._fault(
                role,
                f"gives {_noun(unit)}, no ratio; divide them by those of all events, or give "
                "bad_query with total_query",
            )
        elif is_counter and self._unit is None:
            self._fault(role, _bare_counter(name))
        else:
            return Scale("ratio")
        return None

    def _unread(self, role: str, text: str, why: str) -> Scale | None:
        """A query that the parser refuses: an error, but where the file vouches for it."""
        from exporter.promql_text import is_balanced

        hint = _hint(text)
        if hint or why.startswith("gives ") or not is_balanced(text):
            self._fault(role, f"{why}{hint}")
            return None
        if self._unit is None:
            self._fault(role, f"{why}{_nearest_function(why) or ';'} {_DIALECT}")
            return None
        self._needed = True
        self._findings.warning(
            (*self._path, f"{role}_query"), _NOT_PROMQL.format(why=why.rpartition(": ")[2])
        )
        return Scale(self._unit)

    def _cannot_tell(self, is_counter: bool, name: str, why: str) -> str:
        if is_counter:
            return _bare_counter(name)
        reason = why or (f"{name} is a metric without a function" if name else "it has no function")
        return f"what it counts cannot be told: {reason}; {_CHOICE}"

    def _fault(self, role: str, message: str) -> None:
        self._findings.fault((*self._path, f"{role}_query"), message)


def _noun(unit: str) -> str:
    return {"events": "events", "rate": "events per second", "ratio": "a ratio"}[unit]


def _bare_counter(name: str) -> str:
    return (
        f"{name} is a counter, all since its process began; write increase({name}[{{{{.window}}}}])"
    )


def _hint(text: str) -> str:
    """What is surely meant otherwise, in whichever dialect."""
    from exporter.config.promql_unit import PLACEHOLDER

    rest = PLACEHOLDER.sub("", text)
    if "{{" in rest or "}}" in rest:
        return "; the placeholder is {{.window}}"
    if "$__" in rest or "${" in rest:
        return "; Grafana's variables mean nothing here, write {{.window}}"
    return ""


def _nearest_function(why: str) -> str:
    from exporter.config.promql_unit import FUNCTIONS

    before, _, name = why.partition("unknown function with name ")
    close = nearest(name.strip("'"), FUNCTIONS) if name and before else ""
    return close if close.startswith("; did") else ""
