"""A metric of which a target has one sample, such as the start of its process."""

from __future__ import annotations

from exporter.sources.exposition.lines import name_of, parse_key, parse_rest


def only_value(body: bytes, name: str) -> float | None:
    """Its value; None when there is none, or several: then they are not of the target itself, as
    on pages that pass on what they were pushed."""
    needle, end = name.encode(), len(body)
    value: float | None = None
    # Backwards, which is how CPython searches bytes fastest.
    while (at := body.rfind(needle, 0, end)) >= 0:
        stop = body.find(b"\n", at)
        end = body.rfind(b"\n", 0, at) + 1
        line = body[end : stop if stop >= 0 else len(body)].lstrip(b" \t")
        key = parse_key(line) if name_of(line) == name else None
        parsed = parse_rest(line[key.length :]) if key else None
        if parsed is not None:
            if value is not None:
                return None
            value = parsed[0]
    return value
