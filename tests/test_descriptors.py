from __future__ import annotations

import resource

import pytest

from exporter import descriptors
from exporter.web import door
from tests.web.kit import serving


def test_the_limit_is_raised_to_the_highest_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = [(256, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda which, pair: limits.append(pair))
    assert descriptors.raise_limit() == 4096
    assert limits == [(256, 4096), (4096, 4096)]


def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(which: int, pair: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", refused)
    assert descriptors.raise_limit() == 256
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert descriptors.limit() > 1_000_000


@pytest.mark.parametrize(("limit", "most"), [(64, 32), (1024, 512), (1_000_000, door.MOST)])
async def test_the_port_leaves_half_of_them_for_polls(
    monkeypatch: pytest.MonkeyPatch, limit: int, most: int
) -> None:
    monkeypatch.setattr(descriptors, "limit", lambda: limit)
    async with serving() as server:
        assert server.door is not None
        assert server.door.most == most
