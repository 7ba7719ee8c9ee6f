from __future__ import annotations

import random
from collections.abc import AsyncIterator

import aiohttp
import pytest

from exporter.demo.service import SampleService
from tests.support import ManualClock


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def service(clock: ManualClock) -> AsyncIterator[SampleService]:
    service = SampleService(clock, random.Random(1))
    yield service
    await service.stop()


async def told(http: aiohttp.ClientSession, method: str, url: str) -> tuple[int, str]:
    async with http.request(method, url) as answer:
        return answer.status, await answer.text()


async def begin(service: SampleService, clock: ManualClock) -> str:
    port = await service.start()
    await clock.until_sleeping()
    return f"http://127.0.0.1:{port}"


async def test_it_is_healthy_then_faulty_then_healthy_by_itself(
    service: SampleService, clock: ManualClock
) -> None:
    await begin(service, clock)
    seen = []
    for seconds in (15, 10, 180, 120):
        await clock.advance(seconds)
        seen.append(service.fault.active)
    assert seen == [False, True, False, True]


async def test_its_page_counts_by_code_and_route_with_a_histogram(
    service: SampleService, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    url = await begin(service, clock)
    await clock.advance(1)
    status, page = await told(http, "GET", f"{url}/metrics")
    assert status == 200
    assert 'http_requests_total{code="500",route="/pay"}' in page
    assert 'http_request_duration_seconds_bucket{code="200",le="0.5"}' in page
    assert "process_start_time_seconds 1.7e+09" in page


async def test_its_page_speaks_openmetrics_when_asked(
    service: SampleService, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    url = await begin(service, clock)
    asked = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with http.get(f"{url}/metrics", headers=asked) as answer:
        assert answer.content_type == "application/openmetrics-text"
        assert (await answer.text()).endswith("# EOF\n")


async def test_the_switch_turned_by_hand_overrules_the_plot(
    service: SampleService, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    url = await begin(service, clock)
    status, said = await told(http, "POST", f"{url}/fault?errors=0.3&slow=0.2")
    assert (status, said) == (200, "30% of requests fail, 20% are slow (by hand)\n")
    await told(http, "POST", f"{url}/fault/off")
    await clock.advance(60)
    assert await told(http, "GET", f"{url}/fault") == (
        200,
        '{"errors": 0.0, "slow": 0.0, "auto": false}',
    )
    await told(http, "POST", f"{url}/fault/auto")
    await clock.advance(1)
    assert service.fault.active


@pytest.mark.parametrize("query", ["errors=1.5", "slow=-1", "errors=many", "errors=nan"])
async def test_a_share_out_of_range_is_refused_with_the_way_out(
    service: SampleService, clock: ManualClock, http: aiohttp.ClientSession, query: str
) -> None:
    url = await begin(service, clock)
    status, said = await told(http, "POST", f"{url}/fault?{query}")
    assert status == 400
    assert "must be a share from 0 to 1, such as 0.3" in said
    assert not service.fault.active


async def test_the_front_page_says_what_there_is(
    service: SampleService, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    url = await begin(service, clock)
    _, said = await told(http, "GET", url)
    assert "POST /fault?errors=0.3&slow=0.2" in said
    assert "healthy (by the plot)" in said


class Laptop(ManualClock):
    """A machine that can sleep: its clock jumps while a task waits, which wakes late."""

    slept = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.slept


async def test_traffic_during_a_long_gap_is_left_out(http: aiohttp.ClientSession) -> None:
    clock = Laptop()
    service = SampleService(clock, random.Random(1))
    url = await begin(service, clock)
    await clock.advance(15)
    before = await requests(http, url)
    clock.slept = 3600
    await clock.advance(1)
    assert 0 < await requests(http, url) - before < 100
    await service.stop()


async def requests(http: aiohttp.ClientSession, url: str) -> float:
    _, page = await told(http, "GET", f"{url}/metrics")
    lines = [line for line in page.splitlines() if line.startswith("http_requests_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
