"""Targets that come, go and change their labels, and what one target's trouble costs the others."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest
from aiohttp import web

from exporter.config.settings import Discover, Duration, KubernetesSD
from exporter.config.settings import ScrapeSource as Settings
from exporter.core.sample import Ask
from exporter.core.selector import parse_selector
from exporter.http import Client
from exporter.sources.base import Poll
from exporter.sources.scrape import ScrapeSource
from tests.sources.kit import running, serving
from tests.support import ManualClock

M = parse_selector("m")
REFRESH = 5.0


class App:
    """A page for each path; `/slow` hangs until it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.logins: list[str] = []
        self.waiting = 0
        self.most_waiting = 0
        self.go = asyncio.Event()
        self.came = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        self.logins.append(request.headers.get("Authorization", ""))
        if request.path.startswith("/slow"):
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
            self.came.set()
            await self.go.wait()
            self.waiting -= 1
        return web.Response(text="m 1\n")


class Listed:
    """A file_sd file and the source that follows it."""

    def __init__(self, folder: Path, clock: ManualClock, **more: object) -> None:
        self._file = folder / "targets.json"
        self._clock = clock
        discover = Discover(file=str(self._file), refresh=Duration(REFRESH))
        settings = Settings(
            name="app", discover=discover, interval=Duration(60), timeout=Duration(20), **more
        )  # type: ignore[arg-type]
        self.source = ScrapeSource(settings, Client(settings), clock)

    def write(self, *addresses: str, **labels: str) -> None:
        # Another file each time: within one tick of the file system's clock it has another inode.
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps([{"targets": list(addresses), "labels": labels}]))
        fresh.rename(self._file)

    async def change(self, *addresses: str, **labels: str) -> None:
        self.write(*addresses, **labels)
        await self._clock.advance(REFRESH)


def of(polls: list[Poll], end: str) -> list[Poll]:
    return [p for p in polls if p.target.endswith(end)]


async def test_the_scrape_under_way_of_a_removed_target_still_counts(tmp_path: Path) -> None:
    app, clock = App(), ManualClock()
    async with serving(app) as url:
        listed = Listed(tmp_path, clock)
        listed.write(f"{url}/slow", f"{url}/other")
        async with running(listed.source, [M]) as polls:
            await app.came.wait()
            await polls.count(1)
            await listed.change(f"{url}/other")
            assert list(listed.source.targets) == [f"{url}/other"]
            assert of(polls.all, "/slow") == []
            app.go.set()
            await polls.until(lambda all_: any(p.gone for p in all_))
    last, gone = of(polls.all, "/slow")
    assert last.batch is not None and last.batch.readings[M]
    assert gone.gone


async def test_a_target_that_comes_back_meanwhile_is_neither_gone_nor_asked_twice_at_once(
    tmp_path: Path,
) -> None:
    app, clock = App(), ManualClock()
    async with serving(app) as url:
        listed = Listed(tmp_path, clock)
        listed.write(f"{url}/slow")
        async with running(listed.source, [M]) as polls:
            await app.came.wait()
            await listed.change()
            await listed.change(f"{url}/slow")
            assert app.asked == ["/slow"]
            app.go.set()
            await polls.count(1)
            await clock.until_sleeping(2)
            await clock.advance(60)
            await polls.count(2)
    assert [(p.target, p.gone, p.error) for p in polls.all] == [(f"{url}/slow", False, None)] * 2


async def test_a_target_that_waits_for_its_beat_leaves_at_once_and_may_return(
    tmp_path: Path,
) -> None:
    app, clock = App(), ManualClock()
    async with serving(app) as url:
        listed = Listed(tmp_path, clock)
        listed.write(f"{url}/a")
        async with running(listed.source, [M]) as polls:
            await polls.count(1)
            await clock.until_sleeping(2)
            await listed.change()
            await polls.until(lambda all_: all_[-1].gone)
            left = len(polls.all)
            await listed.change(f"{url}/a")
            await polls.count(left + 1)
    assert [p.gone for p in polls.all[left - 1 :]] == [True, False]


