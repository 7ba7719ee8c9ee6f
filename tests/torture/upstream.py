"""A Prometheus that scrapes one honest target and answers slod, in moods.

Its samples are true. In a mood it refuses, is slow, answers in part and says so, answers far too
much, or answers what is no answer: nothing that slod could take for the truth. The job `lies` has
series in which anything may stand.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from urllib.parse import parse_qsl

from tests.cases.stage import Request
from tests.cases.upstream import Upstream, series
from tests.torture.hostile import ODD
from tests.torture.truth import Counts
from tests.torture.verdict import Verdict
from tests.torture.wire import Answer, Asked, Wire

MOODS = (
    *("in part, said by a flag", "in part, said by a warning", "refuses", "errors", "rate limits"),
    *("slow", "hangs", "nonsense", "endless", "huge", "odd JSON", "odd headers", "too much"),
    *("network: cut short", "network: reset in the middle", "network: refused"),
    *("network: status 500", "network: gzip bomb", "network: slow drip", "network: cut chunk"),
)
JSON = "Content-Type: application/json"
_LABELS = {"job": "shop", "instance": "shop:80"}
_LIES = {"job": "lies", "instance": "lies:80"}


class FakePrometheus:
    """`counts`: the truth. It writes a sample a second from `run`."""

    def __init__(self, verdict: Verdict, rng: random.Random) -> None:
        self.counts = Counts("behind-prometheus", verdict)
        self.wire = Wire(self._answer)
        self.armed = self.frozen = False
        self._rng = rng
        self._odd = random.Random(0)
        self._mood = ""
        self._store = Upstream(time.time)
        self._store.types = {"requests_total": "counter", "latency_seconds": "histogram"}
        self._good = self._bad = 0
        self._started = time.time()

    async def run(self) -> None:
        """Scrape the target every second."""
        while True:
            if self.armed and not self.frozen:
                self._good += self._rng.randrange(20, 80)
                self._bad += self._rng.randrange(5) if self._rng.random() < 0.1 else 0
            now = round(time.time(), 3)
            for name, value, labels in (
                ("requests_total", self._good, {"code": "200"}),
                ("requests_total", self._bad, {"code": "500"}),
                ("up", 1, {}),
                ("process_start_time_seconds", self._started, {}),
            ):
                self._store.write(series(name, **_LABELS, **labels), now, float(value), now)
            self._lie(now)
            self.counts.page(self._good, self._bad)
            await asyncio.sleep(1.0)

    def _lie(self, now: float) -> None:
        value = self._odd.choice((0.0, -1.0, 1e308, float("inf"), 2.0**64, 17.0, now))
        code = str(self._odd.randrange(40))
        self._store.write(series("requests_total", code=code, **_LIES), now, value, now)
        self._store.write(series("requests_total", code="200", **_LIES), now, abs(value), now)

    async def behave(self, mood: str, seed: int) -> None:
        """Be in a mood from now on; well with an empty one."""
        self._odd = random.Random(seed)
        fault = mood.removeprefix("network: ") if mood.startswith("network: ") else None
        if fault != self.wire.fault:
            await self.wire.set(fault)
        self._mood = "" if fault else mood

    async def _answer(self, asked: Asked) -> Answer:
        path, _, query = asked.path.partition("?")
        form = dict(parse_qsl(query)) | dict(parse_qsl(asked.body.decode("latin-1")))
        odd, mood = self._odd, self._mood
        if mood == "slow":
            await asyncio.sleep(odd.uniform(0.1, 2.5))
        elif mood == "hangs":
            await asyncio.sleep(3600)
        elif mood == "odd headers":
            answer = ODD["odd headers"](odd, 1)
            return Answer(b'{"status":"error"}', 503, answer.head)
        elif mood in _BROKEN:
            return _BROKEN[mood](odd)
        self._store.hidden = None
        if mood.startswith("in part"):
            self._store.hidden = lambda labels: odd.random() < 0.5
            self._store.flavour.partial = "isPartial" if "flag" in mood else "warnings"
        found = self._store(Request("POST", path, path, {}, form, asked.body))
        return Answer(found.body, found.status, (JSON,))


def _said(status: int, kind: str, text: str, *head: str) -> Answer:
    body = {"status": "error", "errorType": kind, "error": text}
    return Answer(json.dumps(body).encode(), status, (JSON, *head))


def _data(text: str) -> Answer:
    return Answer(f'{{"status":"success","data":{text}}}'.encode(), head=(JSON,))


def _nonsense(odd: random.Random) -> Answer:
    return Answer(odd.randbytes(odd.randrange(100_000)), head=(JSON,))


def _odd_json(odd: random.Random) -> Answer:
    row = '{"metric":{"job":"shop","instance":"shop:80","__name__":"requests_total"},"values":%s}'
    whole = '{"resultType":"matrix","result":[%s]}'
    return _data(
        odd.choice(
            (
                *("null", "[]", "{}", "17", "[" * 5000, '{"resultType":"matrix","result":{}}'),
                *('{"resultType":"scalar","result":[0,"1"]}', '{"resultType":"x","result":[]}'),
                *(whole % (row % values) for values in ('[["x","1"]]', "[[1]]", '[[1e999,"1"]]')),
                whole % '{"metric":{"job":7},"values":[]}',
                whole % '{"metric":null}',
            )
        )
    )


def _huge(odd: random.Random) -> Answer:
    """Of series that nobody asked for, as a refusal that is all warnings; no truth is in it."""
    text = ",".join(f'"{odd.randrange(10**9):030d} of a long warning"' for _ in range(100_000))
    body = f'{{"status":"error","errorType":"execution","error":"no","warnings":[{text}]}}'
    return Answer(body.encode(), 422, (JSON,))


def _endless(odd: random.Random) -> Answer:
    text = b'{"status":"success","data":{"resultType":"matrix","result":[' + b" " * 20_000_000
    return Answer(text, head=(JSON,), sized=False)


_WAITS = ("0", "1", "-1", "1e9", "soon", "", "3, 4", "Thu, 01 Jan 1970 00:00:00 GMT")
"""None that is long and would be honoured: five minutes are longer than the rest at the end."""
_BROKEN = {
    "refuses": lambda odd: Answer(status=odd.choice((401, 403, 404, 405, 413))),
    "errors": lambda odd: _said(odd.choice((500, 502, 503, 504)), "internal", "x" * 5000),
    "rate limits": lambda odd: _said(
        429, "x", "too often", f"Retry-After: {odd.choice(_WAITS[:2])}"
    ),
    "too much": lambda odd: _said(422, "execution", "query processing would load too many samples"),
    "nonsense": _nonsense,
    "odd JSON": _odd_json,
    "huge": _huge,
    "endless": _endless,
}


@contextlib.asynccontextmanager
async def fake_prometheus(verdict: Verdict, rng: random.Random):  # noqa: ANN201 - a generator
    """One that listens and scrapes."""
    one = FakePrometheus(verdict, rng)
    await one.wire.start()
    scraping = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        scraping.cancel()
        await asyncio.gather(scraping, return_exceptions=True)
        await one.wire.stop()
