"""What a reload does with ledgers: those that are out of use are kept, and come back."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import aiohttp
import pytest

from exporter.store.database import Store
from tests.cases.conftest import stage
from tests.cases.stage import Stage, answer
from tests.core.builders import aged

__all__ = ["stage"]

SOURCE = """
[source.app]
type = "scrape"
targets = ["http://shop/metrics"]
interval = "10s"
"""
SLO = """
[slo.{name}]
source = "app"
objective = 99
sli = {{ bad = 'requests_total{{code=~"{code}"}}', total = 'requests_total' }}
[slo.{name}.labels]
team = "shop"
"""


def slo(name: str = "case", code: str = "5..") -> str:
    return SLO.format(name=name, code=code)


BOTH = SOURCE + slo() + slo("other")


GONE = SOURCE + slo("other")
EDITED = SOURCE + slo(code="4..") + slo("other")


class Shop:
    """A page whose counters grow with every look."""

    def __init__(self, stage: Stage) -> None:
        self.looks = 0
        stage.network.hosts["shop"] = self.page

    def page(self, request: object) -> Any:
        self.looks += 1
        text = 'requests_total{{code="200"}} {}\nrequests_total{{code="500"}} {}\n'
        return answer(text.format(90 * self.looks, 10 * self.looks))

    def counts(self, since: int = 1) -> tuple[float, float]:
        return 90.0 * (self.looks - since), 10.0 * (self.looks - since)


async def begin(stage: Stage, config: str = BOTH) -> Shop:
    shop = Shop(stage)
    await stage.start(config)
    for _ in range(5):
        await stage.advance(10)
    return shop


async def reloads(stage: Stage, config: str, **more: Any) -> str | None:
    stage.write(config)
    said = await stage.daemon.reload(**more)
    await stage.advance(10)
    return said


async def removed(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await stage.api("removed"))["removed"]
    return found


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    "meanwhile", [SOURCE + slo("other"), SOURCE + slo(code="4..") + slo("other")]
)
async def test_a_ledger_comes_back_with_its_definition_and_nothing_is_lost_or_doubled(
    stage: Stage, meanwhile: str, restarted: bool
) -> None:
    shop = await begin(stage)
    for after in (meanwhile, BOTH):
        if restarted:
            await stage.stop()
            await stage.start(after)
        else:
            assert await reloads(stage, after) is None
        for _ in range(3):
            await stage.advance(10)
        assert (await stage.metrics()).events("other") == shop.counts()
    assert (await stage.metrics()).events() == shop.counts()
    edited = [one for one in await removed(stage) if one["slo"] == "case"]
    assert len(edited) == ("4.." in meanwhile)
    await stage.restart()
    await stage.advance(10)
    assert (await stage.metrics()).events() == shop.counts()


async def test_a_save_while_a_ledger_comes_back_does_not_split_it(stage: Stage) -> None:
    read = Store.removed

    async def slowly(store: Store, name: str, definition: str) -> bytes | None:
        assert await stage.daemon._keeper.save() is None  # noqa: SLF001 - as the saving loop does
        return await read(store, name, definition)

    shop = await begin(stage)
    await reloads(stage, GONE)
    await stage.advance(10)
    with patch.object(Store, "removed", slowly):
        await reloads(stage, BOTH)
    await stage.advance(10)
    await stage.kill()
    await stage.start()
    await stage.advance(10)
    assert (await stage.metrics()).events() == shop.counts()


async def test_an_alert_that_ended_with_its_slo_is_said_anew_when_both_are_back(
    stage: Stage,
) -> None:
    await begin(stage)
    aged(stage.daemon.engine, stage.now - 60)
    await stage.advance(10)
    assert await stage.fetch_alerts() != []
    await reloads(stage, SOURCE + slo("other"))
    assert {a["labels"]["slo"] for a in await stage.fetch_alerts()} <= {"other"}
    await reloads(stage, BOTH)
    assert "case" in {a["labels"]["slo"] for a in await stage.fetch_alerts()}


async def test_what_is_kept_is_listed_dropped_at_once_and_over_after_its_time(
    stage: Stage,
) -> None:
    stage._head += 'keep_removed = "30m"\n'  # noqa: SLF001
    shop = await begin(stage)
    counts = shop.counts()
    await reloads(stage, SOURCE + slo(code="4.."))
    one, other = sorted(await removed(stage), key=lambda row: row["slo"])
    assert (one["slo"], one["reason"], other["slo"], other["reason"]) == (
        "case", "edited", "other", "removed",
    )  # fmt: skip
    assert (one["good"], one["bad"]) == counts
    assert one["bytes"] > 0 and one["since"] < one["until"]
    url = f"http://127.0.0.1:{stage.daemon.port}/api/slo/v1/removed/case"
    async with aiohttp.ClientSession(headers={"X-Requested-With": "test"}) as session:
        statuses = [(await session.delete(url)).status for _ in range(2)]
    assert statuses == [204, 404]
    assert [row["slo"] for row in await removed(stage)] == ["other"]
    await stage.advance(10)
    await stage.restart()
    assert [row["slo"] for row in await removed(stage)] == ["other"]
    # It is looked for once an hour.
    await stage.advance(3700)
    assert await removed(stage) == []
    await reloads(stage, BOTH)
    assert (await stage.metrics()).events("other") == (90, 10)


async def test_with_nothing_to_keep_a_removed_ledger_is_gone(stage: Stage) -> None:
    stage._head += 'keep_removed = "0s"\n'  # noqa: SLF001
    await begin(stage)
    await reloads(stage, SOURCE + slo("other"))
    assert await removed(stage) == []
    await reloads(stage, BOTH)
    assert (await stage.metrics()).events() == (90, 10)


@pytest.mark.parametrize("config", ["", SOURCE, "[slo]\n"])
async def test_no_slo_in_place_of_some_is_refused_unless_it_is_asked_for(
    stage: Stage, config: str
) -> None:
    shop = await begin(stage)
    said = await reloads(stage, config)
    assert said is not None and "--allow-empty" in said and "\n" not in said
    assert (await stage.metrics()).get("slod_config_last_reload_successful") == 0
    assert (await stage.metrics()).events() == shop.counts()
    url = f"http://127.0.0.1:{stage.daemon.port}/-/reload"
    async with aiohttp.ClientSession() as session:
        assert (await session.post(url)).status == 500
        assert (await session.post(url, params={"allow_empty": "1"})).status == 200
    await stage.advance(10)
    assert {row["slo"] for row in await removed(stage)} == {"case", "other"}
    # From none to none is no loss.
    assert await reloads(stage, config + "# nothing\n") is None
    assert await reloads(stage, BOTH) is None
    for _ in range(2):
        await stage.advance(10)
    assert (await stage.metrics()).events() == shop.counts()


async def test_a_reload_of_what_is_in_force_touches_nothing(stage: Stage) -> None:
    shop = await begin(stage)
    daemon = stage.daemon
    before = dict(daemon.engine.accounts)
    with patch.object(daemon.engine, "configure", side_effect=AssertionError):
        assert await reloads(stage, BOTH + "\n# a comment\n") is None
    assert daemon.engine.accounts == before
    assert (await stage.metrics()).events() == shop.counts()
