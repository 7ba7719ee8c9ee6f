"""`/api/slo/v1/slos/{name}/history` of a real daemon: what it said then, it says of then."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.config.moments import rfc3339
from exporter.web.history_api_span import MOST, MOST_OF_ALL, Span, read_span
from tests.web.test_slos_api import API, Shop, page, shop

__all__ = ["page", "shop"]

NOW = 1_700_000_000.0


async def history(shop: Shop, path: str) -> dict[str, Any]:
    from tests.app.test_exclusions import ask

    status, found = await ask(shop.daemon, "GET", f"{API}/{path}")
    assert status == 200, found
    return found


def window(status: dict[str, Any], label: str) -> dict[str, Any]:
    return next(w for w in status["windows"] if w["window"] == label)


async def test_a_moment_of_the_past_has_the_numbers_that_were_said_then(shop: Shop) -> None:
    said: list[tuple[float, dict[str, Any]]] = []
    for good, bad in ((95, 5), (10, 0), (5, 5), (100, 0)):
        await shop.serve(good, bad)
        (one,) = await shop.slos("/shop")
        said.append((shop.clock.now(), one))
        await shop.clock.advance(5)
    for label in ("10s", "2m", "1h"):
        for at, then in said:
            found = await history(shop, f"shop/history?window={label}&start={at}&end={at}&step=1")
            assert found["columns"][0] == "t" and found["seconds"] > 0
            ((point,),) = [i["points"] for i in found["instances"]]
            row, expected = dict(zip(found["columns"], point, strict=True)), window(then, label)
            for key in ("good", "bad", "sli", "burn_rate"):
                assert row[key] == pytest.approx(expected[key], rel=1e-3), (label, key)
            assert row["budget_remaining"] == pytest.approx(then["budget_remaining"], rel=1e-3)
            assert row["coverage"] == pytest.approx(expected["coverage"], abs=0.05)


async def test_the_last_day_in_240_steps_is_what_it_gives_unasked(shop: Shop) -> None:
    await shop.serve(90, 10)
    found = await history(shop, "shop/history")
    now = shop.clock.now()
    assert (found["window"], found["seconds"], found["step"]) == ("period", 3600, 360)
    assert (found["start"], found["end"]) == (rfc3339(now - 86_400), rfc3339(now))
    (points,) = [i["points"] for i in found["instances"]]
    assert len(points) == 241
    # Before anything was known there are no events, and that is not a good or a bad ratio.
    assert points[0][1:] == [0, 0, None, None, 0, None]
    assert points[-1][1:5] == pytest.approx([90, 10, 0.9, 1.0])


async def test_each_group_has_its_track(shop: Shop) -> None:
    await shop.serve(90, 10)
    found = await history(shop, "by-code/history?window=1m&start=-1s&step=500ms")
    assert [i["group"] for i in found["instances"]] == [{"code": "200"}, {"code": "500"}]
    assert [i["points"][-1][1:3] for i in found["instances"]] == [[90, 0], [0, 10]]
    found = await history(shop, "by-code/history?group=code=500&end=now&start=-1s&step=1")
    assert [i["labels"] for i in found["instances"]] == [{"code": "500"}]
    assert (await history(shop, "by-route/history"))["instances"] == []
    (quiet,) = (await history(shop, "quiet/history"))["instances"]
    assert quiet["points"][-1][1:] == [0, 0, None, None, 0, None]


@pytest.mark.parametrize(
    ("query", "status", "why"),
    [
        ("shpo/history", 404, "did you mean 'shop'?"),
        ("by-code/history?group=code=1", 404, "has no group code=1"),
        ("shop/history?group=code=1", 400, "has no groups"),
        ("shop/history?window=nope", 400, "window: not a duration: 'nope'"),
        ("shop/history?window=0s", 400, "window: must be more than nothing, not '0s'; or period"),
        ("shop/history?step=0", 400, "step: must be more than nothing"),
        ("shop/history?step=-5s", 400, "step: not a duration"),
        ("shop/history?start=soon", 400, "start: not a time: 'soon'; write it like 2026-"),
        ("shop/history?start=nan", 400, "start: not a time"),
        ("shop/history?end=1e999", 400, "end: not a time"),
        ("shop/history?end=2023-11-14", 400, "which time zone is 2023-11-14 in?"),
        ("shop/history?start=-1h&end=-2h", 400, "is before the start"),
        ("shop/history?start=-1d&step=1s", 400, "a step of at least 8s"),
    ],
)
async def test_what_cannot_be_answered_is_said_with_the_way_out(
    shop: Shop, query: str, status: int, why: str
) -> None:
    assert why in await shop.refused(f"/{query}", status)


def test_moments_are_read_as_people_and_programs_write_them() -> None:
    for start in ("1699996400", "1699996400.0", "2023-11-14T21:13:20Z", "-1h", "now-1h"):
        assert read_span({"start": start, "step": "60"}, NOW, 1) == Span(NOW - 3600, NOW, 60)
    assert read_span({"end": "-1d"}, NOW, 1) == Span(NOW - 172_800, NOW - 86_400, 360)
    assert read_span({"start": "now"}, NOW, 1).moments() == [NOW]
    assert Span(0.0, 1.0, 0.1).moments()[-1] == 1.0


def test_one_answer_has_a_bound_however_many_groups_there_are() -> None:
    assert read_span({"start": "-3h", "step": "1s"}, NOW, 1).count == 10_801 <= MOST
    with pytest.raises(ValueError, match=r"for each of 100 groups; name one \(\?group="):
        read_span({"start": "-3h", "step": "1s"}, NOW, 100)
    step = read_span({"start": "-3h", "step": "10s"}, NOW, 100)
    assert step.count * 100 <= MOST_OF_ALL
