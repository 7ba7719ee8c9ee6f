"""The only way of commands to the terminal: what others wrote does not steer it."""

from __future__ import annotations

import sys
from typing import Any

from exporter.printable import printable, printable_json


def say(text: str, end: str = "\n") -> None:
    """Write to standard output. Line ends are this program's own: a text of others that is put into
    `text` is made `printable` before, or it could forge lines."""
    sys.stdout.write(printable(text, keep="\n\t") + end)


def say_json(value: Any, indent: int | None = 2) -> None:
    """Write a value of JSON's types to standard output."""
    import json  # for scripts only

    say_json_text(json.dumps(value, indent=indent, ensure_ascii=False))


def say_json_text(text: str) -> None:
    """Write JSON to standard output; what it means stays."""
    sys.stdout.write(printable_json(text) + "\n")


def complain(text: str) -> None:
    """Write one line to standard error."""
    # A command that is watched leaves none of it behind in a buffer.
    print(printable(text), file=sys.stderr, flush=True)
