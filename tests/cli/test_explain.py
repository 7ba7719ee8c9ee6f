"""`slod explain` against a server: words for people, JSON for programs, and exit codes."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from dataclasses import replace

import pytest
from aiohttp import web

from exporter.cli import explain as command
from exporter.cli import main
from exporter.cli.explain_text import render
from exporter.config.duration import approximate
from exporter.core.engine import Engine
from exporter.core.exclusion import Exclusion
from exporter.core.explain import explain, find
from exporter.core.explained import Explanation, PeerSaid, PeersSaid
from exporter.core.query_sli import QuerySLI
from exporter.core.selector import Query
from exporter.web import explain_api
from tests.core.builders import ERROR, OK, T, Traffic, engine, feed, rule, slo
from tests.sources.kit import serving

PEERS = PeersSaid(
    "1h",
    T,
    T + 3600,
    9000,
    (
        PeerSaid("slod", 0.0624, 312.0, 5000.4, 6.24),
        PeerSaid("increase", 0.0528, 263.0, 4979.9, 5.28),
        PeerSaid("sloth", 0.0929, None, None, 9.29),
    ),
    ("One sentence for each difference, however long it is, " * 4,),
)


class Explains:
    """Explains the SLO of an engine, with the same peers always."""

    def __init__(self, of: Engine, now: float, peers: PeersSaid | None = PEERS) -> None:
        self.of, self.now, self.peers = of, now, peers
        self.asked: list[float | None] = []

    async def explain(
        self, name: str, group: dict[str, str], window: float | None
    ) -> list[Explanation]:
        self.asked.append(window)
        account = self.of.accounts[name]
        groups = [tuple(i.group.values()) for i in find(account, group)]
        found = [explain(account, g, self.now, approximate) for g in groups]
        return [replace(one, peers=self.peers) for one in found]

    def names(self) -> list[str]:
        return list(self.of.accounts)


async def slod(*arguments: str, of: Explains | None = None, url: str | None = None) -> int:
    parser = argparse.ArgumentParser(prog="slod")
    command.add_parser(parser.add_subparsers())

    async def run(url: str) -> int:
        args = parser.parse_args(["explain", *arguments, "--url", url])
        status = await asyncio.to_thread(args.func, args)
        assert isinstance(status, int)
        return status

    if of is None:
        return await run(url or "http://127.0.0.1:1")
    app = web.Application()
    app.add_routes(explain_api.part(of).routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        return await run(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    finally:
        await runner.cleanup()


def shop() -> Explains:
    """An hour with an outage, a restart, a gap and an exclusion."""
    rules = (rule("page", "10m", "1m", 4.0), rule("ticket", "30m", "10m", 100.0))
    traffic = Traffic(engine(slo(period="1h", objective=0.9, rules=rules)))
    traffic.run(600, good=97, bad=3)
    traffic.silence(600)
    traffic.run(600, good=97, bad=3)
    traffic.good = 0.0
    traffic.run(60, good=20, bad=80)
    feed(traffic.engine, traffic.now + 10, {OK: float("nan"), ERROR: traffic.bad})
    feed(traffic.engine, traffic.now + 20, {OK: traffic.good, 'http_requests_total{n="1"}': 3.0})
    traffic.engine.exclude([Exclusion("x", (), ((T, T + 60),))])
    return Explains(traffic.engine, traffic.now + 20)


async def test_it_prints_words_first_and_fits_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await slod("slo", of=shop()) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 100
    assert out.startswith("slo of shop, as of 2023-11-14 22:")
    heads = re.findall(r"^[A-Z]{5,}", out, re.MULTILINE)
    assert heads == ["INDICATOR", "WINDOWS", "ALERT", "BUDGET", "SERIES"]
    for said in (
        "WHAT OTHERS WOULD SAY OVER 1H",
        "of the budget is left,",
        "gaps without data: 2023-11-14 ",
        "excluded: 1m of the period",
        "page when 10m and 1m burn above 4x",
        "100% within 4m, over after 37s; 10% never",
        "how sure: between",
        "without exclusions:",
        "refused by not_a_number",
        "own_fall: http_requests_total",
        "birth by process_looked_at_before",
        "baseline by first_look",
        "increase()  263",
        "Sloth         -",
        "  - One sentence for each difference",
    ):
        assert said in out, out


async def test_json_is_what_the_daemon_says(capsys: pytest.CaptureFixture[str]) -> None:
    of = shop()
    assert await slod("slo", "--format", "json", "--window", "1h", of=of) == 0
    assert json.loads(capsys.readouterr().out)["instances"][0]["slo"] == "slo"
    assert of.asked == [3600.0]


async def test_a_group_is_chosen_and_an_unknown_name_is_met_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    of = engine(slo(group_by=("route",)))
    feed(of, T, {f'http_requests_total{{route="/{i}"}}': 1.0 for i in range(3)})
    known = Explains(of, T, replace(PEERS, note="it is scraped"))
    assert await slod("slo", "--group", "route=/1", of=known) == 0
    out, _ = capsys.readouterr()
    assert out.startswith("slo{route=/1} of shop")
    assert "nothing to compare: it is scraped" in out
    assert await slod("slo", of=known) == 0
    assert len(re.findall("^slo{", capsys.readouterr().out, re.MULTILINE)) == 3
    assert await slod("slo", "--group", "route=/9", of=known) == 2
    assert capsys.readouterr().err == "slod: SLO 'slo' has no group route=/9\n"
    assert await slod("sloo", of=known) == 2
    assert capsys.readouterr().err == "slod: there is no SLO 'sloo'; did you mean 'slo'?\n"
    assert await slod("slo", "--window", "1 hour", of=known) == 2
    assert "not a duration: '1 hour'" in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    assert re.search(r"examples:\n  slod explain \S", capsys.readouterr().out)


async def test_a_daemon_that_is_not_there_is_exit_code_3(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await slod("slo") == 3
    assert capsys.readouterr().err.startswith("slod: cannot reach the daemon: http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, "Unauthorized\n", "answered 401: Unauthorized"),
        (500, '{"error": "x"}', "answered 500: x"),
        (500, "[1]", "answered 500: [1]"),
        (200, "hello", "did not answer as slod does"),
    ],
)
async def test_whoever_else_answers_is_exit_code_3(
    status: int, body: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def other(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    async with serving(other) as url:
        assert await slod("slo", url=url.replace("//", "//me:secret@")) == 3
    err = capsys.readouterr().err
    assert said in err
    assert "secret" not in err


def text(of: Explains) -> str:
    import msgspec

    found = asyncio.run(of.explain("slo", {}, None))
    return render(msgspec.json.encode({"slo": "slo", "instances": found}))


def test_before_anything_happened_there_is_little_to_say() -> None:
    said = text(Explains(engine(), T, None))
    assert "nothing can be said: no events in the period" in said
    assert "ALERT RULES\n  none" in said
    assert "SERIES" not in said
    assert text(Explains(engine(slo(group_by=("route",))), T)) == "slo: no group was seen yet."


def test_many_series_are_cut_and_queries_have_no_increase() -> None:
    of = engine()
    feed(of, T, {f'http_requests_total{{n="{i}"}}': 1.0 for i in range(15)})
    feed(of, T + 10, {"http_requests_total": float("nan")})
    of.accounts["slo"].fault = "on purpose"
    said = text(Explains(of, T))
    assert "and 6 more; --format json has them" in said
    assert "It cannot be computed now: on purpose" in said
    of = engine(slo(sli=QuerySLI(error_ratio=Query("x"))))
    for i in range(3):
        feed(of, T + 10 * i, {"x": 0.5})
    said = text(Explains(of, T + 20))
    assert "increase" not in said.partition("SERIES")[2].partition("WHAT OTHERS")[0]


def test_an_overspent_budget_says_by_how_much() -> None:
    traffic = Traffic(engine(slo(period="1h", objective=0.9)))
    traffic.run(3600, good=80, bad=20)
    said = text(Explains(traffic.engine, traffic.now))
    assert "overspent by 100.0%: 3,600.0 over the 3,600.0 bad events allowed" in said
    assert "how sure" not in said
