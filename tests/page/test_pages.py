"""The pages over HTTP, from a daemon on a clock that the test moves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import web

from exporter.app.daemon import Daemon
from exporter.config.load import parse
from exporter.core.engine import Engine
from exporter.core.slo import BudgetStep
from exporter.core.status import Snapshot
from exporter.page.filters import PAGE, Filters
from exporter.page.groups import render as groups
from exporter.page.live import MOST
from exporter.page.state import State, headline, see
from tests.app.test_daemon import get, until
from tests.app.test_exclusions import ask, running
from tests.app.test_prom import World, world
from tests.core.builders import T, Traffic, aged, slo, workbook
from tests.core.builders import engine as engine_of
from tests.sources.kit import serving
from tests.support import ManualClock

__all__ = ["world"]

EVIL = "<script>alert(1)<script>"
CONFIG = """
[server]
listen = "127.0.0.1:0"
[state]
path = "{folder}/slod.db"
[source.app]
type = "scrape"
targets = ["{url}/metrics", "http://anna:secret@127.0.0.1:1/gone?token=hidden"]
interval = "1m"
headers = {{ X-Key = "hidden-header" }}
[receiver.hook]
type = "webhook"
url = "http://127.0.0.1:1/hook?token=hidden"
[slo.{name}]
service = "{evil}"
objective = 99
labels = {{ team = "{evil}" }}
sli = {{ bad = 'req{{code="500"}}', total = 'req' }}
[slo.quiet]
service = "quiet"
objective = 99
sli = {{ bad = 'none{{code="500"}}', total = 'none' }}
labels = {{ team = "payments" }}
group_by = ["region"]
[slo.routes]
objective = 99
sli = {{ bad = 'req{{code="500"}}', total = 'req' }}
group_by = ["code"]
"""


@asynccontextmanager
async def daemon_of(
    folder: Path, clock: ManualClock, name: str = "shop", evil: str = EVIL, code: str = "500"
) -> AsyncIterator[Daemon]:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=f'req{{code="200"}} 5\nreq{{code="{code}"}} 1\n')

    async with serving(page) as url:
        file = folder / "slod.toml"
        file.write_text(CONFIG.format(folder=folder, url=url, evil=evil, name=name))
        async with running(file, clock) as daemon:

            async def polled() -> bool:
                await clock.advance(15)
                return bool(daemon.engine.accounts[name].memory.instances)

            await until(polled)
            yield daemon


async def test_what_others_wrote_is_text_and_secrets_are_hidden_on_every_page(
    tmp_path: Path,
) -> None:
    clock = ManualClock(T)
    async with daemon_of(tmp_path, clock) as daemon:
        for path in ("/", "/slo/shop", "/alerts", "/sources", "/configuration", f"/slo/{EVIL}"):
            status, text = await get(daemon, path)
            assert (status, EVIL in text) == (404 if "<" in path else 200, False), path
            for secret in ("secret", "token=hidden", "hidden-header"):
                assert secret not in text, (path, secret)
        assert EVIL in unescape((await get(daemon, "/slo/shop"))[1])
        _, text = await get(daemon, "/")
        assert "Without data" in text and '<a href="/slo/quiet">quiet</a>' in text
        _, text = await get(daemon, "/sources")
        assert "1 of 2 targets cannot be read." in text
        _, text = await get(daemon, "/configuration")
        assert "In force since 2023-11-14" in text and "workbook" in text
        (tmp_path / "slod.toml").write_text("nonsense")
        assert await daemon.reload() is not None
        _, text = await get(daemon, "/configuration")
        assert "cannot be used" in text and "shop" in text


async def test_many_who_look_at_once_see_the_same_and_soon_what_is_new(world: World) -> None:
    same = [get(world.daemon, "/") for _ in range(5)]
    others = [get(world.daemon, f"/?q=x{k}") for k in range(20)]
    pages = [text for _, text in await asyncio.gather(*same, *others)]
    assert len(set(pages[:5])) == 1 and 'id="o-shop"' in pages[0]
    assert all(f'value="x{k}"' in text for k, text in enumerate(pages[5:]))
    await world.live(1, 1000, 900)
    assert (await get(world.daemon, "/"))[1] != pages[0]


async def test_a_page_needs_nothing_from_elsewhere_and_says_so_to_the_browser(
    world: World,
) -> None:
    base = f"http://127.0.0.1:{world.daemon.port}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/") as answer:
            policy = answer.headers["Content-Security-Policy"]
            text = await answer.text()
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "<style" not in text and "style=" not in text and "<script>" not in text
        async with session.get(f"{base}/static/slod.js") as answer:
            tag = answer.headers["ETag"]
            assert answer.content_type == "text/javascript"
        async with session.get(f"{base}/static/slod.js", headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304
        async with session.get(f"{base}/static/nothing.js") as answer:
            assert answer.status == 404


async def test_a_group_has_a_page_of_its_own_and_an_unknown_one_is_not_found(
    world: World,
) -> None:
    status, text = await get(world.daemon, "/slo/routes?code=500")
    assert status == 200 and "<h1" in text and "routes{code=500}" in text
    status, text = await get(world.daemon, "/slo/routes")
    assert status == 200 and '<a href="/slo/routes?code=500">routes{code=500}</a>' in text
    status, text = await get(world.daemon, "/slo/routes?code=404")
    assert status == 404 and "There is no such group of it." in text
    assert (await get(world.daemon, "/slo/none"))[0] == 404


async def test_an_objective_without_data_is_found_and_says_why(tmp_path: Path) -> None:
    clock = ManualClock(T)
    async with daemon_of(tmp_path, clock) as daemon:
        status, text = await get(daemon, "/slo/quiet")
        assert status == 200 and "It has no data yet." in text
        for address, listed in (
            ("/?q=quiet", True),
            ("/?state=unknown&label=service:quiet", True),
            ("/?q=shop", False),
            ("/?state=paging", False),
            ("/?label=region:eu", False),
        ):
            assert ("Without data" in (await get(daemon, address))[1]) is listed, address
        # As a bookmark of better days has it.
        assert 'id="o-shop"' in (await get(daemon, "/?page=7"))[1]


async def test_an_objective_without_data_is_found_by_what_the_configuration_says_of_it(
    tmp_path: Path,
) -> None:
    async with daemon_of(tmp_path, ManualClock(T)) as daemon:
        for query in ("label=team:payments", "q=paym+qui", "state=unknown&q=quiet"):
            _, text = await get(daemon, f"/?{query}")
            assert "Without data" in text and '<a href="/slo/quiet">quiet</a>' in text
            assert "No objective matches" not in text
        # One of the targets is down, so that nothing is known for sure.
        assert re.findall(r"(all|unknown) <b>(\d)</b>", text) == [("all", "4"), ("unknown", "4")]
        _, text = await get(daemon, "/?label=team:billing")
        assert "No objective matches" in text and "Without data" not in text


async def test_a_name_cannot_turn_what_stands_beside_it(tmp_path: Path) -> None:
    async with daemon_of(tmp_path, ManualClock(T), code="\u202e005") as daemon:
        for path in ("/", "/slo/routes", f"/slo/routes?code={quote(chr(0x202E) + '005')}"):
            status, text = await get(daemon, path)
            assert status == 200 and "\\u202e005" in text and "\u202e" not in text, path


async def test_an_objective_whose_source_is_down_says_so(tmp_path: Path) -> None:
    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=502)

    async with serving(broken) as url:
        file = tmp_path / "slod.toml"
        file.write_text(CONFIG.format(folder=tmp_path, url=url, evil="x", name="shop"))
        clock = ManualClock(T)
        async with running(file, clock) as daemon:

            async def told() -> bool:
                await clock.advance(15)
                text = unescape((await get(daemon, "/slo/shop"))[1])
                return "there is no data yet; the source app cannot be read (" in text

            await until(told)


async def test_a_receiver_that_hears_nothing_is_told_of(tmp_path: Path) -> None:
    clock = ManualClock(T)
    async with daemon_of(tmp_path, clock) as daemon:

        async def deaf() -> bool:
            await clock.advance(30)
            return "did not reach the receiver hook yet." in (await get(daemon, "/"))[1]

        # A sixth of the requests fail, which is an alert.
        await until(deaf)
        _, text = await get(daemon, "/alerts")
        assert "did not reach the receiver hook yet.</h1>" in text
        assert "http://127.0.0.1:1/...: Cannot connect" in text
        assert "waits</small>" in text


async def test_the_page_of_one_says_what_the_api_says(world: World) -> None:
    made = {
        "slos": '{slo="shop"}',
        "start": "2023-11-14T22:14:00Z",
        "end": "2023-11-14T22:20:00Z",
        "reason": "a drill",
        "owner": "anna",
    }
    assert (await ask(world.daemon, "POST", json=made))[0] == 201
    event = {"kind": "deploy", "name": "v17", "slos": ["shop"], "by": "anna"}
    assert (await ask(world.daemon, "POST", "/api/slo/v1/events", json=event))[0] == 201
    await world.live(1, 10, 0)
    _, said = await ask(world.daemon, "GET", "/api/slo/v1/slos/shop")
    [one] = said["slos"]
    _, text = await get(world.daemon, "/slo/shop?chart-span=1h")
    left = one["budget_remaining"]
    assert f"{int(left * 1000 - 1) / 10:,.1f}%" in text
    assert "a drill" in text and "deploy v17" in text and "page 1h/5m" in text
    assert "aria-current=true>1h" in text
    for chart in ("chart-budget", "chart-burn", "chart-traffic"):
        assert f'id="{chart}"' in text


async def test_beside_the_numbers_stands_what_went_on_and_in_a_short_chart_only_what_it_shows(
    world: World,
) -> None:
    def lanes(text: str, chart: str) -> str:
        return text[text.index(f'id="{chart}"') :].partition("</svg>")[0]

    world.counts.clear()

    async def missing() -> bool:
        await world.clock.advance(60)
        return "no data: still firing" in (await get(world.daemon, "/slo/shop"))[1]

    await until(missing)
    world.counts.update({"200": 10_000, "500": 1_000})
    await world.live(90, 100, 0)
    plan = {
        "slos": '{slo="shop"}',
        "start": "2023-11-16T02:00:00Z",
        "end": "2023-11-16T03:00:00Z",
        "reason": "a move",
        "owner": "anna",
    }
    assert (await ask(world.daemon, "POST", json=plan))[0] == 201
    _, text = await get(world.daemon, "/slo/shop?chart-span=1h")
    assert "to be excluded for 1h: a move" in text
    whole, short = lanes(text, "chart-budget"), lanes(text, "chart-burn")
    # What ended before the chart begins is no mark at its edge, nor what is to come.
    for lane in ("no data", "page 1h/5m", "exhausted"):
        assert f">{lane}</text>" in whole, lane
    assert ">page 1h/5m</text>" not in short and ">excluded</text>" not in short
    assert ">exhausted</text>" in short


async def test_a_stream_says_that_there_is_something_new_and_ends_with_the_daemon(
    tmp_path: Path,
) -> None:
    clock = ManualClock(T)
    heard: list[bytes] = []

    async def listen(port: int) -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/events") as answer:
                assert answer.content_type == "text/event-stream"
                while line := await answer.content.readline():
                    heard.append(line)

    async with daemon_of(tmp_path, clock) as daemon:
        listening = asyncio.create_task(listen(daemon.port))

        async def told(many: int) -> None:
            async def look() -> bool:
                await clock.advance(1)
                return sum(line.startswith(b"data: ") for line in heard) >= many

            await until(look)

        await told(1)
        daemon.changed()
        await told(2)
    async with asyncio.timeout(10):
        await listening


async def test_there_are_only_so_many_streams(tmp_path: Path) -> None:
    clock = ManualClock(T)
    async with daemon_of(tmp_path, clock) as daemon:
        url = f"http://127.0.0.1:{daemon.port}/events"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            open_ = [await session.get(url) for _ in range(MOST)]
            async with session.get(url) as answer:
                assert answer.status == 204
            open_[0].close()

            async def room() -> bool:
                await clock.advance(1)
                async with session.get(url) as answer:
                    return answer.status == 200

            await until(room)
            for answer in open_:
                answer.close()


# --- what is shown, and in which order ----------------------------------------------------------


def outage(*names: str, bad: float = 0) -> Engine:
    of = Traffic(engine_of(*(slo(name, rules=workbook()) for name in names)))
    of.run(3600, 100, bad)
    return of.engine


def test_the_headline_says_whether_all_is_fine() -> None:
    calm = outage("a", "b").status(T + 3600)
    assert headline(see(calm), 0).startswith("All is well: 2 objectives")
    assert headline(see(calm), 3) == (
        "2 objectives, all with more than half of their budget; 3 without data yet."
    )
    burning = outage("a", "b", "c", bad=50).status(T + 3600)
    assert headline(see(burning), 0) == "Of 3 objectives: 3 page."
    assert headline([], 2) == "No objective has data yet."
    assert headline([], 0) == "There are no objectives."


def of_policy(**step: Any) -> Snapshot:
    """Two with a third of the budget gone; the policy of the second has this step."""
    steps = (BudgetStep(state="tight", **step),)
    of = Traffic(aged(engine_of(slo("a"), slo("b", steps=steps))))
    of.run(3600, 100, 0.03)
    return of.engine.status(T + 3600)


def test_a_step_of_the_policy_that_pages_is_a_page_and_a_gate_that_it_closes_is_told_of() -> None:
    paged = see(of_policy(below=0.9, severity="page"))
    assert [one.state for one in paged] == [State.OK, State.PAGING]
    assert headline(paged, 0) == "Of 2 objectives: b pages."
    closed = see(of_policy(below=0.9, gate_open=False))
    assert headline(closed, 0) == (
        "2 objectives, all with more than half of their budget; the budget policy closes the gate "
        "of b."
    )


def test_a_list_that_is_cut_says_how_many_more_there_are() -> None:
    names = [f"{n:03}" for n in range(130)]
    of = Traffic(engine_of(*(slo(name) for name in names)))
    of.run(60, 100, 0)
    seen = see(of.engine.status(T + 60))
    assert "<p>… and 30 more.</p>" in groups(slo("all"), seen, None, gone=False)
    assert "more.</p>" not in groups(slo("all"), seen[:100], None, gone=False)


def test_filters_are_what_stands_in_the_address() -> None:
    filters = Filters.read(
        [
            ("q", " pay check "),
            ("state", "paging"),
            ("state", "no such"),
            ("label", "team:a:b"),
            ("page", "3"),
            ("page", "x"),
            ("other", "1"),
        ]
    )
    assert filters == Filters("pay check", State.PAGING, (("team", "a:b"),), 3)
    assert filters.address() == "/?q=pay+check&state=paging&label=team%3Aa%3Ab&page=3"
    assert Filters().address() == "/"
    assert filters.without("team", "a:b").with_label("x", "y").address() == (
        "/?q=pay+check&state=paging&label=x%3Ay"
    )


def test_thousands_are_shown_by_pages_the_most_urgent_first() -> None:
    document = "".join(
        f'[slo.s{n}]\nobjective = 99\nservice = "v{n % 7}"\nsource = "app"\n'
        "sli = { bad = 'b', total = 't' }\n"
        for n in range(250)
    )
    source = '[source.app]\ntype = "scrape"\ntargets = ["http://127.0.0.1:1/"]\n'
    slos = parse(source + document, "x").slos
    made = Engine(slos, (), str)
    for k, account in enumerate(made.accounts.values()):
        instance = account.memory.instance(())
        instance.ledger.cover(T - 30 * 86_400, T)
        instance.ledger.add(T - 60, T, 1000, 11 if k == 200 else 1)
        instance.seen = T
    seen = see(made.status(T))
    filters = Filters()
    found = filters.found(seen)
    assert len(found) == 250 and found[0].status.slo.name == "s200"
    # What is on fire stands above the calm ones of its service, and of all others.
    services = [service for service, _ in groupby(one.status.slo.service for one in found[1:])]
    assert services == [f"v{k}" for k in range(7)]
    assert len(filters.shown(found)) == PAGE
    assert len(Filters(page=3).shown(found)) == 50
    assert Filters(page=9).within(250).page == 3
    assert Filters(page=9).within(0).page == 1
    assert [one.status.slo.name for one in Filters("s17 v3").found(seen)] == ["s17", "s171", "s178"]
    assert len(Filters(labels=(("service", "v4"),)).found(seen)) == 36
