"""`slod completion`: what a real bash completes with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.cli.completion import names

CONFIG = """
[slo.pay]
service = "checkout"
[slo."$(touch owned)"]
[slo.ship]
"""
TRY = """
slod() { "%s" -m exporter "$@"; }
source <(slod completion bash)
try() {
  COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
  "$(complete -p slod | sed 's/.*-F \\([^ ]*\\) .*/\\1/')"
  echo "${COMPREPLY[*]}"
}
"""


def bash(folder: Path, *lines: str) -> list[str]:
    """What it would offer for each line, of which the last word is being typed."""
    script = TRY % sys.executable + "\n".join(f"try slod {line}" for line in lines)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, env=env
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_choices_files_and_names(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "other.toml").write_text("")
    found = bash(
        tmp_path,
        "sta",
        "'' ",
        "status --ser",
        "gate --format ''",
        "check -c oth",
        "run --config co",
        "gate c",
        "explain ''",
        "status --service ''",
        "exclude rem",
    )
    assert set(found[0].split()) == {"status", "state"}
    assert {"run", "gate", "status", "completion", "report"} <= set(found[1].split())
    assert found[2:6] == ["--service", "text json", "other.toml", "config.toml"]
    # A name that a shell would run is not offered.
    assert found[6:10] == ["checkout", "pay ship", "checkout ship", "remove"]
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh"])
def test_other_shells_get_a_script_they_can_read(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "slod" in script and "completion --names slo" in script
    if shutil.which(shell) is not None:
        file = tmp_path / "script"
        file.write_text(script)
        assert subprocess.run([shell, "-n", str(file)]).returncode == 0


def test_names_are_those_of_the_file_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert names(file, "slo") == []
    for text in ("[slo", "slo = 3", "[slo]\nx = 3"):
        file.write_text(text)
        assert names(file, "all") == []
    file.write_text(CONFIG)
    assert names(file, "slo") == ["pay", "ship"]
    assert names(file, "service") == ["checkout", "ship"]
    assert names(file, "all") == ["checkout", "pay", "ship"]


def test_a_shell_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["completion"])
    assert "shell" in capsys.readouterr().err
