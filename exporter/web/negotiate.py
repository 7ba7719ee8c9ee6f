"""What a client accepts: RFC 9110 quality values, as far as a metrics page needs them."""

from __future__ import annotations


def wants_openmetrics(accept: str) -> bool:
    """Whether OpenMetrics 1.x is preferred to the Prometheus text format, which is the default."""
    openmetrics = text = 0.0
    for name, parameters, quality in _ranges(accept):
        if name == "application/openmetrics-text":
            # A version other than 1 is one this page does not speak.
            if parameters.get("version", "1").split(".")[0] == "1":
                openmetrics = max(openmetrics, quality)
        elif name in ("text/plain", "text/*", "*/*"):
            text = max(text, quality)
    return openmetrics > text


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a gzip body may be sent; not by a mere absence of the header."""
    found = {name: quality for name, _, quality in _ranges(accept_encoding)}
    return found.get("gzip", found.get("x-gzip", found.get("*", 0.0))) > 0


def _ranges(header: str) -> list[tuple[str, dict[str, str], float]]:
    out = []
    for item in header.split(","):
        name, *rest = (part.strip() for part in item.split(";"))
        parameters = {}
        for part in rest:
            key, _, value = part.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if name:
            out.append((name.lower(), parameters, quality))
    return out
