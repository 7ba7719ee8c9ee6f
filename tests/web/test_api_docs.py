"""docs/api.md: every request in it is answered, and every address of the API is in it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.app.test_daemon import PageServer, page, write
from tests.app.test_exclusions import ask, running
from tests.support import ManualClock

__all__ = ["page"]

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
REQUESTS = re.findall(r"`GET (/api/slo/v1/\S+)`", TEXT)
SLO = """
[slo.checkout-availability]
service = "checkout"
objective = 99.9
sli = { bad = 'requests_total{code="500"}', total = 'requests_total' }
"""


async def test_every_request_is_answered_and_every_address_is_there(
    tmp_path: Path, page: PageServer
) -> None:
    async with running(write(tmp_path, page, SLO), ManualClock()) as daemon:
        for path in REQUESTS:
            assert (await ask(daemon, "GET", path))[0] == 200, path
        _, document = await ask(daemon, "GET", "/api/slo/v1/openapi.json")
    shapes = [re.compile(re.sub(r"\{\w+\}", "[^/]+", path)) for path in document["paths"]]
    said = [path.split("?")[0] for path in REQUESTS]
    changed = ("{ident}", "report/last", "removed/{slo}")
    for path, shape in zip(document["paths"], shapes, strict=True):
        assert any(part in path for part in changed) or any(map(shape.fullmatch, said)), path
