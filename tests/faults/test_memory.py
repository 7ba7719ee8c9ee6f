"""Slod in 160 MiB among hostile peers and clients for some seconds; `memory.py` takes longer."""

from __future__ import annotations

import warnings

from tests.faults.memory import MIB, run


async def test_hostile_peers_and_clients_neither_kill_nor_silence_slod_in_160_mib() -> None:
    outcome = await run(slos=20, limit=160 * MIB, seconds=20.0)
    said = "\n".join(outcome.lines())
    if not outcome.in_a_group:
        warnings.warn(said, RuntimeWarning, stacklevel=1)
    assert (outcome.kills, outcome.code) == (0, 0), said
    assert outcome.peak <= outcome.limit, said
    assert outcome.exact, said
    assert "s0" in outcome.alerts, said
