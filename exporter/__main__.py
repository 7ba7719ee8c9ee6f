"""`slod` and `python -m exporter`; without a command, `python -m exporter` is `slod run`."""

from __future__ import annotations

import sys

from exporter.cli import main as cli_main


def main() -> int:
    """Run the command line; returns the exit code."""
    return cli_main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(cli_main(sys.argv[1:] or ["run"]))
