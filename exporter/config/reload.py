"""Load the file of a running configuration again: what may take its place, and what may not."""

from __future__ import annotations

from exporter.config.load import Config, digest_of, parse, read_text
from exporter.errors import ConfigError


def reload(running: Config, *, allow_empty: bool = False) -> Config:
    """Load the file of a running configuration again, to take its place; the running one itself
    where the file is what it was, which is cheap however often somebody asks.

    A file without any SLO in place of one with some is most likely one whose writing was cut
    short: `ConfigError`, unless `allow_empty`.

    An SLO that counts today must not be replaced by one that cannot: `ConfigError`. One that was
    faulty before may stay so, since the rest of the file is wanted all the same.
    """
    text = read_text(running.path)
    if digest_of(text) == running.keys.digest:
        return running
    config = parse(text, running.path)
    if running.slos and not config.slos and not allow_empty:
        raise ConfigError(
            f"{config.path}: has no SLO any more, and {len(running.slos)} count now; if that is "
            "meant, reload with slod reload --allow-empty (or POST /-/reload?allow_empty=1)"
        )
    before = {slo.name for slo in running.slos if slo.fault}
    new = [slo.fault for slo in config.slos if slo.fault and slo.name not in before]
    if new:
        raise ConfigError(*(f"{config.path}: {fault}" for fault in new))
    return config
