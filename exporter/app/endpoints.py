"""slod's own JSON API: which parts it has, and who answers for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from exporter.app.exclusions import Exclusions
from exporter.app.explain import Explainer
from exporter.app.gates import Gates
from exporter.clock import Clock
from exporter.core.engine import Engine
from exporter.web import exclusions_api, explain_api, gate_api, openapi


def endpoints(
    engine: Engine,
    settings: Callable[[], Mapping[str, object]],
    clock: Clock,
    exclusions: Exclusions,
    gates: Gates,
) -> Sequence[web.AbstractRouteDef]:
    """The routes of all parts; `settings` gives those of the sources."""
    return openapi.routes(
        explain_api.part(Explainer(engine, settings, clock)),
        exclusions_api.part(exclusions),
        gate_api.part(gates),
    )
