"""The series of one target: who each of them is, and who wants it. Made once, then looked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from weakref import WeakValueDictionary

from exporter.core.sample import Series
from exporter.core.selector import Matcher, Selector
from exporter.room import SERIES, SeriesRoom
from exporter.sources.exposition.labels import bound, canonical, parse_bound, spellings
from exporter.sources.exposition.page import no_room

_NUMBERS = ("le", "quantile")
"""Labels whose values are numbers, which each client and format spells in its own way."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Known:
    """A series met before. `origin` is what it shares with its created timestamp: all labels but
    those that tell a histogram's or summary's series apart. `wanted_by` may be nobody."""

    series: Series
    origin: str
    wanted_by: tuple[Selector, ...]


class Catalogue:
    """Makes each series once, in whatever way and format a page spells it.

    It holds on to none of them: a series lives as long as one of the readers remembers it, so what
    they bound is bounded here too. `process_labels`: labels that tell processes apart on a page
    that passes others on.
    """

    def __init__(
        self,
        wants: Sequence[Selector],
        target: str,
        target_labels: Mapping[str, str],
        process_labels: Sequence[str] = (),
        room: SeriesRoom = SERIES,
    ) -> None:
        self._room = room
        self._most: int | None = None
        self.new = 0
        """Number of wanted series on the page that is being read that were not met before."""
        self.wants: dict[str, list[Selector]] = {}
        for want in dict.fromkeys(wants):
            self.wants.setdefault(want.name, []).append(want)
        self._finders = {name: _Finder(found) for name, found in self.wants.items()}
        self._target = target
        self._target_labels = dict(target_labels)
        self._process_labels = tuple(process_labels)
        self._known: WeakValueDictionary[str, Known] = WeakValueDictionary()

    def relabel(self, target_labels: Mapping[str, str]) -> None:
        """The target has other labels now: the same keys, and every series made anew."""
        self._target_labels = dict(target_labels)
        self._known.clear()

    def begin(self, at: float) -> None:
        """A page of this time (unix seconds) is read from now on."""
        self.new, self._most = 0, self._room.most(at)

    def end(self, at: float) -> None:
        """Those that are new since `begin` are kept."""
        self._room.add(self.new, at)

    def known(self, name: str, labels: Mapping[str, str]) -> Known:
        """The series of a wanted metric that has these labels on the page."""
        # An empty label is an absent one, here as everywhere in Prometheus.
        labels = {k: v for k, v in labels.items() if v}
        key = _key(name, labels)
        known = self._known.get(key)
        if known is None:
            merged = self._merged(labels)
            wanted_by = self._finders[name].matching(merged)
            process, page = self.process(labels)
            if wanted_by:
                if self.new == self._most:
                    raise no_room(self._most)
                self.new += 1
            known = Known(Series(key, process, merged, page), origin(labels), wanted_by)
            self._known[key] = known
        return known

    def process(self, labels: Mapping[str, str]) -> tuple[str, str]:
        """The process whose sample has these labels on the page, and the page that passes it on.

        The target itself and an empty page, unless one of the process labels is there: then it is
        the page's address with these labels, quoted as on a page, so that no two read alike.
        """
        apart = {name: labels[name] for name in self._process_labels if labels.get(name)}
        if not apart:
            return self._target, ""
        return self._target + canonical("", apart), self._target

    def _merged(self, labels: Mapping[str, str]) -> dict[str, str]:
        # As Prometheus does with honor_labels = false: the target's own label wins, the page's is
        # kept as exported_X, or with as many "exported_" as it takes to be a new name.
        merged = {k: v for k, v in labels.items() if k not in self._target_labels}
        for name in labels.keys() & self._target_labels.keys():
            aside = f"exported_{name}"
            while aside in labels or aside in self._target_labels:
                aside = f"exported_{aside}"
            merged[aside] = labels[name]
        merged.update(self._target_labels)
        return merged


class _Finder:
    """Who of many wants a series. Each is filed under the rarest label value that it asks for, so
    that a page with a series for each of 10,000 wants is not matched 10,000 times a series."""

    def __init__(self, wants: Sequence[Selector]) -> None:
        pairs = [
            [
                (m.label, m.value)
                for m in want.matchers
                if m.op == "=" and m.value and m.label not in _NUMBERS
            ]
            for want in wants
        ]
        common = Counter(pair for some in pairs for pair in some)
        self._filed: dict[tuple[str, str] | None, list[tuple[int, Selector]]] = {}
        for i, (want, some) in enumerate(zip(wants, pairs, strict=True)):
            rarest = min(some, key=lambda pair: common[pair], default=None)
            self._filed.setdefault(rarest, []).append((i, want))

    def matching(self, labels: Mapping[str, str]) -> tuple[Selector, ...]:
        """In the order of the wants."""
        found = [
            one
            for key in (None, *labels.items())
            for one in self._filed.get(key, ())
            if all(_meets(m, labels.get(m.label, "")) for m in one[1].matchers)
        ]
        return tuple(want for _, want in sorted(found, key=itemgetter(0)))


def _key(name: str, labels: Mapping[str, str]) -> str:
    """The name of a series within its page, the same in whichever format the page comes."""
    for label in _NUMBERS:
        # The same client writes le="1" in text and protobuf and le="1.0" in OpenMetrics.
        value = parse_bound(labels.get(label, ""))
        if value is not None:
            labels = {**labels, label: bound(value)}
    return canonical(name, labels)


def _meets(matcher: Matcher, value: str) -> bool:
    """Whether a label meets a condition, a bound or quantile however it is spelled."""
    if matcher.label not in _NUMBERS or not value:
        return matcher.matches(value)
    if matcher.op in ("=", "!="):
        number = parse_bound(value)
        same = value == matcher.value or (
            number is not None and number == parse_bound(matcher.value)
        )
        return same is (matcher.op == "=")
    meets = [matcher.matches(form) for form in spellings(value)]
    return any(meets) if matcher.op == "=~" else all(meets)


def origin(labels: Mapping[str, str]) -> str:
    """What the series of one counter, histogram or summary have in common."""
    return canonical("", {k: v for k, v in labels.items() if v and k not in ("le", "quantile")})
