"""The health of a service as numbers for Prometheus; all names of prometheus_client stand here."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, get_args

from stream_match.errors import UsageError, install_command
from stream_match.events import State
from stream_match.service.health import Health, SinkHealth, SourceHealth

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

Number = Callable[[Any], float | None]
"""Reads a number off a part of the health; None where there is none."""

OF_SOURCES: dict[str, tuple[str, str, Number]] = {
    "audio_seconds": ("counter", "Audio that was analysed", lambda source: source.audio_s),
    "engine_cpu_seconds": ("counter", "CPU time of the analysis", lambda source: source.engine_s),
    "real_time_factor": (
        "gauge",
        "CPU time for a second of audio, since the start",
        lambda source: source.real_time_factor,
    ),
    "queue_seconds": ("gauge", "Audio that waits for the analysis", lambda source: source.queue_s),
    "longest_wait_seconds": ("gauge", "Longest that live audio has waited", lambda source: source.waited_s),
    "dropped_audio_seconds": ("counter", "Audio lost by overrun", lambda source: source.dropped_s),
    "overruns": ("counter", "How often audio was lost by overrun", lambda source: source.overruns),
    "outage_seconds": ("counter", "Audio lost while the source was away", lambda source: source.outage_s),
    "reconnects": (
        "counter",
        "How often the source was lost, or its matcher broke",
        lambda source: source.reconnects,
    ),
    "matches": ("counter", "Matches that started", lambda source: source.matches),
    "sounds": ("counter", "Sounds that were told", lambda source: source.sounds),
    "suppressed_onsets": (
        "counter",
        "Onsets that were not told because there were too many",
        lambda source: source.onsets_suppressed,
    ),
    "last_audio_timestamp_seconds": (
        "gauge",
        "When audio was last heard",
        lambda source: source.last_audio_at and source.last_audio_at.timestamp(),
    ),
    "last_match_timestamp_seconds": (
        "gauge",
        "When a match was last told",
        lambda source: source.last_match and source.last_match.time.timestamp(),
    ),
    "level_dbfs": ("gauge", "RMS level of the last second", lambda source: source.level_dbfs),
    "best_candidate_score": (
        "gauge",
        "The best score that was not enough for a match",
        lambda source: source.best_candidate_score,
    ),
    "hint": (
        "gauge",
        "Whether a hint says why nothing may be detected",
        lambda source: source.hint is not None,
    ),
}
"""Name → kind, words, and the number of a source."""

OF_SINKS: dict[str, tuple[str, str, Number]] = {
    "sink_connected": ("gauge", "Whether the far side takes events", lambda sink: sink.connected),
    "outbox_events": ("gauge", "Events that wait for their delivery", lambda sink: sink.waiting),
    "delivered_events": ("counter", "Events that arrived", lambda sink: sink.delivered),
    "dropped_events": (
        "counter",
        "Events given up because too many waited",
        lambda sink: sink.dropped,
    ),
    "set_aside_events": (
        "counter",
        "Events given up because they failed again and again",
        lambda sink: sink.set_aside,
    ),
    "publish_delay_seconds": (
        "gauge",
        "From taking an event to its delivery, of the last one that was timed",
        lambda sink: sink.publish_delay_s,
    ),
}

OF_SERVICE: dict[str, tuple[str, str, Number]] = {
    "uptime_seconds": ("gauge", "Time since the start", lambda health: health.uptime_s),
    "ok": ("gauge", "Whether everything is as it should be", lambda health: health.ok),
    "alive": ("gauge", "0 where a restart would help", lambda health: health.alive),
    "store_ok": (
        "gauge",
        "Whether the store is written",
        lambda health: health.store and not health.store.trouble,
    ),
    "store_unsaved_events": (
        "gauge",
        "Events that are in memory only",
        lambda health: health.store and health.store.unsaved,
    ),
    "store_bytes": (
        "gauge",
        "Size of the store",
        lambda health: health.store and health.store.megabytes and health.store.megabytes * 1e6,
    ),
}

OF_INDEXES: dict[str, tuple[str, str, Number]] = {
    "index_tracks": ("gauge", "Tracks of the index", lambda index: index.tracks),
    "index_generation": ("gauge", "Generation of the index", lambda index: index.generation),
    "index_degraded": (
        "gauge",
        "Whether nothing new is recognised, for the server of the index is away",
        lambda index: index.degraded is not None,
    ),
}


class HealthCollector:
    """Makes the metrics of one moment.

    Parameters
    ----------
    health : Health
    """

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> "Iterator[Metric]":
        """Yield the metrics, as prometheus_client asks for them."""
        from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily

        health = self._health
        about = InfoMetricFamily("stream_match", "The listener")
        about.add_metric([], {"node": health.node, "version": health.version})
        yield about
        yield from _families(OF_SERVICE, [health], (), lambda _: ())
        yield from _families(OF_SOURCES, health.sources, ("source",), _named)
        yield from _families(OF_SINKS, health.sinks, ("sink",), _named)
        yield from _families(OF_INDEXES, health.indexes, ("index",), lambda index: (index.name,))
        states = GaugeMetricFamily(
            "stream_match_source_state", "1 for the state that the source is in", labels=["source", "state"]
        )
        for source in health.sources:
            for state in get_args(State):
                states.add_metric([source.source, state], source.state == state)
        yield states


def _named(part: SourceHealth | SinkHealth) -> tuple[str]:
    return (part.source if isinstance(part, SourceHealth) else part.sink,)


def _families(
    numbers: dict[str, tuple[str, str, Number]],
    parts: Iterable[Any],
    labels: tuple[str, ...],
    names: Callable[[Any], tuple[str, ...]],
) -> "Iterator[Metric]":
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    parts = list(parts)
    for name, (kind, words, number) in numbers.items():
        make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
        family = make(f"stream_match_{name}", words, labels=labels)
        for part in parts:
            if (value := number(part)) is not None:
                family.add_metric(names(part), float(value))
        yield family


def exposition(health: Health) -> str:
    """Return the metrics in the text format of Prometheus, those of the process included.

    Parameters
    ----------
    health : Health

    Raises
    ------
    UsageError
        If prometheus_client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
    except ModuleNotFoundError as error:
        raise UsageError(
            f"Metrics need prometheus-client, which is not installed: {install_command('web')}."
        ) from error
    registry = CollectorRegistry()
    registry.register(HealthCollector(health))
    ProcessCollector(registry=registry)
    return generate_latest(registry).decode()
