"""What looks like a restart and is none, and restarts that do not look like one."""

from __future__ import annotations

import pytest

from tests.cases.players import Situation, Theatre, Way, judge, play_ids, plays
from tests.cases.situations import RESTARTS
from tests.cases.stage import Stage

THEATRE = Theatre(RESTARTS)


@pytest.mark.parametrize(("situation", "way"), plays(RESTARTS), ids=play_ids(RESTARTS))
async def test_restarts_are_told_from_what_goes_on(
    stage: Stage, situation: Situation, way: Way
) -> None:
    judge(await THEATRE.outcome(stage, situation, way), situation, way)
