"""Events through a daemon: posted, weighed, blamed, ended, found in a Prometheus, told on."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from exporter.app import event_scale
from exporter.app.daemon import Daemon
from exporter.charts import figures
from exporter.config.moments import rfc3339
from exporter.web import events_api
from tests.app.test_daemon import PageServer, all_counted, page, until, write
from tests.app.test_exclusions import ask, running
from tests.support import ManualClock

__all__ = ["page"]

API = "/api/slo/v1/events"
SLO = """
[slo.shop]
objective = 99
sli = { bad = 'requests_total{code="500"}', total = 'requests_total' }
[timeline]
effect = "10m"
"""
DEPLOY = {"kind": "deploy", "name": "v2", "service": "shop", "by": "ci", "link": "http://ci/7"}


class Shop:
    """A daemon beside a service whose traffic the test makes."""

    def __init__(self, page: PageServer, daemon: Daemon, clock: ManualClock) -> None:
        self.page, self.daemon, self.clock = page, daemon, clock

    async def serve(self, good: int, bad: int, seconds: float = 60.0) -> None:
        """So many events in so long, until slod has counted them."""
        self.page.counts["200"] += good
        self.page.counts["500"] += bad
        self.clock.step(seconds)

        async def look() -> bool:
            await self.clock.advance(0.2)
            return await all_counted(self.daemon, self.page)

        await until(look)

    async def post(self, body: dict[str, Any], path: str = API, **more: Any) -> tuple[int, Any]:
        return await ask(self.daemon, "POST", path, json=body, **more)

    async def events(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await ask(self.daemon, "GET", API + query))[1]["events"]
        return found


@asynccontextmanager
async def serving(
    folder: Path, page: PageServer, clock: ManualClock, more: str = ""
) -> AsyncIterator[Shop]:
    page.counts.setdefault("500", 0)
    async with running(write(folder, page, SLO, more), clock) as daemon:
        shop = Shop(page, daemon, clock)
        await shop.serve(0, 0)
        yield shop


@pytest.fixture
async def shop(tmp_path: Path, page: PageServer) -> AsyncIterator[Shop]:
    async with serving(tmp_path, page, ManualClock()) as shop:
        yield shop


async def test_a_deploy_says_what_it_burned(shop: Shop) -> None:
    await shop.serve(9990, 10, 3600)
    status, made = await shop.post(DEPLOY)
    assert (status, made["kind"], made["by"], made["end"]) == (201, "deploy", "ci", None)
    await shop.serve(950, 50)
    [found] = await shop.events("?service=shop&kind=deploy")
    assert found["id"] == made["id"] and found["link"] == "http://ci/7"
    [spent] = found["spent"]
    # 60 of 11,000 are bad and 110 would be allowed: a part of what the whole period allows.
    _, known = await ask(shop.daemon, "GET", "/api/slo/v1/slos/shop")
    part = known["slos"][0]["age"] / (30 * 86_400)
    assert spent["slo"] == "shop" and spent["bad"] == pytest.approx(50, abs=0.5)
    assert spent["budget_share"] == pytest.approx(part * 50 / 110, rel=0.01)
    assert spent["budget_seconds"] == pytest.approx(part * 50 / 110 * 30 * 86_400, rel=0.01)
    assert spent["budget_share_above_before"] == pytest.approx(part * 49 / 110, rel=0.02)
    assert await shop.events("?kind=incident") == []


async def test_one_that_burns_more_than_before_is_blamed_said_once_and_shown_by_the_gate(
    shop: Shop,
) -> None:
    said: list[Any] = []
    put = shop.daemon.engine.outbox.put
    shop.daemon.engine.outbox.put = lambda n, now: (said.append(n), put(n, now))[1]  # type: ignore[method-assign]
    await shop.serve(9990, 10, 3600)
    _, made = await shop.post(DEPLOY)
    await shop.serve(900, 100)

    async def blamed() -> bool:
        await shop.clock.advance(5)
        return bool((await shop.events())[0]["blamed"])

    await until(blamed)
    [one] = (await shop.events())[0]["blamed"]
    assert one["slo"] == "shop" and one["p"] < 1e-9
    assert one["burn_rate_before"] == pytest.approx(0.1, rel=0.05)
    assert one["burn_rate_after"] > 5
    _, gate = await ask(shop.daemon, "GET", "/api/slo/v1/gate/shop")
    [warning] = gate["warnings"]
    assert warning.startswith("deploy v2 of 20") and "shop burns 1" in warning

    await until(lambda: asyncio.sleep(0, bool(said)))
    await shop.serve(1000, 0, 700)
    await shop.clock.advance(10)

    def burned() -> list[Any]:
        return [n for n in said if n.labels["alertname"] == "DeploymentBurn"]

    async def over() -> bool:
        await shop.clock.advance(5)
        return len(burned()) == 2

    await until(over)
    firing, resolved = burned()
    assert [firing.reason.value, resolved.reason.value] == ["firing", "resolved"]
    assert firing.labels["event_id"] == made["id"] and firing.labels["severity"] == "ticket"
    assert firing.annotations["link"] == "http://ci/7"
    # One number wherever it is told, as of now.
    [event] = await shop.events()
    share = event["spent"][0]["budget_share"]
    assert event["blamed"][0]["budget_share"] == share > 0
    # The end was told before its last events had come.
    assert float(resolved.annotations["budget_spent"]) == pytest.approx(share, rel=0.1)
    _, review = await ask(shop.daemon, "GET", "/api/slo/v1/report?period=1d")
    parts = review["slos"][0]["spent_by"]["parts"]
    assert [p["cost"] for p in parts if p["cause"]] == [pytest.approx(share)]
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{shop.daemon.port}/slo/shop") as answer:
            assert f"deploy v2, spent {figures.share(share)} of the budget" in await answer.text()
    assert (await ask(shop.daemon, "GET", "/api/slo/v1/gate/shop"))[1]["warnings"] == []


async def test_a_change_that_burns_no_more_is_not_blamed(shop: Shop) -> None:
    await shop.serve(900, 100, 3600)
    await shop.post(DEPLOY)
    await shop.serve(900, 100)
    await shop.clock.advance(60)
    assert (await shop.events())[0]["blamed"] == []


async def test_the_same_event_sent_again_is_the_same(shop: Shop) -> None:
    first = await shop.post({**DEPLOY, "id": "build-7"})
    again = await shop.post({**DEPLOY, "id": "build-7", "name": "other"})
    assert (first[0], again[0]) == (201, 200) and again[1]["name"] == "v2"
    headers = {"Idempotency-Key": "key-1"}
    assert [(await shop.post(DEPLOY, headers=headers))[0] for _ in range(2)] == [201, 200]
    assert len(await shop.events()) == 2


async def test_little_has_to_be_said(shop: Shop) -> None:
    status, made = await shop.post({"kind": "feature_flag", "service": "shop"})
    assert (status, made["name"], made["by"]) == (201, "feature_flag", "")
    assert (await shop.post({"end": None}, f"{API}/{made['id']}/end"))[0] == 200


async def test_an_incident_goes_on_until_it_is_ended_and_an_event_may_be_taken_back(
    shop: Shop,
) -> None:
    start = rfc3339(shop.clock.now() - 600)
    incident = {"kind": "incident", "name": "db down", "slos": ["shop"], "by": "anna"}
    _, made = await shop.post({**incident, "start": start})
    assert made["start"] == start and made["end"] is None
    status, ended = await shop.post({"by": "bob"}, f"{API}/{made['id']}/end")
    assert status == 200 and ended["end"] == ended["effect_until"]
    assert (await shop.post({"by": "bob", "end": 0}, f"{API}/{made['id']}/end"))[0] == 400
    gone = f"{API}/{made['id']}?by=anna&why=mistaken"
    assert (await ask(shop.daemon, "DELETE", gone))[0] == 204
    assert (await ask(shop.daemon, "DELETE", gone))[0] == 404
    assert (await shop.post({"by": "bob"}, f"{API}/{made['id']}/end"))[0] == 404
    _, audit = await ask(shop.daemon, "GET", f"{API}/audit")
    assert [(r["by"], r["action"]) for r in audit["records"]] == [
        ("anna", "removed"),
        ("bob", "ended"),
        ("anna", "added"),
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": "De ploy"}, "kind: must be a word like deploy"),
        ({"kind": None}, "the key 'kind' is missing"),
        ({"name": "x" * 501}, "name: must be a text of at most 500 characters"),
        ({"by": "x" * 201}, "must be a text of 1 to 200 characters"),
        ({"service": None}, "exactly one of 'service' and 'slos'"),
        ({"service": "shpo"}, "no SLO has the service 'shpo'; did you mean 'shop'?"),
        ({"service": None, "slos": ["x"]}, "there is no SLO 'x'"),
        ({"start": "soon"}, "start: "),
        ({"start": "1999-01-01T00:00:00Z"}, "more than a year away"),
        ({"end": "2023-11-14T00:00:00Z"}, "must not be before 'start'"),
        ({"link": "javascript:alert(1)"}, "must begin with http"),
        ({"id": "a/b"}, "id: must be up to 100 letters"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
async def test_what_cannot_be_an_event_is_refused(
    shop: Shop, change: dict[str, Any], why: str
) -> None:
    body = {key: value for key, value in {**DEPLOY, **change}.items() if value is not None}
    status, said = await shop.post(body)
    assert status == 400 and why in said["error"]
    assert await shop.events() == []


@pytest.mark.parametrize("query", ["?start=soon", "?limit=0", "?end=2023-11-14T00:00:00"])
async def test_a_query_that_cannot_be_read_is_refused(shop: Shop, query: str) -> None:
    assert (await ask(shop.daemon, "GET", API + query))[0] == 400


async def test_events_survive_a_restart_and_damage_is_left_out(
    tmp_path: Path, page: PageServer
) -> None:
    clock = ManualClock()
    async with serving(tmp_path, page, clock) as shop:
        for name in ("kept", "damaged"):
            await shop.post({**DEPLOY, "name": name})
    db = sqlite3.connect(tmp_path / "slod.db")
    db.execute("UPDATE document SET body = x'00' WHERE CAST(body AS TEXT) LIKE '%damaged%'")
    db.commit()
    db.close()
    async with serving(tmp_path, page, clock) as shop:
        assert [e["name"] for e in await shop.events()] == ["kept"]
        assert len(await shop.events(f"?start={clock.now() - 86_400:.0f}")) == 1
        await shop.daemon.reload()
        assert len(await shop.events()) == 1


async def test_what_cannot_be_kept_did_not_happen(shop: Shop, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "slod.db")
    other.execute("ALTER TABLE audit RENAME TO away")
    other.close()
    status, said = await shop.post(DEPLOY)
    assert status == 503 and "nothing was changed" in said["error"]
    assert await shop.events() == []
    assert (await ask(shop.daemon, "GET", f"{API}/audit"))[0] == 503


# --- Grafana ------------------------------------------------------------------------------------


class Peer:
    """A server that keeps what it is asked and answers what the test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.status, self.answers = 200, [{"message": "Annotation added", "id": 7}]
        self.series: list[dict[str, Any]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        text = await request.text()
        if request.path.startswith("/api/v1/"):
            return web.json_response(
                {"status": "success", "data": {"resultType": "matrix", "result": self.series}},
                status=self.status,
            )
        self.asked.append((request.method, request.path, dict(request.headers), json.loads(text)))
        return web.json_response(self.answers[0], status=self.status)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", peer.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield peer
    await runner.cleanup()


async def test_grafana_is_told_of_an_event_and_of_its_end(
    tmp_path: Path, page: PageServer, peer: Peer
) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    grafana = f'[grafana]\nurl = "{peer.url}/"\ntoken_file = "{tmp_path}/token"\n'
    clock = ManualClock()
    async with serving(tmp_path, page, clock, grafana) as shop:
        _, made = await shop.post({**DEPLOY, "kind": "incident", "name": "db"})
        at = clock.now()
        await until(lambda: asyncio.sleep(0, len(peer.asked) == 1))
        await shop.post({"by": "anna"}, f"{API}/{made['id']}/end")
        await until(lambda: asyncio.sleep(0, len(peer.asked) == 2))
    (method, path, headers, body), (method2, path2, _, body2) = peer.asked
    assert (method, path) == ("POST", "/api/annotations")
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["Content-Type"] == "application/json"
    assert body == {
        "time": round(at * 1000),
        "tags": ["slod", "incident", "shop"],
        "text": "incident: db\nby ci\nhttp://ci/7",
    }
    assert (method2, path2) == ("PATCH", "/api/annotations/7")
    assert body2["timeEnd"] == round(at * 1000) and "time" not in body2


async def test_a_grafana_that_fails_hears_of_it_later_and_one_that_refuses_is_let_be(
    tmp_path: Path, page: PageServer, peer: Peer
) -> None:
    peer.status = 500
    grafana = f'[grafana]\nurl = "{peer.url}"\n'
    clock = ManualClock()
    async with serving(tmp_path, page, clock, grafana) as shop:
        await shop.post({**DEPLOY, "name": "one"})
        await until(lambda: asyncio.sleep(0, len(peer.asked) >= 1))
        peer.status = 401
        await shop.post({**DEPLOY, "name": "two"})

        async def both() -> bool:
            await clock.advance(1)
            return len(peer.asked) >= 3

        await until(both)
        assert [body["text"].split("\n")[0] for *_, body in peer.asked[:3]] == [
            "deploy: one", "deploy: one", "deploy: two",
        ]  # fmt: skip


# --- found in a Prometheus ----------------------------------------------------------------------


def series(labels: dict[str, str], *samples: tuple[float, float]) -> dict[str, Any]:
    values = [[time, f"{value:g}"] for time, value in samples]
    return {
        "metric": {"__name__": "kube_deployment_status_observed_generation", **labels},
        "values": values,
    }


WATCH = """
[source.prom]
type = "prometheus"
url = "{url}"
interval = "1h"
[events.rollouts]
source = "prom"
selector = 'kube_deployment_status_observed_generation'
interval = "10s"
"""


async def names(shop: Shop, count: int) -> list[str]:
    async def found() -> bool:
        await shop.clock.advance(10)
        return len(await shop.events()) >= count

    await until(found)
    return [e["name"] for e in reversed(await shop.events())]


async def test_a_value_that_changes_is_an_event_once_also_after_a_restart(
    tmp_path: Path, page: PageServer, peer: Peer
) -> None:
    clock = ManualClock()
    more = WATCH.format(url=peer.url) + 'service_label = "deployment"\n'
    slo = SLO.replace("[slo.shop]", '[slo.shop]\nsource = "app"')
    now = clock.now()
    shop_series = {"deployment": "shop", "instance": "ksm-1"}
    peer.series = [series(shop_series, (now - 120, 3), (now - 60, 3), (now - 30, 4))]
    page.counts.setdefault("500", 0)
    file = write(tmp_path, page, slo, more)
    for _ in range(2):
        async with running(file, clock) as daemon:
            shop = Shop(page, daemon, clock)
            assert await names(shop, 1) == ["kube_deployment_status_observed_generation 4"]
            [event] = await shop.events()
            assert (event["origin"], event["kind"], event["service"]) == (
                "rollouts", "deploy", "shop",
            )  # fmt: skip
            assert event["start"] == rfc3339(now - 30)
    # Another replica of what exports it shows the same.
    peer.series.append(series({**shop_series, "instance": "ksm-2"}, (now - 30, 4), (now - 5, 4)))
    async with running(file, clock) as daemon:
        shop = Shop(page, daemon, clock)
        await clock.advance(30)
        assert len(await names(shop, 1)) == 1


async def test_a_label_that_has_a_new_value_is_an_event_though_old_and_new_stand_side_by_side(
    tmp_path: Path, page: PageServer, peer: Peer
) -> None:
    clock = ManualClock()
    more = WATCH.format(url=peer.url) + 'label = "version"\nservice = "shop"\n'
    slo = SLO.replace("[slo.shop]", '[slo.shop]\nsource = "app"')
    now = clock.now()
    peer.series = [
        series({"version": "v1"}, *((now - 600 + 30 * k, 1) for k in range(12))),
        series({"version": "v2"}, *((now - 400 + 30 * k, 1) for k in range(12))),
    ]
    page.counts.setdefault("500", 0)
    async with running(write(tmp_path, page, slo, more), clock) as daemon:
        shop = Shop(page, daemon, clock)
        assert await names(shop, 1) == ["v2"]
        # Rolled back an hour later.
        clock.step(3600)
        peer.series = [series({"version": "v1"}, (clock.now(), 1))]
        assert await names(shop, 2) == ["v2", "v1"]


async def test_a_server_that_fails_is_asked_again(
    tmp_path: Path, page: PageServer, peer: Peer
) -> None:
    clock = ManualClock()
    peer.status = 503
    more = WATCH.format(url=peer.url) + 'service = "shop"\n'
    slo = SLO.replace("[slo.shop]", '[slo.shop]\nsource = "app"')
    now = clock.now()
    page.counts.setdefault("500", 0)
    async with running(write(tmp_path, page, slo, more), clock) as daemon:
        shop = Shop(page, daemon, clock)
        await clock.advance(30)
        peer.status, peer.series = 200, [series({"x": "y"}, (now - 60, 3), (now - 30, 4))]
        assert len(await names(shop, 1)) == 1


async def test_the_review_attributes_what_an_event_spent(shop: Shop) -> None:
    await shop.serve(9990, 10, 3600)
    await shop.post({**DEPLOY, "name": "v9"})
    await shop.serve(900, 100)
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{shop.daemon.port}/api/slo/v1/report?format=markdown"
        async with session.get(url) as answer:
            text = await answer.text()
    assert answer.status == 200 and "v9" in text


async def test_a_look_weighs_so_many_pairs_and_the_rest_has_its_turn(
    tmp_path: Path, page: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[float] = []

    def counted(slo: Any, instance: Any, start: float, *more: Any) -> None:
        weighed.append(start)

    monkeypatch.setattr(event_scale, "blame", counted)
    monkeypatch.setattr(event_scale, "PAIRS", 10)
    async with serving(tmp_path, page, ManualClock()) as shop:
        now = shop.clock.now()
        for k in range(25):
            status, _ = await shop.post(
                {**DEPLOY, "name": f"v{k}", "start": now - k, "end": now + 86_400}
            )
            assert status == 201
        looks = []
        for _ in range(3):
            weighed.clear()
            await shop.clock.advance(10)
            await until(lambda: asyncio.sleep(0, len(weighed) >= 5))
            looks.append(list(weighed))
        assert [len(look) for look in looks[:2]] == [10, 10]
        # The newest first, then those that wait.
        assert looks[0] == sorted(looks[0], reverse=True)
        assert len({start for look in looks for start in look}) == 25


async def test_an_answer_has_so_many_costs_and_says_that_there_are_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in range(5):
        await shop.post({**DEPLOY, "name": f"v{k}"})
    _, whole = await ask(shop.daemon, "GET", API)
    assert (len(whole["events"]), whole["more"]) == (5, False)
    monkeypatch.setattr(events_api, "_MOST_ROWS", 2)
    _, part = await ask(shop.daemon, "GET", API)
    assert (len(part["events"]), part["more"]) == (2, True)
