"""`./dev torture`: one run in which everything goes wrong at once, beside a naive truth.

    ./dev torture                          three minutes, with a seed of its own that is printed
    ./dev torture --seed 7 --minutes 60    an hour, with the same faults at the same times
    ./dev torture --seed 7 --only kill,dns only these faults, where they were

A real slod, on a port and a folder of its own, with real sockets around it:

| fault | what happens | in |
| --- | --- | --- |
| kill | kill -9, also again at once; SIGTERM; SIGSTOP | `slod` |
| power | a kill, and the state file as a disk may have it then | `journal` |
| disk | full, and writes that fail otherwise | `launch` |
| clock | steps of up to two hours, forwards and back | `control`, `launch` |
| config | SLOs and targets come and go, broken files, storms of reloads | `churn` |
| targets | lying ones; honest ones that restart, or are cut off | `hostile`, `honest` |
| prometheus | refusals, parts, nonsense, endless answers | `upstream` |
| receivers | odd Retry-After, hanging, resets | `receivers` |
| clients | floods, squatters, odd heads, large queries | `clients` |
| dns | gone, slow, lying | `names` |

The seed decides what happens and when (`plan`), not how fast the machine is: a failure comes back
with the same seed, most of the time. Verdicts (`truth`, `watch`) depend on order, and on bounds
that hold on two busy cores: no event is lost or counted twice, every alert is told and ends, slod
answers and stays within 160 MiB, its event loop is never held over 250 ms by strangers, nothing
fails that nobody foresaw. Exit code 1 where one of these is not so, with the seed to have it again.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.torture.faults import Faults
from tests.torture.plan import FAULTS, Step, plan
from tests.torture.stage import Stage, stage

_TICK = 0.1
_LONGEST_TICK = 0.3
"""Of a moment in which the run itself did not get on, no more counts against slod."""
_REST = 45.0
"""Seconds at the end without faults, in which what is due has to be told."""
_AGREES_WITHIN = 120.0


async def torture(folder: Path, seed: int, seconds: float, only: list[str]) -> bool:
    """One run; whether all was well."""
    faulty = _faulty(seconds)
    steps = plan(seed, faulty, only)
    (folder / "plan.txt").write_text("\n".join(map(str, steps)) + "\n")
    async with stage(folder, seed) as on:
        faults = Faults(on)
        await faults.start()
        watching = asyncio.create_task(on.watch.run())
        moving = asyncio.create_task(_move(on))
        try:
            await _met(on)
            await _happen(on, faults, steps, faulty)
            await faults.end()
            await _settled(on)
            async with on.slod.busy:
                await on.slod.stop()
        finally:
            for task in (watching, moving):
                task.cancel()
            await asyncio.gather(watching, moving, return_exceptions=True)
        _report(on, seed, seconds, only, folder)
        return on.verdict.ok


async def _met(on: Stage) -> None:
    """Slod knows everybody, and that is on the disk; from now on events count."""
    begun = time.monotonic()
    on.verdict.begun = begun
    while not (all(on.watch.agrees(slo) for slo in on.counts) and on.slod.journal.safe >= 2):
        await asyncio.sleep(_TICK)
        if time.monotonic() - begun > _AGREES_WITHIN:
            on.verdict.wrong("start", f"slod knows only of {on.watch.says}")
            return
    for target in on.honest:
        target.armed = True
    on.prometheus.armed = True
    on.verdict.begun = time.monotonic()


async def _happen(on: Stage, faults: Faults, steps: list[Step], seconds: float) -> None:
    for step in steps:
        await asyncio.sleep(max(0.0, on.verdict.begun + step.at - time.monotonic()))
        print(step, flush=True)
        faults.begin(step)
    await asyncio.sleep(max(0.0, on.verdict.begun + seconds - time.monotonic()))


def _faulty(seconds: float) -> float:
    """Seconds of a run in which faults happen: the rest is calm."""
    return seconds - min(_REST, seconds / 3)


async def _move(on: Stage) -> None:
    """Let time go by for the truth about alerts."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(_TICK)
        now = time.monotonic()
        for outages in on.outages:
            outages.move(min(now - last, _LONGEST_TICK), now, on.calm)
        last = now


async def _settled(on: Stage) -> None:
    """Outages end and are told to have ended; then nothing happens any more and all is counted."""
    begun = time.monotonic()
    for outages in on.outages:
        outages.ends = True
    while any(t.alerts.burning or not t.alerts.settled for t in on.honest):
        await asyncio.sleep(_TICK)
        if time.monotonic() - begun > _AGREES_WITHIN + _REST:
            break
    for target in (*on.honest, on.prometheus):
        target.frozen = True
    begun = time.monotonic()
    while not all(on.watch.agrees(slo) for slo in on.counts):
        await asyncio.sleep(_TICK)
        if time.monotonic() - begun > _AGREES_WITHIN or on.slod.pid is None:
            break
    _compare(on)


def _compare(on: Stage) -> None:
    """At the end slod has counted all there was; and there was something to judge."""
    for slo, counts in on.counts.items():
        says = on.watch.says.get(slo, (0.0, 0.0))
        if not counts.agrees(*says):
            on.verdict.wrong("end", f"{slo}: {says} at the end, {counts.newest} by the truth")
        if counts.newest == (0.0, 0.0):
            on.verdict.wrong("run", f"{slo} had no events, so nothing was compared")
    if not on.verdict.seen["alerts told"]:
        on.verdict.wrong("run", "no alert was told, so none was judged")


def _report(on: Stage, seed: int, seconds: float, only: list[str], folder: Path) -> None:
    seen, slod = on.verdict.seen, on.slod
    print(
        f"{slod.restarts} restarts, {seen['pages']} pages and {seen['counts']} counts compared, "
        f"{seen['alerts told']} alerts told of {sum(t.alerts.outages for t in on.honest)} outages, "
        f"RSS {slod.peak / 2**20:.1f} MiB at most, {seen['holds']} holds over 100 ms"
    )
    if on.verdict.ok:
        print("all is well")
        return
    kept = Path(tempfile.gettempdir()) / f"slod-torture-{seed}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept)
    again = f"./dev torture --seed {seed} --minutes {seconds / 60:g}"
    print(f"wrong: {dict(on.verdict.kinds)}; log and plan are in {kept}")
    print(f"once more: {again}" + (f" --only {','.join(only)}" if only else ""))


def main() -> int:
    """Parse the arguments, run."""
    description, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="./dev torture",
        description=description,
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="default: a random one, which is printed")
    parser.add_argument(
        "--only", default="", help=f"faults, with commas between: {','.join(FAULTS)}"
    )
    parser.add_argument("--plan", action="store_true", help="print what would happen, and end")
    args = parser.parse_args()
    only = [name for name in args.only.split(",") if name]
    if unknown := set(only) - set(FAULTS):
        parser.error(f"--only: there is no fault {', '.join(sorted(unknown))}")
    seed = random.randrange(10**6) if args.seed is None else args.seed
    if args.plan:
        print(*plan(seed, _faulty(args.minutes * 60), only), sep="\n")
        return 0
    print(f"seed {seed}", flush=True)
    # Connections that a fault has cut are none of its news.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="slod-torture-") as folder:
        ok = asyncio.run(torture(Path(folder), seed, args.minutes * 60, only))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