async def test_new_labels_of_a_target_are_put_on_the_same_series(tmp_path: Path) -> None:
    app, clock = App(), ManualClock()

    def labelled(poll: Poll) -> str:
        assert poll.batch is not None
        return poll.batch.readings[M][0].series.labels["env"]

    async with serving(app) as url:
        listed = Listed(tmp_path, clock)
        listed.write(url, env="blue")
        async with running(listed.source, [M]) as polls:
            await polls.count(1)
            await clock.until_sleeping(2)
            await listed.change(url, env="green")
            await clock.until_sleeping(2)
            await clock.advance(60)
            await polls.until(lambda all_: labelled(all_[-1]) == "green")
    assert labelled(polls.all[0]) == "blue"
    ends = [p.batch.readings[M][0].series for p in (polls.all[0], polls.all[-1]) if p.batch]
    assert len({(s.key, s.target) for s in ends}) == 1


async def test_what_the_configuration_says_of_a_label_wins_over_the_list(tmp_path: Path) -> None:
    app, clock = App(), ManualClock()
    async with serving(app) as url:
        listed = Listed(tmp_path, clock, labels={"job": "configured"})
        listed.write(url, job="listed", instance="web-1", empty="")
        async with running(listed.source, [M]) as polls:
            [poll] = await polls.count(1)
    assert poll.batch is not None
    labels = poll.batch.readings[M][0].series.labels
    assert (labels["job"], labels["instance"]) == ("configured", "web-1")


@pytest.mark.parametrize("bad", ["host:99999", "two words:80", "http://[::1", ":80", ""])
async def test_an_address_that_is_none_costs_only_itself(tmp_path: Path, bad: str) -> None:
    app, clock = App(), ManualClock()
    async with serving(app) as url:
        listed = Listed(tmp_path, clock)
        listed.write(bad, f"{url}/good")
        async with running(listed.source, [M]) as polls:
            await polls.count(1)
            assert list(listed.source.targets) == [f"{url}/good"]
    assert [p.error for p in polls.all] == [None]


async def test_a_target_that_is_configured_and_listed_is_scraped_once(tmp_path: Path) -> None:
    app, clock = App(), ManualClock()
    async with serving(app) as url:
        with_login = url.replace("http://", "http://me:s3cret@")
        listed = Listed(tmp_path, clock, targets=(f"{with_login}/metrics",))
        listed.write(url.removeprefix("http://"))
        async with running(listed.source, [M]) as polls:
            [poll] = await polls.count(1)
            await clock.until_sleeping(2)
    assert app.asked == ["/metrics"]
    assert app.logins == ["Basic " + base64.b64encode(b"me:s3cret").decode()]
    assert poll.target == f"{url}/metrics"
    assert poll.batch is not None
    assert list(poll.batch.targets) == [poll.target]


async def test_targets_that_differ_in_their_query_are_several_and_do_not_show_its_values() -> None:
    app, clock = App(), ManualClock()
    async with serving(app) as url:
        probes = (f"{url}/probe?target=a", f"{url}/probe?target=b")
        settings = Settings(name="app", targets=probes)
        async with running(ScrapeSource(settings, Client(settings), clock), [M]) as polls:
            await polls.count(2)
    assert sorted(app.asked) == ["/probe?target=a", "/probe?target=b"]
    names = {p.target for p in polls.all}
    assert len(names) == 2
    assert all(name.startswith(f"{url}/probe?target=...#") for name in names)
    assert {s.series.target for p in polls.all if p.batch for s in p.batch.readings[M]} == names


async def test_a_scrape_never_overlaps_itself() -> None:
    app, clock = App(), ManualClock()
    async with serving(app) as url:
        settings = Settings(
            name="app", targets=(f"{url}/slow",), interval=Duration(20), timeout=Duration(20)
        )
        async with running(ScrapeSource(settings, Client(settings), clock), [M]) as polls:
            await app.came.wait()
            await clock.advance(200)
            assert app.asked == ["/slow"]
            app.go.set()
            await polls.count(1)


