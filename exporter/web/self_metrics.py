"""slod about itself: what it polled, refused, delivered, saved, and what that cost.

Labels whose values are known from the configuration exist at 0 from the start, so that `rate()`
sees the first failure. Rendered by the same writer as everything else on the page.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from exporter.web.exposition import Family, labels

OUTCOMES = ("delivered", "retried", "dropped_queue_full")
"""What is known to come of a notification; `given_up_REASON` appears when it happens."""

_TICK_BUCKETS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5),
)
_HELD_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# promtool's lint refuses any metric with a type's name inside, and this name is fixed. Prometheus
# asks for OpenMetrics and always gets it; the text format, which promtool reads, if there is news.
_HIDDEN_ZEROS = frozenset({"slod_counter_resets"})


class SelfMetrics:
    """The instruments, on a registry of their own; methods say what happened."""

    def __init__(self, version: str) -> None:
        registry = CollectorRegistry()
        self._registry = registry

        def counter(name: str, text: str, *names: str) -> Counter:
            return Counter(name, text, names, registry=registry)

        def gauge(name: str, text: str, *names: str) -> Gauge:
            return Gauge(name, text, names, registry=registry)

        build = gauge("slod_build_info", "1, with slod's version.", "version", "python")
        build.labels(version, platform.python_version()).set(1)
        self._up = gauge(
            "slod_source_up", "Whether the last poll of the target worked.", "source", "target"
        )
        self._poll = Histogram(
            "slod_poll_duration_seconds", "Time of a poll.", ["source"], registry=registry
        )
        self._samples = counter("slod_samples", "Samples taken in.", "source")
        self._refused = counter(
            "slod_samples_refused", "Samples not taken in, by reason.", "source", "reason"
        )
        self._readings = counter(
            "slod_readings",
            "Readings of counters: what each was, and by what evidence.",
            "source",
            "kind",
            "evidence",
        )
        self._late = counter(
            "slod_late_samples",
            "Samples that came after windows of their time were judged.",
            "source",
        )
        self._surplus = counter(
            "slod_surplus_events",
            "Events of a part that were more than its total, and were let go.",
            "slo",
        )
        self._resets = counter("slod_resets", "Counters that began anew.", "source")
        # The name of before, for one release more; promtool refuses it.
        self._old_resets = counter("slod_counter_resets", "See slod_resets_total.", "source")
        self._births = counter(
            "slod_series_births", "Series that appeared on a known target.", "source"
        )
        self._backfill = gauge(
            "slod_backfill_progress_ratio",
            "How much of the history that is being fetched is there; 1 when all is.",
            "source",
        )
        self._poll_errors = counter(
            "slod_poll_errors", "Polls that failed, by reason.", "source", "reason"
        )
        self._groups = counter(
            "slod_groups_dropped", "Samples of groups beyond max_groups, not counted.", "slo"
        )
        self._errors = gauge("slod_slo_errors", "1 while the SLO cannot be computed.", "slo")
        self._tick = Histogram(
            "slod_tick_duration_seconds",
            "Time to compute and save a tick.",
            buckets=_TICK_BUCKETS,
            registry=registry,
        )
        self._notifications = counter(
            "slod_notifications", "Attempts to deliver, by outcome.", "receiver", "outcome"
        )
        self._queue = gauge(
            "slod_notification_queue_length", "Notifications not yet delivered.", "receiver"
        )
        self._reload_ok = gauge(
            "slod_config_last_reload_successful", "Whether the configuration in use is the file's."
        )
        self._reload_at = gauge(
            "slod_config_last_reload_success_timestamp_seconds",
            "When the configuration was last taken over.",
        )
        self._failures = counter(
            "slod_failures",
            "Failures that nobody foresaw, by the part that they stayed in.",
            "part",
        )
        self._held = Histogram(
            "slod_event_loop_held_seconds",
            "How long the event loop was held by one piece of work, looked at ten times a second.",
            buckets=_HELD_BUCKETS,
            registry=registry,
        )
        self._saving = gauge("slod_state_saving", "1 while state is saved, 0 while only in memory.")
        self._state_errors = counter(
            "slod_state_errors", "Failures to save or load state, by reason.", "reason"
        )
        self._quarantined = gauge(
            "slod_state_quarantined", "Rows of the state file that could not be used."
        )
        self._saving.set(1)
        ProcessCollector(registry=registry)

    # --- what there is -----------------------------------------------------------------------

    def expect(
        self,
        *,
        sources: Iterable[str] = (),
        receivers: Iterable[str] = (),
        slos: Iterable[str] = (),
        parts: Iterable[str] = (),
    ) -> None:
        """Make the series of these exist at 0; call at the start and after a reload."""
        for source in sources:
            for by_source in (
                self._samples,
                self._late,
                self._resets,
                self._old_resets,
                self._births,
            ):
                by_source.labels(source)
            self._poll.labels(source)
        for receiver in receivers:
            self._queue.labels(receiver)
            for outcome in OUTCOMES:
                self._notifications.labels(receiver, outcome)
        for part in parts:
            self._failures.labels(part)
        for slo in slos:
            self._errors.labels(slo)
            self._groups.labels(slo)
            self._surplus.labels(slo)

    def forget_target(self, source: str, target: str) -> None:
        """The target is no longer polled."""
        self._forget(self._up, source, target)

    def forget_slo(self, slo: str) -> None:
        """The SLO is no longer configured."""
        self._forget(self._errors, slo)
        self._forget(self._groups, slo)
        self._forget(self._surplus, slo)
        self._forget(self._failures, f"slo:{slo}")

    def forget_receiver(self, receiver: str) -> None:
        """The receiver is no longer configured; its counters stay."""
        self._forget(self._queue, receiver)

    # --- what happened -----------------------------------------------------------------------

    def poll(self, source: str, target: str, seconds: float, up: bool) -> None:
        """A target was polled; `up` is whether it answered usefully."""
        self._up.labels(source, target).set(up)
        self._poll.labels(source).observe(seconds)

    def backfill(self, source: str, progress: float) -> None:
        """So much of a source's history is there, 0 to 1."""
        self._backfill.labels(source).set(progress)

    def poll_error(self, source: str, reason: str) -> None:
        """A poll failed, or a part of it."""
        self._poll_errors.labels(source, reason).inc()

    def samples(self, source: str, count: int) -> None:
        """Samples were taken in."""
        self._samples.labels(source).inc(count)

    def refused(self, source: str, reason: str, count: int = 1) -> None:
        """Samples were refused."""
        self._refused.labels(source, reason).inc(count)

    def readings(self, source: str, kind: str, evidence: str, count: int = 1) -> None:
        """Readings of counters were of this kind, by this evidence."""
        self._readings.labels(source, kind, evidence).inc(count)
        if kind == "reset":
            self._resets.labels(source).inc(count)
            self._old_resets.labels(source).inc(count)
        elif kind == "birth":
            self._births.labels(source).inc(count)

    def late(self, source: str, count: int) -> None:
        """Samples came after windows of their time were judged."""
        self._late.labels(source).inc(count)

    def surplus(self, slo: str, count: float) -> None:
        """A part of the SLO brought more events than its total."""
        self._surplus.labels(slo).inc(count)

    def groups_dropped(self, slo: str, count: int = 1) -> None:
        """An SLO has more groups than it may have."""
        self._groups.labels(slo).inc(count)

    def slo_error(self, slo: str, failing: bool) -> None:
        """Whether the SLO cannot be computed now."""
        self._errors.labels(slo).set(failing)

    def tick(self, seconds: float) -> None:
        """A tick was computed and saved."""
        self._tick.observe(seconds)

    def notification(self, receiver: str, outcome: str, count: int = 1) -> None:
        """A delivery was attempted; see `OUTCOMES`."""
        self._notifications.labels(receiver, outcome).inc(count)

    def queue_length(self, receiver: str, length: int) -> None:
        """How many notifications wait for the receiver."""
        self._queue.labels(receiver).set(length)

    def failure(self, part: str) -> None:
        """An exception that nobody foresaw ended in this part."""
        self._failures.labels(part).inc()

    def loop_held(self, seconds: float) -> None:
        """The event loop was held so long."""
        self._held.observe(seconds)

    def reloaded(self, ok: bool, now: float) -> None:
        """The configuration was read, at the start or anew."""
        self._reload_ok.set(ok)
        if ok:
            self._reload_at.set(now)

    def saving(self, ok: bool) -> None:
        """Whether state is being saved."""
        self._saving.set(ok)

    def quarantined(self, rows: int) -> None:
        """So many rows of the state file are in quarantine."""
        self._quarantined.set(rows)

    def state_error(self, reason: str) -> None:
        """The state file could not be read or written."""
        self._state_errors.labels(reason).inc()

    # --- for the page ------------------------------------------------------------------------

    def families(self) -> list[Family]:
        """Everything as it is now."""
        out = []
        for metric in self._registry.collect():
            hide = metric.name in _HIDDEN_ZEROS
            family = Family(metric.name, metric.type, metric.documentation, text_hides_zeros=hide)
            at = len(metric.name)
            for sample in metric.samples:
                if not sample.name.endswith("_created"):
                    family.add(sample.name[at:] + labels(sample.labels), float(sample.value))
            out.append(family)
        return out

    @staticmethod
    def _forget(metric: Gauge | Counter, *values: str) -> None:
        try:
            metric.remove(*values)
        except KeyError:
            return
