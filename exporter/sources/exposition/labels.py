"""Label sets of a page: read once for each series, written in one canonical way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from math import inf, isfinite, isnan

from exporter.core.selector import METRIC_NAME, NAME, label_text, quote

STRING = rb'"((?:[^"\\\n]++|\\.)*+)"'
_NAME = rb"[a-zA-Z_][a-zA-Z0-9_]*+"
_PAIR = re.compile(
    rb"[ \t]*+(?:(" + _NAME + rb")|" + STRING + rb")[ \t]*+=[ \t]*+" + STRING + rb"[ \t]*+(?:,|\Z)"
)
_METRIC = re.compile(rb"[ \t]*+" + STRING + rb"[ \t]*+(?:,|\Z)")
_ESCAPE = re.compile(rb'\\([\\"n])')


def parse_labels(inside: bytes) -> tuple[str | None, dict[str, str]] | None:
    """The inside of a line's braces: the metric's name, where it stands there as a string of its
    own (UTF-8 names), and the labels. None when it is malformed."""
    at, name = 0, None
    out: dict[str, str] = {}
    try:
        if metric := _METRIC.match(inside):
            at, name = metric.end(), unescape(metric[1]).decode()
        while found := _PAIR.match(inside, at):
            label = (found[1] if found[1] is not None else unescape(found[2])).decode()
            if label in out or label in ("", NAME):
                return None
            out[label] = unescape(found[3]).decode()
            at = found.end()
    except UnicodeDecodeError:
        return None
    return None if inside[at:].strip(b" \t") else (name, out)


def unescape(raw: bytes) -> bytes:
    r"""`\\`, `\"` and `\n` as what they stand for; any other backslash stands for itself."""
    if b"\\" not in raw:
        return raw
    return _ESCAPE.sub(lambda found: b"\n" if found[1] == b"n" else found[1], raw)


def canonical(name: str, labels: Mapping[str, str]) -> str:
    """`name{a="b",c="d"}` with sorted labels: the same for the same series in every format."""
    inside = [f"{label_text(k)}={quote(labels[k])}" for k in sorted(labels)]
    if name and not METRIC_NAME.fullmatch(name):
        inside.insert(0, quote(name))
        name = ""
    return f"{name}{{{','.join(inside)}}}" if inside else name


def bound(value: float) -> str:
    """A bucket's bound or a quantile as Go's clients write it: `0.5`, `1`, `1e+06`, `+Inf`.

    Source: Go's strconv.FormatFloat(value, 'g', -1, 64): the shortest digits that say the number,
    with an exponent when it is under -4 or over 5.
    """
    if isnan(value):
        return "NaN"
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    if not value:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    power = len(digits) - 1 + int(exponent)
    if -4 <= power <= 5:
        return repr(value).removesuffix(".0")
    mantissa = "".join(map(str, digits))
    if len(mantissa) > 1:
        mantissa = f"{mantissa[0]}.{mantissa[1:]}"
    return f"{'-' * sign}{mantissa}e{power:+03d}"


def parse_bound(text: str) -> float | None:
    """A bound or quantile as a number; None where the text is not one."""
    # Python would also take 1_000.
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def spellings(text: str) -> tuple[str, ...]:
    """The ways in which clients write the same bound or quantile; only itself where it is no
    number: `1`, `1.0`, `1000000`, `1e+06`, `0.00000025`."""
    value = parse_bound(text)
    if value is None:
        return (text,)
    short = bound(value)
    forms = [text, short, repr(value)]
    if isfinite(value):
        plain = f"{Decimal(repr(value)):f}".removesuffix(".0")
        forms += [plain, plain if "." in plain else f"{plain}.0"]
    return tuple(dict.fromkeys(forms))