async def test_a_first_round_asks_a_hundred_at_once() -> None:
    app, clock = App(), ManualClock()
    async with serving(app) as url:
        many = tuple(f"{url}/slow/{i}" for i in range(130))
        settings = Settings(name="app", targets=many, interval=Duration(60), timeout=Duration(20))
        async with running(ScrapeSource(settings, Client(settings), clock), [M]) as polls:
            while app.waiting < 100:
                app.came.clear()
                await app.came.wait()
            app.go.set()
            await polls.count(130)
    assert app.most_waiting == 100


async def test_a_fault_of_whoever_takes_the_polls_does_not_end_the_scraping() -> None:
    app, clock = App(), ManualClock()
    taken: asyncio.Queue[Poll] = asyncio.Queue()

    async def sink(poll: Poll) -> None:
        await taken.put(poll)
        raise RuntimeError("a bug")

    async with serving(app) as url:
        settings = Settings(name="app", targets=(url,))
        source = ScrapeSource(settings, Client(settings), clock)
        task = asyncio.create_task(source.run([Ask("m", (M,))], sink))
        await taken.get()
        await clock.until_sleeping()
        await clock.advance(15)
        assert (await taken.get()).error is None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_failed_scrape_tells_how_long_it_took() -> None:
    clock = ManualClock()

    async def answer(request: web.Request) -> web.Response:
        await clock.advance(2)
        return web.Response(status=500)

    async with serving(answer) as url:
        settings = Settings(name="app", targets=(url,))
        async with running(ScrapeSource(settings, Client(settings), clock), [M]) as polls:
            [poll] = await polls.count(1)
    assert (poll.seconds, poll.error and poll.error.reason) == (2.0, "http_status")


async def test_a_page_that_breaks_off_and_a_port_that_nobody_listens_on_have_their_reasons() -> (
    None
):
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"m 1\n")
        assert request.transport is not None
        request.transport.close()
        return response

    async with serving(answer) as url:
        targets = (f"{url}/breaks", "http://127.0.0.1:1/metrics")
        settings = Settings(name="app", targets=targets)
        async with running(ScrapeSource(settings, Client(settings), ManualClock()), [M]) as polls:
            await polls.count(2)
    reasons = {p.error.reason: p.batch is None for p in polls.all if p.error}
    assert reasons == {"cut_short": True, "refused": False}


async def test_bounds_are_asked_of_the_next_target_where_one_has_none_or_is_down() -> None:
    async def answer(request: web.Request) -> web.Response:
        pages = {"/a": "m 1\n", "/b": 'h_bucket{le="0.5"} 1\nh_bucket{le="+Inf"} 1\n'}
        return web.Response(text=pages[request.path])

    async with serving(answer) as url:
        targets = ("http://127.0.0.1:1/", f"{url}/a", f"{url}/b")
        settings = Settings(name="app", targets=targets)
        client = Client(settings)
        source = ScrapeSource(settings, client, ManualClock())
        assert await source.bounds(parse_selector("h")) == [0.5]
        assert await source.bounds(parse_selector("nobody_has_it")) == []
        await client.close()


async def test_a_discovery_that_cannot_start_is_told_and_the_configured_targets_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NODE_NAME", raising=False)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="m 1\n")

    async with serving(answer) as url:
        settings = Settings(
            name="app",
            targets=(f"{url}/metrics",),
            discover=Discover(kubernetes=KubernetesSD(node="$NODE_NAME", api_server=url)),
        )
        scraped = ScrapeSource(settings, Client(settings), ManualClock())
        async with running(scraped, [parse_selector("m")]) as polls:
            first, second = await polls.count(2)
    assert first.error is not None
    assert (first.target, first.error.reason) == ("discovery", "config")
    assert "NODE_NAME" in str(first.error)
    assert second.error is None
