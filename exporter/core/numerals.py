"""How numbers are written: for people, and every way in which programs write a bucket bound."""

from __future__ import annotations

from decimal import Decimal


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
    rounded = [Decimal(f"{abs(bound):.{digits}g}") for digits in (15, 16, 17)]
    for exact in (*rounded, Decimal(abs(bound))):
        whole, _, part = f"{exact:f}".lstrip("0").partition(".")
        part = part.rstrip("0")
        digits = f"{zeros}{whole}"
        forms |= {f"{digits}\\.{part}.*"} if part else {digits, f"{digits}\\.", f"{digits}\\.0.*"}
    return "|".join((*sorted(forms), ".*[eE].*"))
