"""Fuzzing: a corpus is replayed, then its entries are spoilt again and again.

Every parser has a folder of small seeds in `corpus/`; what ever broke one is added there and stays.
A change of an entry flips bytes, cuts, repeats, splices two entries or puts in a token that means
something to the parser. As it stands a run is the same each time and takes a few seconds. With
`SLOD_FUZZ_SECONDS=600` each parser gets so many seconds and other seeds each time; `-s` shows how
much was done.
"""

from __future__ import annotations

import ast
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

CORPUS = Path(__file__).parent / "corpus"
DICTIONARIES = Path(__file__).parent / "tokens"
SECONDS = float(os.environ.get("SLOD_FUZZ_SECONDS", "0"))
HANGS = 20
"""Seconds, for what takes milliseconds: whatever needs longer does not end."""
MEMORY = 1 << 30
"""Bytes that may be had on top of what there is; inputs are a few kilobytes."""
LONGEST = 1 << 16
"""Bytes an input may have grown to."""

_BYTES = (b"\x00", b"\xff", b"\x80", b"\x7f", b"\n", b" ", b"0", b"-")
_NUMBERS = (b"18446744073709551616", b"-1", b"1e999", b"NaN", b"9" * 5000, b"1e-400", b"-0", b"inf")

Check = Callable[[bytes], object]


def corpus(name: str, *, slow: bool = False) -> list[bytes]:
    """The seeds of a parser, or those called `slow_`, which are replayed and not spoilt."""
    paths = sorted((CORPUS / name).iterdir())
    return [path.read_bytes() for path in paths if path.name.startswith("slow_") is slow]


def tokens(name: str) -> list[bytes]:
    """What means something to a parser, one a line, as in libFuzzer's and AFL's dictionaries."""
    lines = (DICTIONARIES / f"{name}.dict").read_text("ascii").splitlines()
    return [ast.literal_eval(f"b{line}") for line in lines]


def fuzz(name: str, check: Check, rounds: int, seeds: Sequence[bytes] = ()) -> None:
    """`check` every seed, then `rounds` spoilt ones, or as many as there is time for."""
    some, words = [*corpus(name), *seeds], [*tokens(name) * 2, *_NUMBERS]
    seed = random.SystemRandom().getrandbits(32) if SECONDS else 0
    rng = random.Random(seed)
    begun, done = time.monotonic(), 0
    with bounded():
        for one in (*some, *corpus(name, slow=True)):
            _run(check, one, "the corpus")
        while time.monotonic() - begun < SECONDS if SECONDS else done < rounds:
            _run(check, spoilt(rng, some, words), f"seed {seed}, round {done}")
            done += 1
    print(f"\nfuzz {name}: {done} inputs from {len(some)} seeds, seed {seed}")


def spoilt(rng: random.Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One of the seeds after one to eight changes."""
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 8))):
        a, b = _place(rng, data), _place(rng, data)
        low, high = sorted((a, min(b, a + rng.choice((1, 4, 16, 1 << 16)))))
        match rng.randrange(9):
            case 0:  # a bit
                flipped = bytes(c ^ 1 << rng.randrange(8) for c in data[a : a + 1])
                data = data[:a] + flipped + data[a + 1 :]
            case 1:  # a byte, or some
                new = rng.choice((*_BYTES, rng.randbytes(1), rng.randbytes(8)))
                data = data[:a] + new + data[a + 1 :]
            case 2:  # less
                data = data[:low] + data[high:]
            case 3:  # the end is missing
                data = data[:a] if rng.random() < 0.3 else data
            case 4:  # the same again
                data = data[:high] + data[low:high] * rng.choice((1, 1, 2, 50)) + data[high:]
            case 5:  # a part of another
                other = rng.choice(seeds)
                c, d = sorted((_place(rng, other), _place(rng, other)))
                data = data[:low] + other[c:d] + data[high:]
            case 6 | 7:  # something that means something
                token = rng.choice(words)
                many = rng.choice((1,) * 30 + (2, 20, 2000))
                data = data[:a] + token * many + data[rng.choice((a, high)) :]
            case 8:  # one part in the place of another
                data = data[:low] + data[high:b] + data[low:high] + data[max(b, high) :]
        data = data[:LONGEST]
    return data


def _place(rng: random.Random, data: bytes) -> int:
    return rng.randint(0, len(data))


def _run(check: Check, data: bytes, where: str) -> None:
    try:
        signal.setitimer(signal.ITIMER_REAL, HANGS)
        check(data)
    except BaseException as error:
        # Whoever mends it adds these bytes to the corpus.
        error.add_note(f"{where}: {data!r}")
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def bounded() -> Iterator[None]:
    """What hangs is interrupted, what needs too much memory gets a `MemoryError`."""
    before, limit = resource.getrlimit(resource.RLIMIT_AS), _size() + MEMORY
    handler = signal.signal(signal.SIGALRM, _hangs)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, handler)


def _size() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _hangs(*_: object) -> NoReturn:
    raise AssertionError(f"not done after {HANGS} s")
