"""What is missing is unknown: series that are gone, surpluses, groups, windows without data."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.http import TransportError
from tests.cases.pages import TEXT, Page, render, rows
from tests.cases.stage import Hook, Request, Stage, T, answer
from tests.cases.upstream import STALE, Upstream, series

QUICK = """
[alert_policy.quick]
rules = [{ severity = "page", burn_rate = 5, long = "1m", short = "20s" }]
[receiver.hook]
type = "webhook"
url = "http://hook:80/"
"""
SCRAPE = """
[source.x]
type = "scrape"
targets = ["http://web:80/metrics"]
interval = "5s"
"""
PROM = """
[source.x]
type = "prometheus"
url = "http://prom:9090"
interval = "5s"
"""
Pages = Callable[[int], Page | None]
"""By look, five seconds apart; None is an answer 503."""


def slo(sli: str, more: str = "") -> str:
    return f"""
[slo.case]
objective = 99
window = "1h"
alert_policy = "quick"
sli = {sli}
{more}
"""


class World:
    """A target that is scraped, or whose samples a Prometheus has."""

    def __init__(self, stage: Stage, kind: str, pages: Pages) -> None:
        self.stage, self.hook, self._kind, self._pages = stage, Hook(), kind, pages
        self._before: Page = {}
        stage.network.hosts["hook:80"] = self.hook
        stage.network.hosts["web:80"] = self._serve  # type: ignore[assignment]
        self.upstream = Upstream(stage.clock.now)
        stage.network.hosts["prom:9090"] = self.upstream

    @property
    def _look(self) -> int:
        return round((self.stage.now - T) / 5)

    def _serve(self, request: Request) -> object:
        page = self._pages(self._look)
        return answer("no", status=503) if page is None else answer(render(page, TEXT), TEXT)

    async def start(self, config: str) -> None:
        self._store()
        await self.stage.start((SCRAPE if self._kind == "scrape" else PROM) + QUICK + config)

    async def run(self, looks: int) -> None:
        for _ in range(looks):
            await self.stage.advance(4)
            self._store(1)
            await self.stage.advance(1)

    def _store(self, ahead: int = 0) -> None:
        """What an upstream's scrape brings, half a second before slod's poll."""
        look = (self.stage.now - T + ahead) / 5
        page, at = self._pages(round(look)), T + 5 * round(look) - 0.7
        own = {"job": "app", "instance": "web:80"}
        self.upstream.write(series("up", **own), at, 0.0 if page is None else 1.0, at + 0.1)
        for row in rows(page or {}):
            labels = {"__name__": row.name, **own, **row.labels}
            self.upstream.write(labels, at, row.sample.value, at + 0.1)
        for row in rows({k: v for k, v in self._before.items() if k not in (page or {})}):
            self.upstream.write({"__name__": row.name, **own, **row.labels}, at, STALE, at + 0.1)
        self._before = page or {}


KINDS = pytest.mark.parametrize("kind", ["scrape", "prometheus"])


# --- one of the selectors has no series any more --------------------------------------------------


def _renamed_total(look: int) -> Page:
    name = "asked_total" if look < 12 else "http_asked_total"
    return {name: 4000 + 400 * look, "failed_total": 9 + look}


def _lost_good(look: int) -> Page:
    page = {"all_total": 800 + 80 * look}
    return page | ({"fine_total": 700 + 80 * look} if look < 12 else {})


def _lost_labels(look: int) -> Page:
    # A relabelling drops the label that `total` asks for.
    more = ',app="shop"' if look < 12 else ""
    return {
        f'r_total{{code="200"{more}}}': 3000 + 300 * look,
        'e_total{code="500"}': 2 + look,
    }


LOST = {
    "total-is-renamed": (_renamed_total, "{ bad = 'failed_total', total = 'asked_total' }"),
    "good-is-gone": (_lost_good, "{ good = 'fine_total', total = 'all_total' }"),
    "total-is-relabelled": (_lost_labels, "{ bad = 'e_total', total = 'r_total{app=\"shop\"}' }"),
    "good-beside-bad": (
        _renamed_total,
        "{ bad = 'failed_total', good = 'asked_total' }",
    ),
}


@KINDS
@pytest.mark.parametrize(("pages", "sli"), LOST.values(), ids=LOST)
async def test_a_selector_that_lost_its_series_leaves_the_indicator_unknown(
    stage: Stage, kind: str, pages: Pages, sli: str
) -> None:
    world = World(stage, kind, pages)
    await world.start(slo(sli))
    await world.run(11)
    before = (await stage.metrics()).events()
    assert sum(before) > 0
    await world.run(10)
    await stage.restart()
    await world.run(60)
    good, bad = (await stage.metrics()).events()
    assert bad - before[1] <= 2 and good - before[0] <= 450
    assert world.hook.named() == []
    shown = await stage.slo()
    short = next(w for w in shown["windows"] if w["window"] == "20s")
    assert short["sli"] is None and short["coverage"] < 0.5
    assert shown["unknown"]


@KINDS
async def test_a_total_that_comes_back_is_bridged(stage: Stage, kind: str) -> None:
    def pages(look: int) -> Page:
        page = {"failed_total": 10 + look}
        return page if 8 <= look < 12 else page | {"asked_total": 5000 + 100 * look}

    world = World(stage, kind, pages)
    await world.start(slo("{ bad = 'failed_total', total = 'asked_total' }"))
    await world.run(24)
    assert (await stage.metrics()).events() == (24 * 99, 24)
    assert world.hook.named() == []


@KINDS
async def test_errors_that_never_were_or_expired_are_none(stage: Stage, kind: str) -> None:
    def pages(look: int) -> Page:
        page = {'r_total{c="200"}': 5000 + 100 * look}
        return page | ({'r_total{c="500"}': 5} if 3 <= look < 7 else {})

    world = World(stage, kind, pages)
    await world.start(slo("{ bad = 'r_total{c=\"500\"}', total = 'r_total' }"))
    await world.run(20)
    assert (await stage.metrics()).events() == (2000, 5)
    assert (await stage.slo())["unknown"] is None


# --- a part that is more than the whole -----------------------------------------------------------


@KINDS
@pytest.mark.parametrize("ahead", [4.0, 1.5, 1.03], ids=["fourfold", "by-half", "by-3-percent"])
async def test_a_good_part_that_is_more_than_total_does_not_hide_an_outage(
    stage: Stage, kind: str, ahead: float
) -> None:
    surplus = 40

    def pages(look: int) -> Page:
        total = 1000 * look
        return {"ok_total": 1000 * ahead * min(look, surplus), "all_total": total}

    world = World(stage, kind, pages)
    await world.start(slo("{ good = 'ok_total', total = 'all_total' }"))
    await world.run(surplus + 20)
    metrics = await stage.metrics()
    error = metrics.get("slod_slo_errors", slo="case") == 1
    assert error or metrics.events()[1] > 10_000
    assert error or (await stage.slo())["unknown"] or world.hook.named()


@KINDS
async def test_a_bad_part_that_is_more_than_total_is_said(stage: Stage, kind: str) -> None:
    world = World(
        stage, kind, lambda look: {"bad_total": 30 * look + 5, "all_total": 10 * look + 5}
    )
    await world.start(slo("{ bad = 'bad_total', total = 'all_total' }"))
    await world.run(60)
    metrics = await stage.metrics()
    assert metrics.get("slod_slo_errors", slo="case") == 1
    assert (await stage.slo())["unknown"]


@KINDS
async def test_a_surplus_of_a_moment_is_taken_back_and_no_error(stage: Stage, kind: str) -> None:
    def pages(look: int) -> Page:
        # The page reads good a little later than total.
        return {"ok_total": 98 * look + (30 if look % 4 == 1 else 0), "all_total": 100 * look}

    world = World(stage, kind, pages)
    await world.start(slo("{ good = 'ok_total', total = 'all_total' }"))
    await world.run(40)
    metrics = await stage.metrics()
    assert metrics.events() == (40 * 98, 40 * 2)
    assert metrics.get("slod_slo_errors", slo="case") == 0


# --- groups that are gone -------------------------------------------------------------------------

TENANTS = "{ bad = 'e_total', total = 'r_total' }"


def _tenants(gone: int, fails: bool = False) -> Pages:
    def pages(look: int) -> Page | None:
        if fails and look >= gone:
            return None
        page = {'r_total{tenant="a"}': 500 + 50 * look, 'e_total{tenant="a"}': 1.0}
        if look < gone:
            page |= {'r_total{tenant="b"}': 300 + 30 * look, 'e_total{tenant="b"}': 30.0 * look}
        return page

    return pages


@KINDS
@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
async def test_an_alert_of_a_group_that_is_gone_ends(
    stage: Stage, kind: str, restarts: bool
) -> None:
    world = World(stage, kind, _tenants(20))
    await world.start(slo(TENANTS, 'group_by = ["tenant"]'))
    await world.run(19)
    assert [a["labels"]["tenant"] for a in world.hook.named()] == ["b"]
    if restarts:
        await stage.restart()
    await world.run(80)
    assert [a["labels"]["tenant"] for a in world.hook.named(status="resolved")] == ["b"]
    shown = {one["group"]["tenant"]: one for one in await stage.slos()}
    assert not any(rule["firing"] for one in shown.values() for rule in one["rules"])


async def test_an_alert_of_a_group_holds_while_its_target_does_not_answer(stage: Stage) -> None:
    world = World(stage, "scrape", _tenants(20, fails=True))
    await world.start(slo(TENANTS, 'group_by = ["tenant"]'))
    await world.run(100)
    assert [a["labels"]["tenant"] for a in world.hook.named()] == ["b"]
    assert world.hook.named(status="resolved") == []


@KINDS
@pytest.mark.parametrize(("most", "each"), [(3, 6), (1, 8), (2, 3)])
async def test_a_group_that_is_gone_frees_its_place(
    stage: Stage, kind: str, most: int, each: int
) -> None:
    newest = 5

    def pages(look: int) -> Page:
        version = min(look // each, newest)
        failed = look if version == newest else 0
        return {f'r_total{{v="v{version}"}}': 10 * look, f'e_total{{v="v{version}"}}': failed}

    world = World(stage, kind, pages)
    await world.start(slo(TENANTS, f'group_by = ["v"]\nmax_groups = {most}'))
    await world.run(each * newest + 40)
    groups = {one["group"]["v"] for one in await stage.slos()}
    # What a group that is gone has spent may be shown for a while.
    assert f"v{newest}" in groups and len(groups) <= 2 * most + 1
    assert world.hook.named()
    assert {a["labels"]["v"] for a in world.hook.named()} == {f"v{newest}"}


# --- windows after the newest sample --------------------------------------------------------------

SHORT = """
[alert_policy.short]
rules = [{ severity = "page", burn_rate = 5, long = "1m", short = "10s" }]
"""


def _canary(ends: int, how: str) -> Pages:
    def pages(look: int) -> Page | None:
        if look >= ends:
            return None if how == "fails" else {"up_to_now": 1.0}
        return {'c_total{code="200"}': 250 * look, 'c_total{code="500"}': 0}

    return pages


@pytest.mark.parametrize(
    ("kind", "how"),
    [("scrape", "goes"), ("scrape", "fails"), ("prometheus", "goes"), ("prometheus", "fails")],
)
async def test_a_window_after_the_newest_sample_is_absent(
    stage: Stage, kind: str, how: str
) -> None:
    world = World(stage, kind, _canary(16, how))
    config = slo("{ bad = 'c_total{code=\"500\"}', total = 'c_total' }") + SHORT
    await world.start(config.replace('"quick"', '"short"'))
    await world.run(15)
    metrics = await stage.metrics()
    assert metrics.get("slo_burn_rate", window="10s") == 0
    assert (metrics.get("slo_coverage_ratio", window="10s") or 0) > 0.4
    await world.run(8)
    await _absent(stage, "10s")
    assert (await stage.metrics()).get("slo_burn_rate", window="1m") == 0
    await stage.restart()
    await world.run(1)
    await _absent(stage, "10s")
    await world.run(10)
    await _absent(stage, "1m")
    # What was counted is of the period all the same.
    assert (await stage.metrics()).events() == (15 * 250, 0)


async def _absent(stage: Stage, window: str) -> None:
    metrics = await stage.metrics()
    for name in ("slo_burn_rate", "slo_sli_ratio"):
        assert metrics.get(name, window=window) is None
        assert await stage.query(f'{name}{{window="{window}"}}') == []
    assert (metrics.get("slo_coverage_ratio", window=window) or 0) < 0.5
    shown = await stage.window(window)
    assert shown["sli"] is None and shown["coverage"] < 0.5


@pytest.mark.parametrize("how", ["goes", "fails", "refused"])
async def test_an_alert_that_holds_without_data_says_so(stage: Stage, how: str) -> None:
    state = {"gone": False, "bad": 100.0}

    def serve(request: Request) -> object:
        look = round((stage.now - T) / 5)
        if state["gone"]:
            if how == "refused":
                raise TransportError("refused", "connection refused")
            return answer("alive 1\n") if how == "goes" else answer("", status=503)
        failed = state["bad"] * min(look, 30)
        page = {'e_total{code="200"}': 100 * look, 'e_total{code="500"}': failed}
        return answer(render(page, TEXT), TEXT)

    hook = Hook()
    stage.network.hosts["hook:80"] = hook
    stage.network.hosts["web:80"] = serve  # type: ignore[assignment]
    sli = "{ bad = 'e_total{code=\"500\"}', good = 'e_total{code=\"200\"}' }"
    await stage.start(SCRAPE + QUICK + slo(sli))
    for _ in range(25):
        await stage.advance(5)
    assert len(hook.named()) == 1
    state["gone"] = True
    for _ in range(90):
        await stage.advance(5)
    held = [
        a for a in (await stage.fetch_alerts()) if a["labels"]["alertname"] == "ErrorBudgetBurn"
    ]
    assert len(held) == 1
    _says(held[0]["annotations"])
    assert hook.named(status="resolved") == []
    state["gone"] = False
    for _ in range(40):
        await stage.advance(5)
    ended = hook.named(status="resolved")
    assert len(ended) == 1
    _says(ended[0]["annotations"], still=False)


def _says(annotations: dict[str, str], still: bool = True) -> None:
    text = annotations["description"]
    assert "unknown" not in text and "0 bad of 0" not in text
    assert "never" not in text
    spent = annotations["budget_remaining"].startswith("-")
    assert not (spent and annotations["exhausts_in"] == "never")
    if still:
        assert "no data" in text
