"""More than 200 wrong pages, answers and configurations: each is an error with a reason, or what it
says is used as far as it goes; a good neighbour is read on, and counts are exact once it is right
again.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.cli import main
from exporter.config.settings import Duration, PrometheusSource, ScrapeSource
from exporter.core.sample import Batch
from exporter.http import Client
from exporter.sources import prometheus, scrape
from exporter.sources.base import Poll
from tests.core.builders import ERROR, OK, T, counted, engine, slo
from tests.sources.kit import Polls, running, serving
from tests.support import ManualClock

TEXT, OPENMETRICS = "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"


def page(good: int, bad: int) -> bytes:
    return (
        f"# TYPE http_requests_total counter\n{OK} {good}\n{ERROR} {bad}\n"
        "process_start_time_seconds 1.6e9\n"
    ).encode()


def open_page(good: int, bad: int) -> bytes:
    return page(good, bad) + b"# EOF\n"


def changed(old: str, new: str) -> Callable[[bytes], bytes]:
    return lambda whole: whole.replace(old.encode(), new.encode())


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda whole: whole[: int(len(whole) * share)]


PAGES: dict[str, Callable[[bytes], bytes]] = {
    **{f"cut at {share}%": cut(share / 100) for share in range(0, 100, 2)},
    "UTF-16": lambda whole: whole.decode().encode("utf-16"),
    "latin-1": lambda whole: whole.replace(b'"500"', b'"caf\xe9"'),
    "bytes that are no UTF-8": lambda whole: b"\xff\xfe\x80" + whole,
    "NUL bytes": changed("http", "ht\0tp"),
    "NUL before": lambda whole: b"\0" * 100 + whole,
    "HTML": lambda whole: b"<!DOCTYPE html><html><body>Login</body></html>\n",
    "JSON": lambda whole: b'{"status":"ok"}\n',
    "nothing": lambda whole: b"",
    "newlines": lambda whole: b"\n" * 10_000,
    "one endless line": lambda whole: b"a" * 300_000,
    "an endless label": changed("# TYPE", f'other{{a="{"x" * 300_000}"}} 1\n# TYPE'),
    "no quote at the end": changed('code="500"', 'code="500'),
    "no brace at the end": changed('"500"}', '"500"'),
    "no value": changed('"500"} ', '"500"}\n#'),
    "a word for a value": changed('"500"} ', '"500"} many '),
    "two values": changed('"500"} ', '"500"} 1 2 3 '),
    "hexadecimal": changed('"500"} ', '"500"} 0x1p'),
    "an underscore in a number": changed('"500"} ', '"500"} 1_0'),
    "NaN": changed('"500"} ', '"500"} NaN\n#'),
    "infinite": changed('"500"} ', '"500"} +Inf\n#'),
    "negative": changed('"500"} ', '"500"} -'),
    "a label twice": changed('code="500"', 'code="500",code="501"'),
    "no equals sign": changed('code="500"', 'code "500"'),
    "a series twice": lambda whole: whole + whole,
    "carriage returns": lambda whole: whole.replace(b"\n", b"\r\n"),
    "a time that is none": changed("\nprocess", " never\nprocess"),
    "gzip in gzip": gzip.compress,
}
"""What becomes of a good page."""


class Site:
    """A page that goes wrong on /sick, and one that does not on /well."""

    def __init__(self, make: Callable[[int, int], bytes], kind: str) -> None:
        self.wrong: Callable[[bytes], bytes] | None = None
        self.good = self.bad = 0
        self._make, self._kind = make, kind

    async def __call__(self, request: web.Request) -> web.Response:
        whole = self._make(self.good, self.bad)
        if self.wrong is not None and request.path == "/sick":
            whole = self.wrong(whole)
        return web.Response(body=whole, headers={"Content-Type": self._kind})


@pytest.mark.parametrize(("kind", "make"), [(TEXT, page), (OPENMETRICS, open_page)])
async def test_a_wrong_page_is_used_as_far_as_it_is_right_and_the_next_good_one_makes_up_for_it(
    kind: str, make: Callable[[int, int], bytes]
) -> None:
    site, clock, of = Site(make, kind), ManualClock(T), engine(slo())
    async with serving(site) as url:
        settings = ScrapeSource(
            name="app", targets=(f"{url}/sick", f"{url}/well"), interval=Duration(10)
        )
        source = scrape.ScrapeSource(settings, Client(settings), clock)
        async with running(source, of.asks("app")) as polls:
            await polls.count(2)
            for name, wrong in PAGES.items():
                for site.wrong in (wrong, None):
                    site.good, site.bad = site.good + 100, site.bad + 7
                    sick, well = await both(clock, polls)
                    assert well.error is None, name
                    if site.wrong is not None and sick.error is not None:
                        assert sick.error.reason in ("malformed", "truncated"), name
                        assert "\n" not in str(sick.error), name
                    if site.wrong is None:
                        assert (sick.error, sick.refused) == (None, {}), name
    for poll in polls.all:
        if poll.batch is not None:
            of.ingest(poll.batch)
    assert counted(of) == (2.0 * site.good, 2.0 * site.bad)


async def both(clock: ManualClock, polls: Polls) -> tuple[Poll, Poll]:
    """One more round; the polls of /sick and of /well."""
    before = len(polls.all)
    await clock.until_sleeping(2)
    await clock.advance(10)
    found = (await polls.count(before + 2))[before:]
    sick, well = sorted(found, key=lambda poll: poll.target)
    return sick, well


# --- answers ------------------------------------------------------------------------------------


def answer(**data: Any) -> bytes:
    return json.dumps({"status": "success", "data": data}).encode()


def matrix(values: Any, metric: Any = None) -> bytes:
    metric = {"__name__": "m", "job": "j", "instance": "i"} if metric is None else metric
    return answer(resultType="matrix", result=[{"metric": metric, "values": values}])


WHOLE = matrix([[T, "1"], [T + 10, "2"]])
ANSWERS: dict[str, bytes] = {
    **{f"cut at {share}%": WHOLE[: int(len(WHOLE) * share / 100)] for share in range(0, 100, 3)},
    "no JSON": b"<html>502</html>",
    "UTF-16": WHOLE.decode().encode("utf-16"),
    "no UTF-8": WHOLE.replace(b'"j"', b'"\xff\xfe"'),
    "a list": b"[]",
    "null": b"null",
    "a number": b"17",
    "no status": b'{"data":{}}',
    "status of another type": b'{"status":200}',
    "no data": b'{"status":"success"}',
    "null data": b'{"status":"success","data":null}',
    "an error": b'{"status":"error","errorType":"execution","error":"oh\\nno"}',
    "a scalar": answer(resultType="scalar", result=[T, "1"]),
    "a string": answer(resultType="string", result=[T, "x"]),
    "an unknown type": answer(resultType="streams", result=[]),
    "result of another type": answer(resultType="matrix", result={"a": 1}),
    "rows of another type": answer(resultType="matrix", result=["a"]),
    "metric of another type": matrix([[T, "1"]], metric=["a"]),
    "labels of another type": matrix([[T, "1"]], metric={"a": 1}),
    "values of another type": matrix("many"),
    "pairs of another type": matrix(["many"]),
    "pairs too short": matrix([[T]]),
    "pairs too long": matrix([[T, "1", "2"]]),
    "a number for a value": matrix([[T, 1]]),
    "a word for a value": matrix([[T, "many"]]),
    "a word for a time": matrix([["now", "1"]]),
    "nested a thousand times": b'{"status":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a number out of range": matrix([[T, "1"]]).replace(str(T).encode(), b"1e999"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_that_is_none_is_an_error_and_the_next_one_counts_all_it_missed(
    name: str,
) -> None:
    wrong = False
    asked = T

    async def serve(request: web.Request) -> web.Response:
        form = await request.post()
        query = str(form["query"])
        if wrong:
            return web.Response(body=ANSWERS[name], headers={"Content-Type": "application/json"})
        metric = {"__name__": "m", "job": "j", "instance": "i"}
        if "http_requests_total" not in query:
            return web.Response(body=answer(resultType="matrix", result=[]))
        values = [[asked - back, str(int(1e6 + asked - back - T))] for back in (60, 45, 30, 15, 0)]
        codes = ("500",) if "code" in query else ("200", "500")
        rows = [{"metric": {**metric, "code": code}, "values": values} for code in codes]
        return web.Response(body=answer(resultType="matrix", result=rows))

    clock, of = ManualClock(T), engine(slo())
    async with serving(serve) as url:
        settings = PrometheusSource(name="app", url=url, interval=Duration(15))
        source = prometheus.PrometheusSource(settings, Client(settings), clock)
        async with running(source, of.asks("app")) as polls:
            first = (await polls.count(1))[0]
            assert first.error is None
            for wrong in (True, False):
                await clock.until_sleeping()
                asked = clock.now() + 15
                await clock.advance(15)
                await polls.count(2 if wrong else 3)
    bad, good = polls.all[1], polls.all[2]
    assert bad.error is not None
    assert bad.error.reason in ("malformed", "http_status", "bad_query")
    assert "\n" not in str(bad.error)
    assert good.error is None
    counts = []
    for poll in (first, good):
        assert isinstance(poll.batch, Batch)
        of.ingest(poll.batch)
        counts.append(counted(of))
    # One event of each kind a second, over two intervals.
    assert [after - before for before, after in zip(*counts, strict=True)] == [30.0, 30.0]


# --- configurations -----------------------------------------------------------------------------

SOUND = """
[source.s]
type = "prometheus"
url = "http://127.0.0.1:9090"
interval = "15s"
[slo.x]
objective = 99.9
window = "30d"
sli = { bad = 'a{b="c"}', total = 'a' }
[receiver.r]
type = "webhook"
url = "http://127.0.0.1:1/"
"""
RULE = '[alert_policy.p]\nrules = [{ severity = "page", %s }]\n[receiver.r]'
SWAPS = {
    "an unknown section": ("[slo.x]", "[slos.x]"),
    "an unknown key": ("objective", "objectives"),
    "an objective of 100": ("99.9", "100"),
    "an objective of 0": ("99.9", "0"),
    "a negative objective": ("99.9", "-1"),
    "an objective that is a word": ("99.9", '"three nines"'),
    "an objective that is NaN": ("99.9", "nan"),
    "an objective that is infinite": ("99.9", "inf"),
    "a window without unit": ('"30d"', '"30"'),
    "a window that is a number": ('"30d"', "30"),
    "a window of nothing": ('"30d"', '"0s"'),
    "a window for ever": ('"30d"', '"99999999999999y"'),
    "an empty window": ('"30d"', '""'),
    "a period that is none": ('"30d"', '{ calendar = "fortnight" }'),
    "a zone that is none": ('"30d"', '{ calendar = "month", timezone = "Europe/Atlantis" }'),
    "an sli that is a word": ("sli = { bad = 'a{b=\"c\"}', total = 'a' }", 'sli = "a"'),
    "an sli of nothing": ("sli = { bad = 'a{b=\"c\"}', total = 'a' }", "sli = {}"),
    "an sli of one": ("bad = 'a{b=\"c\"}', ", ""),
    "a selector that is cut": ("'a{b=\"c\"}'", "'a{b=\"c'"),
    "a selector that is a query": ("'a{b=\"c\"}'", "'rate(a[5m])'"),
    "a selector of everything": ("'a{b=\"c\"}'", "'{}'"),
    "a regular expression that is cut": ("'a{b=\"c\"}'", "'a{b=~\"(\"}'"),
    "an empty selector": ("'a{b=\"c\"}'", "''"),
    "a source that is none": ("objective", 'source = "t"\nobjective'),
    "a source of no kind": ('"prometheus"', '"graphite"'),
    "a source without kind": ('type = "prometheus"', ""),
    "a source without address": ('url = "http://127.0.0.1:9090"', ""),
    "an address without scheme": ('"http://127.0.0.1:9090"', '"127.0.0.1:9090"'),
    "an address of another scheme": ('"http://127.0.0.1:9090"', '"ftp://127.0.0.1"'),
    "an address without host": ('"http://127.0.0.1:9090"', '"http://"'),
    "a port out of range": ('"http://127.0.0.1:9090"', '"http://127.0.0.1:99999"'),
    "an interval of nothing": ('"15s"', '"0s"'),
    "a negative interval": ('"15s"', '"-5s"'),
    "an interval that is a list": ('"15s"', '["15s"]'),
    "a receiver of no kind": ('"webhook"', '"pigeon"'),
    "a receiver without address": ('url = "http://127.0.0.1:1/"', ""),
    "severities that are a word": ('type = "webhook"', 'type = "webhook"\nseverities = "page"'),
    "a secret in the file": ('type = "webhook"', 'type = "webhook"\nsecret = "x"'),
    "a policy that is none": ("objective", 'alert_policy = "mine"\nobjective'),
    "labels that are a list": ("objective", 'labels = ["a"]\nobjective'),
    "a label that is a number": ("objective", "labels = { a = 1 }\nobjective"),
    "a label that is none": ("objective", 'labels = { "a b" = "c" }\nobjective'),
    "a table twice": ("[receiver.r]", "[slo.x]"),
    "a key twice": ("objective = 99.9", "objective = 99.9\nobjective = 99"),
    "a string that is cut": ('"30d"', '"30d'),
    "a bracket that is cut": ("[slo.x]", "[slo.x"),
    "no equals sign": ("objective = 99.9", "objective 99.9"),
    "a NUL": ("objective", "obj\0ective"),
    "a section that is a list": ("[receiver.r]", "[[receiver]]"),
    "a section that is a value": ("[receiver.r]\n", "receiver = 1\n[x]\n"),
    "tables in tables": ("[slo.x]", "[slo.x.y.z]"),
    "max_groups of nothing": ("objective", 'group_by = ["a"]\nmax_groups = 0\nobjective'),
    "a budget step over 100%": (
        "[receiver.r]",
        '[budget_policy.b]\nsteps = [{ below = 7, state = "s" }]\n[receiver.r]',
    ),
    "a rule without windows": (
        "[receiver.r]",
        RULE % "burn_rate = 2",
    ),
    "a rule whose short window is the longer": (
        "[receiver.r]",
        RULE % 'burn_rate = 2, long = "5m", short = "1h"',
    ),
    "a rule without rate": (
        "[receiver.r]",
        RULE % 'long = "1h", short = "5m"',
    ),
    "a port to listen on that is none": (
        "[source.s]",
        '[server]\nlisten = "127.0.0.1:http"\n[source.s]',
    ),
    "a state that is nowhere": ("[source.s]", '[state]\npath = ""\n[source.s]'),
    "a log level that is none": ("[source.s]", '[log]\nlevel = "loud"\n[source.s]'),
}


@pytest.mark.parametrize("name", SWAPS)
def test_a_wrong_configuration_is_one_line_with_its_place_and_exit_code_2(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = SWAPS[name]
    assert old in SOUND
    check(SOUND.replace(old, new, 1).encode(), tmp_path, capsys)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(SOUND.encode("utf-16"), id="UTF-16"),
        pytest.param(SOUND.replace("99.9", "99.9 # caf\xe9").encode("latin-1"), id="latin-1"),
        pytest.param(b"\0" * 1000, id="zeros"),
        pytest.param(b"\x7fELF\x02\x01\x01", id="a program"),
        pytest.param(b"a = " + b"[" * 5000, id="brackets"),
        pytest.param(b"a = " + b"9" * 10_000, id="a long number"),
        pytest.param(b"<xml/>", id="XML"),
        pytest.param(b"slo:\n  x: 1\n", id="YAML"),
    ],
)
def test_a_file_that_is_no_configuration_at_all_is_one_line_too(
    raw: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(raw, tmp_path, capsys)


def check(raw: bytes, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "slod.toml"
    file.write_bytes(raw)
    assert main(["run", "-c", str(file)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said, "said nothing"
    assert all(str(file) in line for line in said), said
    assert not any("Traceback" in line or "internal error" in line for line in said), said


def test_there_are_more_than_two_hundred() -> None:
    assert 2 * len(PAGES) + len(ANSWERS) + len(SWAPS) > 200
