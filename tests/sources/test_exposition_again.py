"""Page after page of one target: a reader says of each what one says that never saw another."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.selector import parse_selector
from exporter.sources.exposition import PageReader
from exporter.sources.exposition.lines import number, plain_numbers

AT = 1_700_000_000.0
TEXT, OPENMETRICS = "text/plain", "application/openmetrics-text"
WANTS = ('c_total{code!="500"}', 'h_bucket{le="0.5"}', "h_count", "u", "u_more_total")
TAILS = (
    *("", " 1700000000000", " 1700000000.5", " # {a=\"b\"} 1 2", "\r", " ", "\t7", " 1 2", "#"),
)  # fmt: skip


@dataclass
class Line:
    """A line of a page whose value moves."""

    key: str
    value: float

    def written(self, rng: random.Random) -> str:
        """The line with a new value, mostly plain, now and then in any spelling."""
        self.value += rng.choice([0, 1, 0.5, 1e6, -self.value])
        if rng.random() < 0.97:
            return f"{self.key}{self.value!r}"
        forms = [f"{self.value:.3e}", f"+{self.value}", "NaN", "+Inf", "1_0", "x", "", "-0", "0x1"]
        return f"{self.key}{rng.choice(forms)}{rng.choice(TAILS)}"


def lines() -> list[Line]:
    """Two families that are wanted, between and around others, some of a similar name."""
    keys = [f'c_total{{code="{c}",n="{n}"}} ' for n in range(20) for c in (200, 500)]
    keys += ["# TYPE h histogram  ", "other ", "u ", 'xu{c_total="h_count"} ', "u_more "]
    for n in range(20):
        keys += [f'h_bucket{{n="{n}",le="{le}"}} ' for le in ("0.1", "0.5", "+Inf")]
        keys += [f'h_sum{{n="{n}"}} ', f'h_count{{n="{n}"}} ', f'h_created{{n="{n}"}} 16e8 # ']
    keys += [f'gc_total{{path="u_{n}"}} ' for n in range(30)]
    return [Line(key, 0.0) for key in (*keys, "process_start_time_seconds ")]


def reader() -> PageReader:
    return PageReader([parse_selector(w) for w in WANTS], "t", {"job": "x"}, max_series=200)


def said(of: PageReader, body: bytes, kind: str) -> object:
    page = of.read(body, kind, AT)
    facts = {
        str(want): [(r.series.key, r.samples[0][0], repr(r.samples[0][1]), r.created) for r in some]
        for want, some in page.readings.items()
    }
    return facts, repr(page.started), page.refused, page.samples


@pytest.mark.parametrize("kind", [TEXT, OPENMETRICS])
@pytest.mark.parametrize("seed", range(4))
def test_series_come_and_go_and_change_places_and_their_values_take_any_form(
    kind: str, seed: int
) -> None:
    rng = random.Random(seed)
    page, gone = lines(), list[Line]()
    warm, plain = reader(), 0
    for _ in range(150):
        change = rng.randrange(12)
        if change == 0 and page:
            gone.append(page.pop(rng.randrange(len(page))))
        elif change == 1 and gone:
            page.insert(rng.randrange(len(page) + 1), gone.pop())
        elif change == 2:
            i, j = sorted(rng.sample(range(len(page) + 1), 2))
            page[i:j] = rng.choice([page[i:j][::-1], []])
            gone = [line for line in lines() if line.key not in {p.key for p in page}]
        elif change == 3:
            page.insert(rng.randrange(len(page) + 1), Line(rng.choice(page or lines()).key, 1.0))
        elif change == 4:
            page = lines()
        quiet = random.Random(0) if change > 8 else rng
        body = "".join(f"{line.written(quiet)}\n" for line in page).encode() + b"# EOF\n"
        expected = said(reader(), body, kind)
        assert said(warm, body, kind) == expected
        plain += "malformed" not in str(expected)
    assert plain > 10


def test_a_family_that_grows_and_shrinks_far_beyond_itself_is_found_whole() -> None:
    warm = reader()
    for count in (1, 5000, 2, 0, 3000, 1):
        some = b"".join(b'u{a="%d"} %d\n' % (i, i) for i in range(min(count, 100)))
        rest = b"".join(b'u_other{b="%d"} %d\n' % (i, i) for i in range(count))
        for body in (some + rest, rest + some, rest + some + rest + b'u{c="d"} 1\n'):
            assert said(warm, body, TEXT) == said(reader(), body, TEXT)


@pytest.mark.parametrize("between", [0, 20_000])
def test_two_process_starts_are_none_however_far_apart(between: int) -> None:
    one, other = b"process_start_time_seconds %d\n", b'process_start_time_seconds{a="b"} %d\n'
    filler = b"".join(b"y_%d 1\n" % i for i in range(between))
    r = reader()
    assert r.read(one % 5 + filler, TEXT, AT).started == 5
    assert r.read(one % 5 + filler + other % 6, TEXT, AT).started is None
    assert r.read(filler + other % 6, TEXT, AT).started == 6


SPELLED = st.one_of(
    st.floats().map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda v: f"{v:.25g}"),
    st.integers(-(10**40), 10**40).map(str),
    st.from_regex(
        r"[ \t]?[-+]?[0-9]{0,3}\.?[0-9]{0,3}([eE][-+]?[0-9]{1,3})?[ \r]?", fullmatch=True
    ),
    st.sampled_from(["1,2", "", "]", "[1]", "null", "true", '"1"', "1_0", "1\x0b", "NaN", "// 1"]),
)


@settings(max_examples=500)
@given(st.lists(SPELLED, max_size=4))
def test_numbers_read_at_once_are_those_read_one_by_one(spelled: list[str]) -> None:
    rests = [one.encode() for one in spelled]
    singly = [number(rest.strip(b" \t\r")) for rest in rests]
    together = plain_numbers(rests)
    if together is not None:
        assert [v + 0.0 for v in together] == pytest.approx(singly, rel=0, abs=0, nan_ok=True)
    else:
        assert None in singly
