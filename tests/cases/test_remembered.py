"""What was shown about a moment before a restart is shown after it: gates and forecasts too."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.cases.service import SOURCE, Service
from tests.cases.stage import Stage

CONFIG = f"""{SOURCE}
[slo.case]
objective = 99
window = "1h"
source = "x"
sli = {{ bad = 'bad_total', total = 'all_total' }}
"""
HALF = 0.5
"""The share of events that are bad."""
ASKED = (
    "slo_gate_open",
    "slo_error_budget_exhaustion_seconds",
    'slo_budget_policy_since_timestamp_seconds{state="exhausted"}',
)


async def shown(stage: Stage, when: float) -> dict[str, list[str]]:
    """The values that a moment has."""
    return {
        text: [row["value"][1] for row in await stage.query(f"{text} @ {when}")] for text in ASKED
    }


@pytest.mark.parametrize("how", ["restart", "kill"])
async def test_the_past_of_a_gate_outlives_a_restart(stage: Stage, how: str) -> None:
    service = Service(stage)
    await stage.start(CONFIG)
    await service.run(1800, HALF)
    moments = [stage.now - back for back in (15, 300, 900, 1500)]
    before = [await shown(stage, when) for when in moments]
    assert before[0]["slo_gate_open"] == ["0"]
    assert all(one["slo_gate_open"] for one in before)
    for _ in range(2):
        await (stage.kill() if how == "kill" else stage.stop())
        await stage.start()
        await service.run(60, HALF)
        assert [await shown(stage, when) for when in moments] == before


async def test_it_is_kept_for_an_hour_and_damage_costs_what_is_damaged(
    stage: Stage, tmp_path: Path
) -> None:
    service = Service(stage)
    await stage.start(CONFIG)
    await service.run(5400, HALF)
    await stage.stop()
    [file] = tmp_path.rglob("slod.db")
    with contextlib.closing(sqlite3.connect(file)) as db:
        rows = db.execute("SELECT origin, id FROM document WHERE kind = 'shown'").fetchall()
        looks = sorted(float(name) for origin, name in rows if origin == "look")
        assert 200 <= len(looks) <= 241
        assert len(rows) - len(looks) <= 4
        where = "WHERE kind = 'shown' AND id = ?"
        db.execute(f"UPDATE document SET body = x'00' {where}", (repr(looks[-9]),))
    db.close()
    await stage.start()
    assert (await shown(stage, stage.now - 600))["slo_gate_open"] == ["0"]
    await service.run(30, HALF)
