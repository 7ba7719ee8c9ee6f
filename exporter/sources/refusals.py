"""Why a server with Prometheus' HTTP API does not answer, or not with all it has: reasons by text.

Servers repeat the query in their errors (VictoriaMetrics all of it), and label values in their
warnings. So a text is searched for whole phrases only, after what is in quotes was taken out: a
misspelt function over `rate_limit_total` is a bad query, not a limit.

Sources, by text:
  Prometheus 2.42 to 3.5   promql/engine.go (samples), web/api (resolution), storage/fanout and
                           storage/remote (errors of remote reads become warnings)
  Cortex 1.21, Mimir 2     pkg/util/limiter, pkg/util/validation, err-mimir-* of the runbooks,
                           pkg/util/partialdata
  Thanos 0.39              pkg/store/proxy.go and proxy_merge.go, pkg/store/limiter.go
  VictoriaMetrics          app/vmselect/{netstorage,promql}, lib/storage: 1.79 to 1.145
"""

from __future__ import annotations

import re

from exporter.errors import SourceError

_LONGEST = 200
"""Characters of a server's text that are passed on."""
_ECHO = re.compile(
    r"error when (?:executing|exporting data for) query=\"(?:[^\"\\]|\\.)*+\""
    r" (?:for|on the time range) \([^)]*+\): ",
    re.DOTALL,
)
"""VictoriaMetrics' way to begin: the whole query, before the cause."""
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|`[^`]*+`", re.DOTALL)

_TOO_MUCH = re.compile(
    r"too many samples into memory"
    r"|exceeded maximum resolution of"
    r"|query time range exceeds the limit"
    r"|query hit the (?:max number of|aggregated) \w+(?: \w+)? limit"
    r"|query exceeded the (?:maximum (?:number|allowed)|aggregated)"
    r"|err-mimir-max-"
    r"|exceeded (?:series|samples|chunks|bytes) limit"
    r"|cannot select more than -search\.max"
    r"|number of (?:matching|unique) (?:unique )?timeseries exceeds"
    r"|cannot exceed -search\.maxPoints"
    r"|not enough memory for processing \d",
    re.IGNORECASE,
)
"""A smaller range may be answered."""

_TROUBLE = re.compile(
    r"rpc error|unavailable|connection refused|no such host|context (?:deadline exceeded|canceled)"
    r"|i/o timeout|timed? ?out|broken pipe|connection reset|too many (?:unhealthy|outstanding)"
    r"|at least \d+ (?:live|healthy)|internal error|expanding series:.*failed",
    re.IGNORECASE,
)
"""The server or one behind it, whatever the query."""

_PARTIAL = re.compile(
    r"rpc error|fetch series for|receive series from|failed to receive any data"
    r"|may not have processed all|remote (?:server|read)|remote_read|error sending request"
    r"|connection (?:refused|reset)|no such host|context (?:deadline exceeded|canceled)"
    r"|i/o timeout|timed? ?out|unavailable|unreachable|partial|incomplete|truncated"
    r"|not exhaustive|exceeded (?:series|samples|chunks|bytes|query) limit",
    re.IGNORECASE,
)
"""Warnings that some of the data are not in the answer."""

_PROMQL = re.compile(r"PromQL (?:info|warning):")
"""What the engine says of the query and of data that are there: every one of its annotations begins
so (Prometheus, util/annotations)."""
_NO_STORE = "No StoreAPIs matched"

_STATUS = {401: "unauthorized", 403: "unauthorized", 429: "rate_limited"}


class TooMuch(SourceError):
    """The server will not answer so much at once; a smaller range may do."""


def refusal(status: int, error: str, kind: str) -> SourceError:
    """What an answer that is none means; `error` and `kind` are the server's words, empty where it
    has not answered as Prometheus' API does.

    `TooMuch`: to be asked for less. `bad_query`: the fault of this query and of no other.
    """
    cause = _ECHO.sub("", error)
    text = " ".join(cause.split())[:_LONGEST] if cause else "not an answer of Prometheus' API"
    bare = _QUOTED.sub(" ", cause)
    if status == 413 or (status in (400, 422, 503) and _TOO_MUCH.search(bare)):
        return TooMuch("too_much", text)
    text = f"answered {status}: {text}"
    if status in _STATUS:
        return SourceError(_STATUS[status], text)
    if kind == "timeout":
        return SourceError("timeout", text)
    if kind == "bad_data" and status == 400:
        return SourceError("bad_query", text)
    # Prometheus evaluated it and could not (many-to-many); VictoriaMetrics could not parse it.
    if cause and status == 422 and not _TROUBLE.search(bare):
        return SourceError("bad_query", text)
    return SourceError("http_status" if status != 200 else "malformed", text)


def partial(warning: str, *, recent: bool) -> SourceError | None:
    """The error that a warning beside an answer is, None where all the data are there.

    No store that matches is the fault of the query when recent data are asked for: it names an
    external label that nobody has. Of the past it says that nobody kept it.
    """
    if _PROMQL.match(warning):
        return None
    if _NO_STORE in warning:
        return SourceError("bad_query", f"answered: {warning[:_LONGEST]}") if recent else None
    if _PARTIAL.search(_QUOTED.sub(" ", warning)):
        text = " ".join(warning.split())[:_LONGEST]
        return SourceError("partial", f"answered with a part of the data: {text}")
    return None
