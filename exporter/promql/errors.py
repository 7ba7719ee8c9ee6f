"""What can be wrong with a query, by whose fault it is.

QueryError
├── BadData       it is no PromQL, or a parameter is not what it should be
├── Unsupported   it is PromQL, and slod does not answer it
├── Failed        it cannot be computed from the series there are
│   └── TooMuch   it asks for more than a sidecar gives
├── Busy          other queries hold the memory that it needs
├── Canceled      its client has left
└── TimedOut      it took too long
"""

from __future__ import annotations

from exporter.errors import SlodError


class QueryError(SlodError):
    """In one line, what is wrong."""


class BadData(QueryError):
    """It is no PromQL, or a parameter is not what it should be."""


class Unsupported(QueryError):
    """It is PromQL, and slod does not answer it."""


class Failed(QueryError):
    """It cannot be computed from the series there are."""


class TooMuch(Failed):
    """It asks for more than a sidecar gives."""


class Busy(QueryError):
    """Other queries hold the memory that it needs."""


class Canceled(QueryError):
    """Its client has left."""


class TimedOut(QueryError):
    """It took too long."""
