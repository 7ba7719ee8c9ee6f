"""Fuzzing guided by coverage: `./dev fuzz SUBJECT [--minutes N]`, by hand, outside of the tests.

Atheris (libFuzzer for Python) makes inputs that reach new code, from the same seeds and tokens and
with the same checks as the tests of this folder. What breaks a check is printed and kept under
`.fuzz/SUBJECT`, where later runs go on; whoever mends it adds its bytes to `corpus/`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parent
SUBJECTS = {
    "config": ("test_config", ("config",)),
    "openmetrics": ("test_openmetrics", ("openmetrics", "text")),
    "promapi": ("test_promapi", ("promapi",)),
    "promql": ("test_promql", ("promql",)),
    "protobuf": ("test_protobuf", ("protobuf",)),
    "requests": ("test_requests", ("requests",)),
    "selector": ("test_selector", ("selector",)),
    "state": ("test_state", ("state",)),
    "text": ("test_text", ("text", "openmetrics")),
    "web_config": ("test_web_config", ("web_config",)),
}
"""Module with the `check` that takes the bytes; folders of seeds, the first names the tokens."""
_HANGS = 20
"""Seconds, for inputs of a few kilobytes that take milliseconds."""
_MEMORY = 1024
"""MiB of the whole process."""
_LONGEST = 16 * 1024


def main() -> None:
    """Run one subject; libFuzzer ends the process itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--minutes", type=float, default=5.0)
    given = parser.parse_args()
    import atheris  # type: ignore[import-not-found, unused-ignore]

    name, folders = SUBJECTS[given.subject]
    # Only code that is imported here counts as coverage.
    with atheris.instrument_imports(include=["exporter"]):
        module = importlib.import_module(f"tests.fuzz.{name}")
    check: Callable[[bytes], object] = module.check
    found = FOLDER.parent.parent / ".fuzz" / given.subject
    (found / "corpus").mkdir(parents=True, exist_ok=True)
    (found / "seeds").mkdir(exist_ok=True)
    for folder in folders:
        for seed in (FOLDER / "corpus" / folder).iterdir():
            # Instrumented, those are too slow to begin with.
            if not seed.name.startswith("slow_"):
                (found / "seeds" / f"{folder}-{seed.name}").write_bytes(seed.read_bytes())
    for number, blob in enumerate(module.blobs() if given.subject == "state" else ()):
        (found / "seeds" / f"blob-{number}").write_bytes(blob)
    arguments = [
        *(sys.argv[0], str(found / "corpus"), str(found / "seeds")),
        f"-max_total_time={given.minutes * 60:.0f}",
        f"-dict={FOLDER / 'tokens' / folders[0]}.dict",
        f"-artifact_prefix={found}/",
        *(f"-timeout={_HANGS}", f"-rss_limit_mb={_MEMORY}", f"-max_len={_LONGEST}"),
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
