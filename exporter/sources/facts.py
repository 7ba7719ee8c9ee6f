"""The facts of targets that a poll asks for beside its samples: `up` and process start times.

They are asked for with every poll, over the same range, for all targets of the jobs involved, in as
few queries as their length allows. A restart that overtook its old value, and a target that went
down, show in nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from exporter.core.selector import NAME, Matcher
from exporter.sources.narrowing import Selection, one_of
from exporter.sources.processes import START, UP
from exporter.sources.promapi import Row

_LEARN_EVERY = 3600.0
"""Seconds after which the start times that a job shows are looked for again, and its size."""
_KEEP = 3600.0
"""Seconds for which a job is asked about after its last sample, or after it was down last."""
_LONGEST = 2000
"""Characters of jobs or instances in one query: it may have to fit a URL."""
_LARGE = 200
"""Targets of a job from which on those that matter are asked for alone, if they are few."""
_FEW = 4
"""They are few when the job has so many times as many."""

Ask = Callable[[Selection], Awaitable[Sequence[Row]]]


@dataclass(slots=True)
class _Job:
    """`learnt`: when its metrics were looked up, on the monotonic clock; `size`: its targets then.
    `instances`: those that had samples, and when they last had."""

    seen: float
    learnt: float | None = None
    size: int = 0
    instances: dict[str, float] = field(default_factory=dict)

    @property
    def few(self) -> bool:
        """Whether hardly any of its targets matter."""
        return self.size > max(_LARGE, _FEW * len(self.instances))


class Facts:
    """Of one source: which jobs matter, and under which names their start times are."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}
        self._starts = {START}

    async def ask(
        self,
        found: Iterable[Row],
        now: float,
        samples: Ask,
        count: Ask,
        *,
        all_jobs: bool,
    ) -> list[Row]:
        """Series of `up` and start times of the jobs that some samples are of.

        Args:
            found: series that were asked for.
            now: the monotonic clock.
            samples: answers a selector with its raw samples of the poll's range.
            count: answers a selector with the number of its series by metric and job.
            all_jobs: whether jobs that had samples lately, and have none now, are asked about too.
        """
        jobs = self._note(found, now)
        if all_jobs:
            jobs |= self._jobs.keys()
        if not jobs:
            return []
        await self._learn(jobs, now, count)
        names = one_of(NAME, sorted({UP, *self._starts}))
        wide = [job for job in sorted(jobs) if not self._jobs[job].few]
        queries: list[Selection] = [(names, matcher) for matcher in _either("job", wide)]
        queries += [
            (names, Matcher("job", "=", job), matcher)
            for job in sorted(jobs.difference(wide))
            for matcher in _either("instance", sorted(self._jobs[job].instances))
        ]
        answers = await asyncio.gather(*(samples(query) for query in queries))
        # Whatever else a server may answer with would pass for a process.
        facts = [
            row
            for rows in answers
            for row in rows
            if row.metric.get(NAME) == UP or row.metric.get(NAME) in self._starts
        ]
        for row in facts:
            if row.metric[NAME] == UP and row.values and row.values[-1][1] == "0":
                self._keep(row, now)
        return facts

    def _keep(self, down: Row, now: float) -> None:
        """Go on asking about a target for as long as it is known to be down: one that is not told
        of any more passes for one that exists no more."""
        job = self._jobs.get(down.metric.get("job", ""))
        if job is not None:
            job.seen = job.instances[down.metric.get("instance", "")] = now

    def _note(self, found: Iterable[Row], now: float) -> set[str]:
        jobs: set[str] = set()
        for row in found:
            name = row.metric.get("job", "")
            job = self._jobs.get(name)
            if job is None:
                job = self._jobs[name] = _Job(now)
            job.seen = job.instances[row.metric.get("instance", "")] = now
            jobs.add(name)
        for name, job in list(self._jobs.items()):
            if now - job.seen > _KEEP:
                del self._jobs[name]
        return jobs

    async def _learn(self, jobs: Iterable[str], now: float, count: Ask) -> None:
        due = [
            name
            for name in sorted(jobs)
            if (at := self._jobs[name].learnt) is None or now - at > _LEARN_EVERY
        ]
        names = Matcher(NAME, "=~", f"{UP}|{START}|.+_{START}")
        for matcher in _either("job", due):
            for row in await count((names, matcher)):
                metric, job = row.metric.get(NAME, ""), self._jobs.get(row.metric.get("job", ""))
                if metric.endswith(START):
                    self._starts.add(metric)
                elif job is not None and row.value is not None:
                    job.size = int(float(row.value[1]))
        for name in due:
            job = self._jobs[name]
            job.learnt = now
            recent = {k: at for k, at in job.instances.items() if now - at <= _KEEP}
            job.instances = recent


def _either(label: str, values: Sequence[str]) -> list[Matcher]:
    """Matchers for any of some values, each of a bearable length."""
    if len(values) == 1:
        return [Matcher(label, "=", values[0])]
    out: list[Matcher] = []
    while values:
        many, length = 0, 0
        while many < len(values) and (not many or length + len(values[many]) < _LONGEST):
            length += len(values[many]) + 1
            many += 1
        out.append(one_of(label, values[:many]))
        values = values[many:]
    return out
