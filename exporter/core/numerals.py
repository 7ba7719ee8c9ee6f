"""How numbers are written: for people, and every way in which programs write a bucket bound."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal

_FIRST = Context(prec=17, rounding=ROUND_DOWN)
"""The first digits of a number, as many as tell any two floats apart."""


def number_text(value: float) -> str:
    """Write a number as it can be put into the configuration: the shortest that TOML reads as the
    same one (`0.30000000000000004`, `1048576`, `1e+22`)."""
    return repr(float(value)).removesuffix(".0")


def spellings(bound: float) -> str:
    """A regular expression of every way to write a bucket bound, and of few others: `0.5`, `.50`,
    `0.500000`, `5e-1`; digits past the fifteenth may be off, as of 0.1 in 0.10000000000000001.

    No two programs write numbers alike, and a regular expression cannot compare them; so it takes
    all that have an exponent, and those that begin with the same digits. `exporter.core.linear`
    knows it for one that takes no engine but Python's.
    """
    zeros = "-0*" if bound < 0 else "[+0]*"
    forms = set()
    exact = Decimal(abs(bound))
    numbers = {Decimal(f"{abs(bound):.{digits}g}") for digits in (15, 16, 17)}
    # What is written with more digits begins with the first seventeen, or was rounded to those.
    numbers.add(exact if exact == exact.to_integral_value() else _FIRST.create_decimal(exact))
    for number in numbers:
        whole, _, part = f"{number:f}".lstrip("0").partition(".")
        part = part.rstrip("0")
        begin = f"{zeros}{whole}"
        forms |= {f"{begin}\\.{part}.*"} if part else {begin, f"{begin}\\.", f"{begin}\\.0.*"}
    return "|".join((*sorted(forms), ".*[eE].*"))
