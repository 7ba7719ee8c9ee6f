"""What holds for all tests: none fails by the clock on the wall, nor by the port it was given."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import Phase, settings

import tests.support  # noqa: F401 - the same beats in every run

# What must pass before a change lands is the same for all; everybody else tries new examples.
settings.register_profile("slod", deadline=None, derandomize="SLOD_SAME_EXAMPLES" in os.environ)
# For a first look at many failures: making an example small takes longer than finding it.
quick = (Phase.explicit, Phase.reuse, Phase.generate)
settings.register_profile("quick", settings.get_profile("slod"), phases=quick)
settings.load_profile(os.environ.get("HYP", "slod"))

# Whoever runs the tests in the background ignores Ctrl-C, and children would take that over.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """What a test makes of the log is gone after it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
