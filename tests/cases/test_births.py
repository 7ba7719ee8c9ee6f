"""Series that begin, end and come back, and the times and created timestamps that tell."""

from __future__ import annotations

import pytest

from tests.cases.births import BIRTHS
from tests.cases.players import Situation, Way, judge, play, play_ids, plays
from tests.cases.stage import Stage


@pytest.mark.parametrize(("situation", "way"), plays(BIRTHS), ids=play_ids(BIRTHS))
async def test_series_begin_where_they_began(
    stage: Stage, situation: Situation, way: Way
) -> None:
    await play(stage, situation, way)
    judge(stage, situation, way, await stage.metrics())
