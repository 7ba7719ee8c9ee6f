"""Which objectives are shown, as it stands in the address: `?q=`, `?state=`, `?label=NAME:VALUE`,
`?page=`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from exporter.core.slo import SLO
from exporter.page.state import Seen, State

PAGE = 100
"""Objectives of one page."""
SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Filters:
    """`words`: each must be in the name, the service or a label. `labels`: name and value."""

    words: str = ""
    state: State | None = None
    labels: tuple[tuple[str, str], ...] = ()
    page: int = 1

    @classmethod
    def read(cls, pairs: Iterable[tuple[str, str]]) -> Filters:
        """From an address; what makes no sense is left out."""
        made = cls()
        for key, value in pairs:
            if key == "q":
                made = replace(made, words=value.strip()[:200])
            elif key == "state" and value in State._value2member_map_:
                made = replace(made, state=State(value))
            elif key == "label" and ":" in value and len(made.labels) < 20:
                name, _, wanted = value.partition(":")
                made = replace(made, labels=(*made.labels, (name, wanted)))
            elif key == "page" and value.isascii() and value.isdigit():
                made = replace(made, page=max(1, int(value[:6])))
        return made

    def address(self) -> str:
        """The same as an address."""
        pairs = [("q", self.words)] if self.words else []
        pairs += [("state", self.state.value)] if self.state else []
        pairs += [("label", f"{name}:{value}") for name, value in self.labels]
        pairs += [("page", str(self.page))] if self.page > 1 else []
        return "/" + (f"?{urlencode(pairs)}" if pairs else "")

    def with_label(self, name: str, value: str) -> Filters:
        """One more label."""
        others = tuple(pair for pair in self.labels if pair != (name, value))
        return replace(self, labels=(*others, (name, value)), page=1)

    def without(self, name: str, value: str) -> Filters:
        """One label less."""
        rest = tuple(pair for pair in self.labels if pair != (name, value))
        return replace(self, labels=rest, page=1)

    def found(self, seen: Sequence[Seen]) -> list[Seen]:
        """Those that are meant: what is on fire, then all others; in both the most urgent service
        first, and so in each service."""
        chosen = [one for one in seen if self._means(one)]
        services: dict[tuple[bool, str], tuple[int, float]] = {}
        for one in chosen:
            key = not one.state.is_urgent, one.status.slo.service
            services[key] = min(services.get(key, one.urgency), one.urgency)

        def place(one: Seen) -> tuple[object, ...]:
            key = calm, service = not one.state.is_urgent, one.status.slo.service
            return calm, services[key], service, one.urgency, one.status.slo.name

        return sorted(chosen, key=place)

    def shown(self, found: Sequence[Seen]) -> Sequence[Seen]:
        """Those of the page."""
        return found[(self.page - 1) * PAGE : self.page * PAGE]

    def within(self, many: int) -> Filters:
        """The same, at the last page where there are too few for its own."""
        return replace(self, page=max(1, min(self.page, -(-many // PAGE))))

    def _means(self, one: Seen) -> bool:
        if self.state is not None and one.state is not self.state:
            return False
        slo = one.status.slo
        return self._mean({**one.status.labels, "slo": slo.name, SERVICE: slo.service})

    def means_waiting(self, slo: SLO) -> bool:
        """The same of one that has no data yet, and so no groups."""
        state = self.state in (None, State.UNKNOWN)
        return state and self._mean({**slo.labels, "slo": slo.name, SERVICE: slo.service})

    def _mean(self, own: Mapping[str, str]) -> bool:
        if any(own.get(name) != value for name, value in self.labels):
            return False
        if not self.words:
            return True
        named = own["slo"], own[SERVICE], *(f"{k}:{v}" for k, v in own.items())
        text = " ".join(named).lower()
        return all(word in text for word in self.words.lower().split())
