"""The examples of docs/receivers.md, which tests read, so that what the page says works."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "receivers.md").read_text("utf-8")
EXAMPLES = {
    part.partition("\n")[0].lstrip("# "): part.split("```toml\n")[1].split("```")[0]
    for part in re.split(r"^(?=##+ )", PAGE, flags=re.MULTILINE)
    if "```toml" in part
}
"""By the heading above."""


def example(heading: str, *, folder: Path, **replaced: str) -> str:
    """One of them, with its secrets in this folder; `replaced` are keys with other values."""
    text = EXAMPLES[heading].replace("/etc/slod/", f"{folder}/")
    for key, value in replaced.items():
        text, count = re.subn(rf'^{key} = ("[^"]*"|\[.*\])', f"{key} = {value}", text, flags=re.M)
        assert count == 1, f"{heading} has no {key}"
    return text
