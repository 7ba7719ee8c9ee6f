"""How long an event loop was held, by its own work and not by a machine that is busy.

A thread asks the loop to answer and measures. Counted is the CPU time that the loop's thread had,
and the time that it slept in a call of the system; not the time that it waited for a CPU, which is
the machine's. While it waits for Python's lock, only as much counts as other threads worked.
What took over `NOTED` is written to a file, with the stacks that were seen meanwhile.

Source: proc_pid_stat(5) and proc_pid_syscall(5); `pthread_getcpuclockid(3)`.
"""

from __future__ import annotations

import asyncio
import json
import platform
import sys
import threading
import time
import traceback
from pathlib import Path

NOTED = 0.1
"""Seconds."""
EVERY = 0.02
_FUTEX = {"x86_64": "202", "aarch64": "98"}.get(platform.machine(), "none")


class HeldBy:
    """Watches the running loop from `start` on; `file` gets a line of JSON for each hold."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._answered = threading.Event()

    def start(self) -> None:
        """Begin to watch, from a thread that ends with the process."""
        self._loop = asyncio.get_running_loop()
        self._id = threading.get_ident()
        self._task = Path(f"/proc/self/task/{threading.get_native_id()}")
        self._clock = time.pthread_getcpuclockid(self._id)
        threading.Thread(target=self._run, name="held", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(EVERY)
            self._answered.clear()
            begun, own, all_of_it = self._now()
            slept = locked = 0.0
            stacks: dict[str, int] = {}
            try:
                self._loop.call_soon_threadsafe(self._answered.set)
            except RuntimeError:
                return  # the loop is closed
            last = begun
            while not self._answered.wait(EVERY):
                # Steps of this thread's own: where it had to wait itself, nothing is known.
                now = time.monotonic()
                step, last = min(now - last, 2 * EVERY), now
                state, call = self._sees(stacks)
                if state in "SD":
                    slept, locked = (
                        (slept, locked + step) if call == _FUTEX else (slept + step, locked)
                    )
            ended, own_end, all_end = self._now()
            worked = own_end - own
            held = worked + slept + min(locked, max(0.0, all_end - all_of_it - worked))
            if held > NOTED:
                self._note(held, ended - begun, stacks)

    def _now(self) -> tuple[float, float, float]:
        return time.monotonic(), time.clock_gettime(self._clock), time.process_time()

    def _sees(self, stacks: dict[str, int]) -> tuple[str, str]:
        try:
            state = (self._task / "stat").read_text().rpartition(") ")[2][0]
            call = (self._task / "syscall").read_text().split()[0] if state in "SD" else ""
        except OSError:
            return "R", ""
        frame = sys._current_frames().get(self._id)  # noqa: SLF001 - what is documented for this
        if frame is not None:
            lines = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_stack(frame)]
            own = [line for line in lines[:-3] if "/exporter/" in line]
            stack = "\n".join([*own[-12:], *lines[-3:]])
            stacks[stack] = stacks.get(stack, 0) + 1
        return state, call

    def _note(self, held: float, wall: float, stacks: dict[str, int]) -> None:
        seen = sorted(stacks.items(), key=lambda item: -item[1])[:3]
        line = {"held": round(held, 3), "wall": round(wall, 3), "stacks": seen}
        with self._file.open("a") as file:
            file.write(json.dumps({"at": time.monotonic(), **line}) + "\n")
