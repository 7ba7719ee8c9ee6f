"""A service of several pods with restarts, births, lost scrapes: counted by slod as by itself.

Exact is possible for all but two things, and the model leaves those out: what happened between the
last scrape and a crash nobody can know, and a counter that has overtaken its old value may have
begun anew or gone on, whatever the start time says. `tests/worlds` weighs such worlds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.core.engine import Engine
from exporter.core.sample import Batch
from tests.core.builders import LONG_AGO, T, batch, counted, engine

CODES = ("200", "404", "500", "503")


@dataclass
class Pod:
    """One process at a time, and what of its events a scrape has shown."""

    started: float
    counters: dict[str, float] = field(default_factory=dict)
    unseen: dict[str, float] = field(default_factory=dict)
    shown: bool = False
    """A scrape has seen this pod, whichever process: from then on all of it counts."""
    seen: dict[str, float] = field(default_factory=dict)
    below: dict[str, float] = field(default_factory=dict)
    """What the process before had shown: its successor stays under it until it is seen."""

    def happen(self, code: str, n: int) -> None:
        n = int(min(n, self.below.get(code, inf) - 1 - self.counters.get(code, 0.0)))
        if n <= 0:
            return
        self.counters[code] = self.counters.get(code, 0.0) + n
        self.unseen[code] = self.unseen.get(code, 0.0) + n

    def restart(self, now: float) -> None:
        self.started, self.counters, self.unseen = now, {}, {}
        self.below = dict(self.seen)

    @property
    def page(self) -> dict[str, float]:
        return {f'http_requests_total{{code="{c}"}}': n for c, n in self.counters.items()}


def bad(code: str) -> bool:
    return code.startswith("5")


class Service:
    """The pods, and the events that a perfect observer of all pages would have counted."""

    def __init__(self) -> None:
        self.pods = {name: Pod(LONG_AGO) for name in "abc"}
        for i, pod in enumerate(self.pods.values()):
            pod.happen("200", 1000 * i)
        self.good = self.bad = 0.0

    def see(self, name: str, *, counts: bool = True) -> None:
        pod = self.pods[name]
        if counts:
            self.bad += sum(n for c, n in pod.unseen.items() if bad(c))
            self.good += sum(n for c, n in pod.unseen.items() if not bad(c))
        pod.unseen, pod.shown = {}, True
        if pod.counters:
            # An empty page shows nothing of a process.
            pod.below, pod.seen = {}, dict(pod.counters)


STEP = st.fixed_dictionaries(
    {
        "events": st.lists(
            st.tuples(st.sampled_from("abcd"), st.sampled_from(CODES), st.integers(1, 6)),
            max_size=6,
        ),
        "restart": st.sets(st.sampled_from("abcd"), max_size=1),
        "scraped": st.sets(st.sampled_from("abcd")),
        "again": st.booleans(),
        "seconds": st.integers(8, 60),
        "jitter": st.floats(-0.9, 0.9),
    }
)


def play(service: Service, steps: list[dict[str, Any]], e: Engine, *, one_by_one: bool) -> None:
    now = T
    for name in "abc":
        scrape(service, e, now, {name}, 0.0)
    for step in steps:
        now += step["seconds"]
        for name in step["restart"] & set(service.pods):
            service.pods[name].restart(now - 2.5)
        if "d" in {name for name, _, _ in step["events"]} and "d" not in service.pods:
            service.pods["d"] = Pod(now - 1.5)
        for name, code, n in step["events"]:
            service.pods[name].happen(code, n)
        names = step["scraped"] & set(service.pods)
        # A pod that is new is found while it is still young, or nobody could tell.
        names |= {n for n, pod in service.pods.items() if not pod.shown or n in step["restart"]}
        for group in [{name} for name in sorted(names)] if one_by_one else [names]:
            brought = scrape(service, e, now, group, step["jitter"])
            if step["again"]:
                e.ingest(brought)
    scrape(service, e, now + 10, set(service.pods), 0.0)


def scrape(service: Service, e: Engine, now: float, names: set[str], jitter: float) -> Batch:
    pages = {name: service.pods[name].page for name in names}
    started = {name: service.pods[name].started + jitter for name in names}
    out = batch(e, now, pages, started=started)
    e.ingest(out)
    for name in names:
        service.see(name, counts=service.pods[name].shown or now > T)
    return out


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=25), st.booleans())
def test_scrapes_count_what_the_service_counted(
    steps: list[dict[str, Any]], one_by_one: bool
) -> None:
    service, e = Service(), engine()
    play(service, steps, e, one_by_one=one_by_one)
    assert counted(e) == (service.good, service.bad)


UPSTREAM = st.lists(
    st.tuples(
        st.sampled_from(["events", "events", "events", "restart", "poll", "poll again"]),
        st.sampled_from(CODES),
        st.integers(1, 6),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(UPSTREAM, st.integers(0, 6))
@example(
    # As many samples as looks, and yet not one in each.
    [
        *(("restart", "200", 1), ("events", "503", 1), ("poll", "200", 1), ("restart", "200", 1)),
        *(("events", "200", 6), ("events", "503", 6), ("poll again", "200", 1)),
    ],
    0,
)
def test_an_upstreams_raw_samples_count_what_the_service_counted(
    script: list[tuple[str, str, int]], overlap: int
) -> None:
    """Polls bring many samples of every scrape in between, some of them for the second time."""
    service, e = Service(), engine()
    kept: dict[str, list[tuple[float, float]]] = {}
    pod, now, restarted = service.pods["b"], T, False
    starts: list[tuple[float, float]] = []

    def take_sample() -> None:
        for text, value in pod.page.items():
            kept.setdefault(text, []).append((now, value))
        starts.append((now, pod.started))
        service.see("b", counts=now > T)

    def poll(since: float) -> None:
        page = {text: [s for s in kept[text] if s[0] > since] for text in kept}
        e.ingest(batch(e, now, {"b": page}, started={"b": list(starts)}, own_clock=False))

    take_sample()
    poll(0.0)
    polled = T
    for what, code, n in script:
        if what == "events":
            pod.happen(code, n)
        elif what == "restart":
            if restarted:
                continue  # two within one poll: only the last one's start is told
            pod.restart(now + 1.0)
            restarted = True
        if what.startswith("poll"):
            poll(polled - 10.0 * overlap)
            polled, restarted = (now, False) if what == "poll" else (polled, restarted)
        now += 10.0
        take_sample()
    poll(polled - 10.0 * overlap)
    assert counted(e) == (service.good, service.bad)
