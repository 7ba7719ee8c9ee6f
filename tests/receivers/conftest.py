"""A listener for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.receivers.kit import Listener, listening


@pytest.fixture
async def api() -> AsyncIterator[Listener]:
    async with listening() as listener:
        yield listener
