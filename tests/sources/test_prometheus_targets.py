"""Which process a series behind a Prometheus belongs to, and what is known of each process."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.core.sample import Batch, Target
from exporter.core.selector import parse_selector
from tests.sources.kit import Polls, running, serving
from tests.sources.test_prometheus import NOW, M, source, step
from tests.sources.upstream import Sample, Upstream
from tests.support import ManualClock

ANY = parse_selector("m")
TIMES = [NOW - 20, NOW - 5]
UP: list[Sample] = [(t, 1) for t in TIMES]
COUNTS: list[Sample] = [(t, t - NOW + 100) for t in TIMES]


def began(*starts: float) -> list[Sample]:
    return list(zip(TIMES, starts, strict=True))


async def one_poll(upstream: Upstream, **settings: Any) -> Batch:
    async with serving(upstream) as url:
        async with running(source(url, upstream.clock, **settings), [ANY]) as polls:
            [poll] = await polls.count(1)
    assert poll.error is None
    assert poll.batch is not None
    return poll.batch


def targets(batch: Batch) -> dict[str, str]:
    return {r.series.key: r.series.target for r in batch.readings[ANY]}


async def test_processes_that_share_job_and_instance_have_facts_of_their_own() -> None:
    upstream = Upstream(ManualClock(NOW))
    for namespace, starts in (("prod", (1e9, 1e9)), ("staging", (1e9, NOW - 10))):
        where = {"job": "pods", "instance": "web-0", "namespace": namespace}
        upstream.add("m", COUNTS, code="200", **where)
        upstream.add("up", UP, team="a", **where)
        upstream.add("process_start_time_seconds", began(*starts), team="a", **where)
    batch = await one_poll(upstream)
    prod, staging = (f'pods/web-0{{namespace="{name}"}}' for name in ("prod", "staging"))
    assert sorted(targets(batch).values()) == [prod, staging]
    assert batch.targets == {
        prod: Target([(TIMES[0], 1e9)], TIMES, False),
        staging: Target([(TIMES[0], 1e9), (TIMES[1], NOW - 10)], TIMES, False),
    }


async def test_without_other_labels_a_process_is_named_by_job_and_instance() -> None:
    upstream = Upstream(ManualClock(NOW))
    upstream.add("m", COUNTS, job="x", instance="i:1", code="200")
    upstream.add("up", UP, job="x", instance="i:1", team="a", version="7")
    batch = await one_poll(upstream)
    assert targets(batch) == {'m{code="200",instance="i:1",job="x"}': "x/i:1"}
    assert list(batch.targets) == ["x/i:1"]


async def test_a_label_by_which_processes_differ_at_one_time_tells_them_apart() -> None:
    upstream = Upstream(ManualClock(NOW))
    for floor in ("1", "2"):
        upstream.add("m", COUNTS, job="x", instance="i:1", floor=floor, version="7")
        upstream.add("up", UP, job="x", instance="i:1", floor=floor, version="7")
    batch = await one_poll(upstream)
    assert set(targets(batch).values()) == {'x/i:1{floor="1"}', 'x/i:1{floor="2"}'}


async def test_a_label_that_changes_with_the_process_is_no_part_of_its_name() -> None:
    upstream = Upstream(ManualClock(NOW))
    for version, time, start in (("7", TIMES[0], 1e9), ("8", TIMES[1], NOW - 10)):
        where = {"job": "x", "instance": "i:1", "version": version}
        upstream.add("m", [(time, 5)], **where)
        upstream.add("up", [(time, 1)], **where)
        upstream.add("process_start_time_seconds", [(time, start)], **where)
    batch = await one_poll(upstream)
    assert set(targets(batch).values()) == {"x/i:1"}
    starts = [(TIMES[0], 1e9), (TIMES[1], NOW - 10)]
    assert batch.targets == {"x/i:1": Target(starts, TIMES, False)}


async def test_a_second_process_that_comes_later_leaves_the_first_its_name() -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    for name in ("m", "up"):
        upstream.add(name, [(NOW - 5, 1), (NOW + 10, 1)], job="x", instance="i:1", floor="1")
    async with serving(upstream) as url, running(source(url, clock), [ANY]) as polls:
        await polls.count(1)
        for name in ("m", "up"):
            upstream.add(name, [(NOW + 10, 1)], job="x", instance="i:1", floor="2")
        second = (await step(clock, polls)).batch
    assert second is not None
    assert sorted(targets(second).values()) == ["x/i:1", 'x/i:1{floor="2"}']
    assert second.targets["x/i:1"].looks == [NOW - 5, NOW + 10]
    assert second.targets['x/i:1{floor="2"}'].looks == [NOW + 10]


async def test_series_that_are_of_no_known_target_go_by_conventional_labels() -> None:
    upstream = Upstream(ManualClock(NOW))
    upstream.add("up", UP, job="kube-state-metrics", instance="k:1", namespace="system")
    # Passed on by that one, and pushed by an SDK of OpenTelemetry.
    shown = {"job": "kube-state-metrics", "instance": "k:1", "namespace": "shop", "pod": "a"}
    upstream.add("m", COUNTS, phase="Running", **shown)
    upstream.add("m", COUNTS, service_name="cart", service_instance_id="7", host="shop.example")
    batch = await one_poll(upstream)
    assert set(targets(batch).values()) == {
        'kube-state-metrics/k:1{namespace="shop",pod="a"}',
        '/{service_instance_id="7",service_name="cart"}',
    }
    assert list(batch.targets) == ['kube-state-metrics/k:1{namespace="system"}']


async def test_the_configuration_may_say_which_labels_tell_processes_apart() -> None:
    upstream = Upstream(ManualClock(NOW))
    for rack, team in (("r1", "a"), ("r2", "b")):
        where = {"job": "x", "instance": "i:1", "rack": rack, "team": team}
        upstream.add("m", COUNTS, code="200", **where)
        upstream.add("up", UP, **where)
    batch = await one_poll(upstream, target_labels=("instance", "rack"))
    names = {'/i:1{rack="r1"}', '/i:1{rack="r2"}'}
    assert set(targets(batch).values()) == names == set(batch.targets)


async def test_a_worker_with_a_start_of_its_own_is_a_process_on_its_page() -> None:
    upstream = Upstream(ManualClock(NOW))
    page = {"job": "x", "instance": "i:1"}
    upstream.add("up", UP, **page)
    for pid, start in (("1", 1e9), ("2", 1.1e9)):
        upstream.add("m", COUNTS, pid=pid, **page)
        upstream.add("process_start_time_seconds", began(start, start), pid=pid, **page)
    batch = await one_poll(upstream)
    assert batch.targets == {
        "x/i:1": Target([], TIMES, False),
        'x/i:1{pid="1"}': Target([(TIMES[0], 1e9)], TIMES, False),
        'x/i:1{pid="2"}': Target([(TIMES[0], 1.1e9)], TIMES, False),
    }
    assert set(targets(batch).values()) == {'x/i:1{pid="1"}', 'x/i:1{pid="2"}'}


@pytest.mark.parametrize(
    ("names", "starts"),
    [
        (("n_process_start_time_seconds",), [5.0]),
        (("m_process_start_time_seconds", "process_start_time_seconds"), [5.0]),
        (("process_start_time_seconds", "n_process_start_time_seconds"), [5.0]),
    ],
)
async def test_of_several_start_times_that_of_the_counted_process_counts(
    names: tuple[str, ...], starts: list[float]
) -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    page = {"job": "x", "instance": "i:1"}
    upstream.add("m_requests_total", COUNTS, **page)
    for number, name in enumerate(names):
        upstream.add(name, began(5 + number, 5 + number), **page)
    want = parse_selector("m_requests_total")
    async with serving(upstream) as url, running(source(url, clock), [want]) as polls:
        [poll] = await polls.count(1)
    assert poll.batch is not None
    assert [start for _, start in poll.batch.targets["x/i:1"].starts] == starts


async def test_keys_of_series_are_unambiguous_and_plain_ones_as_they_were() -> None:
    upstream = Upstream(ManualClock(NOW))
    for more in ({"a": 'x",b="y'}, {"a": "x", "b": "y"}, {"http.route": "/"}, {'a="x",b': "y"}):
        upstream.add("m", COUNTS, **more)
    assert set(targets(await one_poll(upstream))) == {
        r'm{a="x\",b=\"y"}',
        'm{a="x",b="y"}',
        'm{http.route="/"}',
        r'm{"a=\"x\",b"="y"}',
    }


async def test_a_target_that_is_down_is_told_of_for_as_long_as_the_upstream_knows_it() -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    where = {"job": "x", "instance": "i:1"}
    upstream.add("m", COUNTS, **where)
    upstream.add("up", [(NOW - 5, 1), *((NOW + 15 * k, 0) for k in range(1, 600))], **where)
    async with serving(upstream) as url, running(source(url, clock), [M]) as polls:
        assert await _down(polls, clock, 30) == {"x/i:1": True}
        assert await _down(polls, clock, 7300) == {"x/i:1": True}
        assert await _down(polls, clock, 2000) == {}


async def _down(polls: Polls, clock: ManualClock, seconds: float) -> dict[str, bool]:
    """Which targets are down after so many seconds of polls."""
    for _ in range(round(seconds / 15)):
        poll = await step(clock, polls)
    assert poll.batch is not None
    return {name: target.down for name, target in poll.batch.targets.items()}


async def test_of_a_large_job_those_that_matter_are_asked_about_alone() -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    upstream.add("m", COUNTS, job="x", instance="i.1")
    for number in range(300):
        upstream.add("up", UP, job="x", instance=f"i.{number}")
    async with serving(upstream) as url, running(source(url, clock), [ANY]) as polls:
        [poll] = await polls.count(1)
    assert poll.batch is not None
    assert list(poll.batch.targets) == ["x/i.1"]
    names = '__name__=~"process_start_time_seconds|up"'
    assert upstream.queries[-1] == f'{{{names},job="x",instance="i.1"}}[45s]'


async def test_many_jobs_are_asked_about_in_queries_of_bearable_length() -> None:
    upstream = Upstream(ManualClock(NOW))
    jobs = [f"{'long' * 25}.{number}" for number in range(50)]
    for job in jobs:
        upstream.add("m", COUNTS, job=job, instance="i:1")
        upstream.add("up", UP, job=job, instance="i:1")
    batch = await one_poll(upstream)
    assert set(batch.targets) == {f"{job}/i:1" for job in jobs}
    facts = [q for q in upstream.queries if q.startswith("{")]
    assert len(facts) == 3
    assert max(map(len, facts)) < 2500
