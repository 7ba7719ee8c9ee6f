"""What holds for all tests: none fails by the clock on the wall, nor by the port it was given."""

from __future__ import annotations

import signal

from hypothesis import settings

import tests.support  # noqa: F401 - the same beats in every run

settings.register_profile("slod", deadline=None)
settings.load_profile("slod")

# Whoever runs the tests in the background ignores Ctrl-C, and children would take that over.
signal.signal(signal.SIGINT, signal.default_int_handler)
