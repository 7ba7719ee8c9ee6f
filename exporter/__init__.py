"""slod, the SLO daemon: counts events exactly, once, and answers any window at once."""

__version__ = "0.1.0"
