from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from exporter.cli import check

CLEAN = """\
[source.s]
type = "prometheus"
url = "http://p:9090"
[receiver.am]
type = "alertmanager"
url = "http://am:9093"
[slo.x]
objective = 99.9
sli = { bad = 'a{b="c"}', total = 'a' }
"""


def slod(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="slod")
    check.add_parser(parser.add_subparsers())
    args = parser.parse_args(arguments)
    status = args.func(args)
    assert isinstance(status, int)
    return status


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.toml"
    path.write_text(CLEAN, "utf-8")
    return path


def test_a_sound_file_prints_the_table_and_a_summary(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert slod("check", "--strict") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (
        "time from the start of an outage to the alert\n"
        "SLO  SEVERITY  ALL FAIL  10% FAIL  1% FAIL  2x ALLOWED\n"
        "x    page      52s       8m38s     3h36m    never\n"
        "     ticket    4m19s     43m12s    7h12m    1d12h\n"
        "\n"
        "config.toml: 1 SLO, 1 source, 0 errors, 0 warnings\n"
    )


def test_warnings_fail_only_when_strict(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(CLEAN.replace("99.9", "90"), "utf-8")
    assert slod("check", "-c", str(config)) == 0
    out, err = capsys.readouterr()
    assert err.startswith(
        f"warning: {config}:7: slo.x: the page rule over 1h and 5m can never fire"
    )
    assert out.endswith(f"{config}: 1 SLO, 1 source, 0 errors, 1 warning\n")
    assert slod("check", "--strict") == 1


def test_errors_are_one_line_each_and_exit_with_2(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(CLEAN.replace("objective", "objektive").replace("http://p", "p"), "utf-8")
    assert slod("check") == 2
    out, err = capsys.readouterr()
    assert [line.split(": ")[:3] for line in err.splitlines()] == [
        ["error", "config.toml:3", "source.s.url"],
        ["error", "config.toml:7", "slo.x"],
        ["error", "config.toml:8", "slo.x.objektive"],
    ]
    assert out == "config.toml: 3 errors\n"


def test_a_missing_file_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert slod("check", "-c", "/nonexistent.toml") == 2
    assert "there is no such file" in capsys.readouterr().err


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        slod("check", "--help")
    assert stopped.value.code == 0
    assert "slod check -c /etc/slod/config.toml --strict" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("basic_auth_users:\n  me: not-a-hash\n", "basic_auth_users"),
        ("rate_limit: {}\nx: 1\n", "rate_limit"),
        ("tls_server_config:\n  cert_file: none.pem\n  key_file: none.key\n", "none.pem"),
        (None, "web.yml"),
    ],
)
def test_a_web_config_that_run_refuses_is_an_error(
    config: Path, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (config.parent / "web.yml").write_text(text)
    config.write_text('[server]\nweb_config = "web.yml"\n' + CLEAN, "utf-8")
    assert slod("check") == 2
    err = capsys.readouterr().err
    assert "server.web_config: " in err
    assert said in err
    assert err.count("\n") == 1
