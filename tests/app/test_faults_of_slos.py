"""A query that the upstream refuses is the fault of its SLO: the source is up, others go on."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from tests.app.test_backfill import CONFIG, Prometheus, counts
from tests.app.test_daemon import get, has, running, until, value
from tests.sources.kit import serving

QUERY = """
[slo.broken]
objective = 99
sli = { bad_query = "sum(rate(a[5m]))", total_query = "sum(rate(b[5m]))" }
[slo.shop]
objective = 99
sli = { bad = 'shop{code="500"}', total = "shop" }
"""


async def test_a_refused_query_is_an_error_of_its_slo_alone(tmp_path: Path) -> None:
    prom = Prometheus()

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("query_range"):
            return await prom(request)
        body = {"status": "error", "errorType": "bad_data", "error": "unknown label"}
        return web.json_response(body, status=400)

    async with serving(answer) as url:
        file = tmp_path / "slod.toml"
        text = CONFIG.replace('backfill = "2d"', 'backfill = "10m"')
        file.write_text(text.format(folder=tmp_path, url=url) + QUERY)
        async with running(file) as daemon:
            await until(has(daemon, 'slod_slo_errors{slo="broken"}', 1))
            await until(has(daemon, 'slod_slo_errors{slo="shop"}', 0))

            async def counted() -> bool:
                return bool(await value(daemon, counts("shop", "bad")))

            await until(counted)
            assert await value(daemon, f'slod_source_up{{source="prom",target="{url}"}}') == 1
            _, slos = await get(daemon, "/api/slo/v1/slos")
            assert "unknown label" in slos
