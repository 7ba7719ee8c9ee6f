"""Which process a series behind a Prometheus belongs to, and what is known of that process.

`up` and process start times are series too, with the labels of the target. A series belongs to the
largest set of labels among these, of the same job and instance, that is a part of its own labels.
Where there is none (remote write, federation, other people's names), labels that by convention tell
processes apart do.

The name of a process is `job/instance`, with those of its labels added that tell it apart: the
conventional ones, and any other in which two processes of one job and instance differ that are
there at the same time. Labels that merely describe (`team`, `version`) are left out, so that a
process keeps its name, and its counts, when one of them changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from operator import itemgetter

from exporter.core.sample import Target
from exporter.core.selector import NAME
from exporter.sources.promapi import FORGET_AFTER, Row, series_key

UP = "up"
START = "process_start_time_seconds"

CONVENTIONAL = frozenset(
    {"cluster", "cluster_name", "k8s_cluster", "k8s_cluster_name", "prometheus"}
    | {"prometheus_replica", "vm_account_id", "vm_project_id", "tenant_id", "datacenter", "dc"}
    | {"namespace", "kubernetes_namespace", "k8s_namespace_name", "service_namespace"}
    | {"service_name", "service_instance_id", "exported_instance"}
    | {"pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name", "pod_uid", "k8s_pod_uid"}
    | {"container", "container_name", "container_id", "k8s_container_name"}
    | {"node", "host_name", "task", "task_id", "ecs_task_id", "alloc_id", "replica"}
)
"""Labels that tell processes apart by convention: of Kubernetes, OpenTelemetry, Nomad, ECS, Thanos,
Mimir and VictoriaMetrics. Not `host`, `zone` or `tenant`, which applications use for their own."""

Labels = frozenset[tuple[str, str]]
_Place = tuple[str, str]
"""Job and instance, empty where there is none."""


class _Fact:
    """One series of `up` or of a start time: when it had samples, in unix seconds, when it was in
    an answer last, and whose it is."""

    __slots__ = ("asked", "first", "labels", "last", "metric", "name", "place")

    def __init__(self, metric: str, labels: Mapping[str, str]) -> None:
        self.metric = metric
        self.labels: Labels = frozenset(labels.items())
        self.place = _place(labels)
        self.first, self.last, self.asked = inf, -inf, -inf
        self.name = ""


class Processes:
    """Learns processes from facts; names the one that each series belongs to.

    `target_labels`: the labels that tell processes apart, where the configuration says so.
    """

    def __init__(self, target_labels: Sequence[str] = ()) -> None:
        self._fixed = tuple(target_labels)
        self._facts: dict[tuple[tuple[str, str], ...], _Fact] = {}
        """By the labels in the order of the answer, the name among them."""
        self._at: dict[_Place, list[_Fact]] = {}
        self._swept = 0.0

    def target_of(self, labels: Mapping[str, str]) -> str:
        """The process of a series, by its labels without the metric's name."""
        if self._fixed:
            return _exactly(labels, self._fixed)
        own = frozenset(labels.items())
        parts = [fact for fact in self._at.get(_place(labels), ()) if fact.labels <= own]
        if not parts:
            return _name(labels, CONVENTIONAL)
        return max(parts, key=lambda fact: (len(fact.labels), sorted(fact.labels))).name

    def learn(self, rows: Iterable[Row], now: float, wanted: Iterable[str]) -> dict[str, Target]:
        """Take in answers about `up` and start times; what they say of each process.

        Args:
            rows: series of `up` and of process start times, any range of them.
            now: the poll's time, in unix seconds.
            wanted: names of the metrics that are counted, which say whose a prefixed start is.
        """
        found: list[tuple[_Fact, Row]] = []
        fresh: list[_Fact] = []
        for row in rows:
            identity = tuple(row.metric.items())
            fact = self._facts.get(identity)
            if fact is None:
                labels = {k: v for k, v in identity if k != NAME}
                fact = self._facts[identity] = _Fact(row.metric.get(NAME, ""), labels)
                self._at.setdefault(fact.place, []).append(fact)
                fresh.append(fact)
            fact.asked = now
            if row.values:
                fact.first = min(fact.first, row.values[0][0])
                fact.last = max(fact.last, row.values[-1][0])
            found.append((fact, row))
        for fact in fresh:
            fact.name = self._name_of(fact)
        self._sweep(now)
        return _targets(found, frozenset(wanted))

    def _name_of(self, fact: _Fact) -> str:
        if self._fixed:
            return _exactly(dict(fact.labels), self._fixed)
        apart = set(CONVENTIONAL)
        for other in self._at[fact.place]:
            if other.labels == fact.labels:
                if other.name:
                    # The name is that of the labels: `up` and the start time are one process'.
                    return other.name
            # One that ended before the other began is the same process under another label, or
            # its successor; two at a time are two.
            elif (
                other.metric == fact.metric
                and other.first <= fact.last
                and fact.first <= other.last
            ):
                apart |= {label for label, _ in other.labels ^ fact.labels}
        return _name(dict(fact.labels), apart)

    def _sweep(self, now: float) -> None:
        if now - self._swept <= FORGET_AFTER / 24:
            return
        self._swept = now
        alive = {k: fact for k, fact in self._facts.items() if now - fact.asked <= FORGET_AFTER}
        if len(alive) < len(self._facts):
            self._facts, self._at = alive, {}
            for fact in alive.values():
                self._at.setdefault(fact.place, []).append(fact)


