"""Stories about counting are told three times: slod runs on, or is restarted before each poll."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.core.builders import Reader

Begin = Callable[..., Reader]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, so that the long ones can be run without counting branches."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("core")


@pytest.fixture(params=["", "state", "log"], ids=["runs on", "from its state", "from its log"])
def begin(request: pytest.FixtureRequest) -> Begin:
    """Begin a story, with SLOs or a plain one."""
    return partial(Reader, request.param)
