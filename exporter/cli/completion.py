"""`slod completion`: what a shell has to know to complete slod's command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from exporter.cli.output import say
from exporter.errors import SlodError

EPILOG = """\
Commands, options, their choices and files are completed; and the names of SLOs and services that
stand in ./config.toml.

examples:
  slod completion bash > ~/.local/share/bash-completion/completions/slod
  slod completion zsh > "${fpath[1]}/_slod"
  slod completion fish > ~/.config/fish/completions/slod.fish
  source <(slod completion bash)     # for this shell alone
"""
_SHELLS = ("bash", "zsh", "fish", "tcsh")
_FILES = frozenset({"config", "output", "file", "html"})
"""Arguments that are files, by the name of what is parsed."""
_NAMED = {"slo": "slo", "slos": "slo", "service": "service", "name": "all"}
"""Arguments that are names, and of what."""
_SAFE = re.compile(r"[A-Za-z0-9._:/@%+=-]+")
"""Shells expand what they complete, so `$(...)` is no name to offer."""


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    whole: Callable[[], argparse.ArgumentParser],
) -> None:
    """`slod completion SHELL`; `whole` makes the parser of the whole command line."""
    parser = commands.add_parser(
        "completion",
        help="complete this command line in a shell",
        description="Print the script with which a shell completes slod's command line.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("shell", nargs="?", choices=_SHELLS)
    # What the script asks while somebody types.
    what.add_argument("--names", choices=("slo", "service", "all"), help=argparse.SUPPRESS)
    parser.set_defaults(func=lambda args: run(args, whole))


def run(args: argparse.Namespace, whole: Callable[[], argparse.ArgumentParser]) -> int:
    """Print it; returns the exit status."""
    if args.names:
        say("\n".join(names(Path("config.toml"), args.names)))
        return 0
    import shtab

    if args.shell not in shtab.SUPPORTED_SHELLS:
        can = ", ".join(shell for shell in _SHELLS if shell in shtab.SUPPORTED_SHELLS)
        raise SlodError(f"this version of shtab cannot do {args.shell}, only {can}; update it")
    parser = whole()
    for action in _actions(parser):
        if action.dest in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.dest in _NAMED:
            asks = f"slod completion --names {_NAMED[action.dest]}"
            action.complete = shtab.cmd(asks)  # type: ignore[attr-defined]
    say(shtab.complete(parser, args.shell))
    return 0


def names(file: Path, of: str) -> list[str]:
    """The names of SLOs or services in a configuration, as far as it can be read."""
    import tomllib

    try:
        tables = tomllib.loads(file.read_text("utf-8")).get("slo", {})
        slos = list(tables)
        services = [table.get("service", name) for name, table in tables.items()]
    except (OSError, ValueError, TypeError, AttributeError):
        return []
    chosen: Iterable[object] = {"slo": slos, "service": services, "all": slos + services}[of]
    return sorted({n for n in chosen if isinstance(n, str) and _SAFE.fullmatch(n)})


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    # argparse has no public way to walk what was added; shtab goes the same way.
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in action.choices.values():
                yield from _actions(below)
        else:
            yield action
