"""Series that begin, end and come back, and the times and created timestamps that tell."""

from __future__ import annotations

import pytest

from tests.cases.births import BIRTHS
from tests.cases.players import Situation, Theatre, Way, judge, play_ids, plays
from tests.cases.stage import Stage

THEATRE = Theatre(BIRTHS)


@pytest.mark.parametrize(("situation", "way"), plays(BIRTHS), ids=play_ids(BIRTHS))
async def test_series_begin_where_they_began(stage: Stage, situation: Situation, way: Way) -> None:
    judge(await THEATRE.outcome(stage, situation, way), situation, way)
