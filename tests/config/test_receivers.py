"""Mistakes in receivers: one line each, with the key and the way out, and no secret in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exporter.config.lint import lint
from exporter.config.load import parse
from exporter.errors import ConfigError
from tests.receivers.examples import EXAMPLES

MAIL = 'type = "email"\nhost = "h"\nfrom = "a@b.c"\nto = ["a@b.c"]\n'


def findings(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(f"[receiver.r]\n{text}", "f")
    return [line.partition(": ")[2] for line in caught.value.findings]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('type = "slak"', "receiver.r.type: unknown type 'slak'; did you mean 'slack'?"),
        ('type = "slack"', "receiver.r: must have one of 'url_file' and 'url_env'"),
        (
            'type = "slack"\nurl_env = "X"\nurl_file = "y"',
            "receiver.r.url_env: 'url_file' is given too; leave one of them out",
        ),
        ('type = "pagerduty"', "receiver.r: must have one of 'routing_key_file' and"),
        (
            'type = "pagerduty"\nrouting_key_env = "X"\nurl = "ftp://h"',
            "receiver.r.url: not an http or https URL with a host",
        ),
        (
            'type = "pagerduty"\nrouting_key_env = "X"\nseverity_map = { page = "high" }',
            "receiver.r.severity_map.page: unknown value 'high'; there is critical, error,",
        ),
        (
            'type = "opsgenie"\napi_key_env = "X"\npriority_map = { page = "P9" }',
            "receiver.r.priority_map.page: unknown value 'P9'",
        ),
        ('type = "http"\nurl = "https://h/x"', "receiver.r: the key 'body' is missing"),
        (
            'type = "http"\nurl = "https://{{ slo }}/x"\nbody = ""',
            "receiver.r.url: scheme and host cannot be templates; write them out",
        ),
        (
            'type = "http"\nurl = "https://h.{{ slo }}"\nbody = ""',
            "receiver.r.url: scheme and host cannot be templates; write them out",
        ),
        (
            'type = "http"\nurl = "https://h"\nbody = "{{ oops"',
            "receiver.r.body: not a template: ",
        ),
        (
            'type = "http"\nurl = "https://h"\nbody = ""\nresolved = { url = "h", body = "" }',
            "receiver.r.resolved.url: not an http or https URL with a host",
        ),
        (
            'type = "http"\nurl = "https://h"\nbody = ""\nmethod = "SEND"',
            "receiver.r.method: unknown value 'SEND'; there is DELETE, GET, PATCH, POST, PUT",
        ),
        (MAIL.replace('"h"', '"h:25"'), "receiver.r.host: not a host name: 'h:25'; the port is"),
        (MAIL + "port = 0", "receiver.r.port: not a port: 0"),
        (MAIL.replace('from = "a', 'from = "A <a'), "receiver.r.from: not a plain address: "),
        (MAIL.replace('["a@b.c"]', "[]"), "receiver.r.to: is empty; give addresses, like "),
        (MAIL.replace('["a@b.c"]', '["a"]'), "receiver.r.to[0]: not a plain address: 'a'"),
        (MAIL + 'username = "u"', "receiver.r: must have one of 'password_file' and"),
        (MAIL + 'password_env = "X"', "receiver.r: a password needs its 'username'"),
        (MAIL + 'timeout = "0s"', "receiver.r.timeout: must be longer than 0"),
        (MAIL + 'tls = "ssl"', "receiver.r.tls: unknown value 'ssl'; there is implicit, none,"),
        ('type = "apprise"', "receiver.r: must have one of 'urls_file' and 'urls_env'"),
    ],
)
def test_a_mistake_is_one_line_with_the_way_out(text: str, said: str) -> None:
    [found] = findings(text)
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("slack", "url"),
        ("pagerduty", "routing_key"),
        ("opsgenie", "api_key"),
        ("apprise", "urls"),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(kind: str, key: str) -> None:
    found = findings(f'type = "{kind}"\n{key}_env = "X"\n{key} = "https://h/s3cret"')
    assert found == [
        f"receiver.r.{key}: a secret may not stand in the file; give '{key}_file' or '{key}_env'"
    ]


@pytest.mark.parametrize("heading", EXAMPLES)
def test_check_has_nothing_against_the_examples_but_http_in_the_clear(heading: str) -> None:
    found = [str(one) for one in lint(parse(EXAMPLES[heading], "f"))]
    assert [line for line in found if "receiver." in line and "clear" not in line] == []


def test_a_password_in_the_clear_is_a_warning() -> None:
    text = f'[receiver.r]\n{MAIL}tls = "none"\nusername = "u"\npassword_env = "X"'
    found = [str(one) for one in lint(parse(text, "f"))]
    assert any(
        "receiver.r.tls: the password goes over the network in the clear" in f for f in found
    )


def test_what_no_receiver_needs_is_not_imported(tmp_path: Path) -> None:
    file = tmp_path / "slod.toml"
    file.write_text(EXAMPLES["Slack"].partition("[receiver.chat.templates]")[0])
    code = (
        "import sys\nfrom exporter.app.parts import make_receivers\n"
        "from exporter.config.load import load\nmake_receivers(load(sys.argv[1]))\n"
        "print([m for m in ('jinja2', 'aiosmtplib', 'apprise', 'smtplib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True)
    assert (out.stdout, out.stderr) == ("[]\n", "")