def _place(labels: Mapping[str, str]) -> _Place:
    return labels.get("job", ""), labels.get("instance", "")


def _name(labels: Mapping[str, str], apart: Iterable[str]) -> str:
    """`job/instance`, and in braces the labels that tell it apart from others with these two."""
    job, instance = _place(labels)
    more = [(k, labels[k]) for k in sorted(set(apart) - {"job", "instance"}) if labels.get(k)]
    place = f"{job}/{instance}"
    return place + series_key("", more) if more else place


def _exactly(labels: Mapping[str, str], chosen: Sequence[str]) -> str:
    """The same of these labels and no others."""
    return _name({k: v for k, v in labels.items() if k in chosen}, chosen)


# --- what is known of each ------------------------------------------------------------------------

_Found = tuple[_Fact, Row]


def _targets(found: Iterable[_Found], wanted: frozenset[str]) -> dict[str, Target]:
    ups: dict[str, list[_Found]] = {}
    starts: dict[str, list[_Found]] = {}
    for fact, row in found:
        (ups if fact.metric == UP else starts).setdefault(fact.name, []).append((fact, row))
    pages: dict[_Place, list[_Found]] = {}
    if starts.keys() - ups.keys():
        for some in ups.values():
            for one in some:
                pages.setdefault(one[0].place, []).append(one)
    out: dict[str, Target] = {}
    for name in ups.keys() | starts.keys():
        began = _whose(starts.get(name, []), wanted)
        looked = ups.get(name) or _page_of(began, pages)
        looks = _samples(looked)
        newest = next((text for _, text in reversed(looks) if text != "NaN"), "")
        out[name] = Target(
            starts=_changes(_samples(began)),
            looks=[time for time, text in looks if text == "1"],
            down=newest == "0",
        )
    return out


def _page_of(began: Sequence[_Found], pages: Mapping[_Place, list[_Found]]) -> list[_Found]:
    """The `up` of the page that shows a process which has a start of its own, and no `up`."""
    if not began:
        return []
    own = began[0][0]
    around = [page for page in pages.get(own.place, ()) if page[0].labels <= own.labels]
    return [max(around, key=lambda page: len(page[0].labels))] if around else []


def _whose(found: list[_Found], wanted: frozenset[str]) -> list[_Found]:
    """The start time of the counted process, where a page shows more than one.

    `haproxy_process_start_time_seconds` says when that of `haproxy_*` began, on whosever page;
    otherwise the plain one is that of the page.
    """
    if len({fact.metric for fact, _ in found}) < 2:
        return found

    def rank(metric: str) -> tuple[int, str]:
        prefix = metric.removesuffix(START)
        if prefix and any(name.startswith(prefix) for name in wanted):
            return 0, metric
        return (1 if not prefix else 2), metric

    chosen = min((fact.metric for fact, _ in found), key=rank)
    return [one for one in found if one[0].metric == chosen]


def _samples(found: Sequence[_Found]) -> list[tuple[float, str]]:
    """Their values as they were written, in ascending time: most are the same text again."""
    if len(found) == 1:
        return found[0][1].values
    return sorted((s for _, row in found for s in row.values), key=itemgetter(0))


def _changes(samples: Iterable[tuple[float, str]]) -> list[tuple[float, float]]:
    """The first of them, and each that is not as the one before; a stale marker (NaN, as
    VictoriaMetrics gives it) is no start."""
    out: list[tuple[float, float]] = []
    before = ""
    for time, text in samples:
        if text == before:
            continue
        before = text
        value = float(text)
        if isfinite(value) and (not out or value != out[-1][1]):
            out.append((time, value))
    return out
