#!/usr/bin/env bash
# promql-parser 0.12.0 (PyPI): valid PromQL is refused, because of a matcher's regular expression.
#
# Guess, before it was run: the parser reads PromQL's grammar, and an expression in quotes is a string
# to it, as in Prometheus' own parser until the query runs.
# Behaviour: while it parses it compiles each expression by Rust's regex crate, whose syntax is not
# Go's. Quoted literals (\Q...\E), octal escapes and a bracket in a class are errors, though Prometheus
# takes them. Programs make such expressions: what Pattern.quote of Java returns is \Q...\E.
# Output seen, by promtool 2.42.0 (Debian 2.42.0+ds-5+deb12u1) and by promql-parser:
#   up{job=~"\\Qa.b\\E"}   promtool: valid     promql-parser: illegal regex for \Qa.b\E
#   up{job=~"\\141"}       promtool: valid     promql-parser: illegal regex for \141
#   up{job=~"[a[b]"}       promtool: valid     promql-parser: illegal regex for [a[b]
#   up{job=~"a.b"}         promtool: valid     promql-parser: valid
#
# Run by hand. Exits with 0 while it is so, with 1 when one of the two does otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check promql-parser==0.12.0
apt-get download -qq prometheus=2.42.0+ds-5+deb12u1 2>/dev/null
dpkg-deb -x prometheus_*.deb root

cat >both.py <<'END'
import json
import subprocess

import promql_parser

EXPECTED = {
    r'up{job=~"\\Qa.b\\E"}': "illegal regex",
    r'up{job=~"\\141"}': "illegal regex",
    r'up{job=~"[a[b]"}': "illegal regex",
    r'up{job=~"a.b"}': "valid",
}
same = True
for query, expected in EXPECTED.items():
    rules = {"groups": [{"name": "a", "rules": [{"record": "x", "expr": query}]}]}
    with open("rules.yml", "w") as file:
        json.dump(rules, file)  # JSON is YAML.
    told = subprocess.run(["root/usr/bin/promtool", "check", "rules", "rules.yml"], capture_output=True)
    promtool = "valid" if told.returncode == 0 else "refused"
    try:
        promql_parser.parse(query)
        parser = "valid"
    except ValueError as error:
        parser = str(error)
    print(f"{query:24} promtool: {promtool:8} promql-parser: {parser}")
    same = same and promtool == "valid" and parser.startswith(expected)
raise SystemExit(0 if same else 1)
END
venv/bin/python both.py
