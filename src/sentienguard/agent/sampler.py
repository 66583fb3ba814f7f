"""The sampler: reads the host at its interval and hands each sample to the spool.

Called by `agent.collector` in a thread of its own, which never waits for the network.

Rules:

1. A collector that fails is counted and told; the others run, and the sample is taken.
2. A sample is in the spool before the positions of its log lines move on.
3. What the agent could not do (samples given up, refused, lines not sent) is said in the next
   sample, in lines of the file `sentienguard-agent`.
4. Ticks keep their distance; after a pause of the whole host the missed ones are left out.
5. While the host itself waits for processor or memory, what asks others (`collectors.Collector`
   with `spare`) is asked at every fourth sample only; until then its newest answers still count.
"""

import threading
import time
from collections.abc import Callable, Sequence

from sentienguard.agent import collectors, diary, settings, spool
from sentienguard.agent.collectors.logs import telling
from sentienguard.model import telemetry
from sentienguard.stages.observe import payload

LEAST_INTERVAL_S = 0.2
MOST_INTERVAL_S = 3600.0
LEAD_S = 2.2  # seconds by which health checks start before their sample; they have 2
STRAINED = {"cpu": 60.0, "memory": 20.0}  # system.pressure_percent from which rule 5 holds
SPARED = 4
WARM_UP_S = 1.0  # from the first look at the counters to the first sample; rates need two


class Sampler:
    """Everything that happens from tick to spool."""

    def __init__(
        self,
        configured: settings.Settings,
        family: Sequence[collectors.Collector],
        *,
        logs: telling.Logs,
        keep_logs: Callable[[], None],
        kept: spool.Spool,
        told: diary.Diary,
    ) -> None:
        self._settings = configured
        self._family = family
        self._logs = logs
        self._spool = kept
        self._keep_logs = keep_logs
        self._diary = told
        self._interval_s = configured.interval_s
        self._said = kept.depth
        self._notices: list[str] = []
        self._strained = False
        self._ticks = 0

    @property
    def interval_s(self) -> float:
        """Return the seconds between samples."""
        return self._interval_s

    def change_interval(self, seconds: float) -> None:
        """Take another interval from the next sample on, within the bounds of this file."""
        self._interval_s = min(max(seconds, LEAST_INTERVAL_S), MOST_INTERVAL_S)

    def run(self, stop: threading.Event) -> None:
        """Take samples until `stop` is set."""
        self._prepare()
        self.read()  # counters to compare with; not sent
        due = time.monotonic() + min(WARM_UP_S, self._interval_s)
        while not stop.wait(max(due - time.monotonic(), 0)):
            self.sample()
            due = max(due + self._interval_s, time.monotonic())
            if stop.wait(max(due - LEAD_S - time.monotonic(), 0)):
                return
            self._prepare()

    def sample(self) -> None:
        """Take one sample and keep it."""
        try:
            reading = self.read()
            number = self._spool.number()
            on_disk = self._spool.append(number, payload.encode(self._compose(reading, number)))
            self._notices = []
            if self._logs.commit():
                self._keep_logs()
            if on_disk:
                self._diary.worked("spool on disk")
            else:
                self._diary.failed("spool on disk", OSError("no room; samples wait in memory"))
            self._diary.worked("sample")
        except Exception as error:  # noqa: BLE001 - rule 1: the next sample may work, and is taken
            self._diary.failed("sample", error)

    def read(self) -> collectors.Reading:
        """Let every collector read the host."""
        reading = collectors.Reading(time.monotonic_ns(), time.time_ns() // 1_000_000)
        for collector in self._family:
            try:
                collector.read(reading)
                self._diary.worked(collector.name)
            except Exception as error:  # noqa: BLE001 - rule 1
                self._diary.failed(collector.name, error)
        self._strained = any(
            reading.values.get(("system.pressure_percent", name), 0.0) >= level
            for name, level in STRAINED.items()
        )
        return reading

    def _prepare(self) -> None:
        self._ticks += 1
        sparing = self._strained and self._ticks % SPARED
        for collector in self._family:
            if sparing and collector.spare:
                continue  # rule 5
            try:
                collector.prepare()
            except Exception as error:  # noqa: BLE001 - rule 1
                self._diary.failed(collector.name, error)

    def _compose(self, reading: collectors.Reading, number: int) -> telemetry.Sample:
        at = payload.moment(reading.at_ms)
        self._notice()
        notices = [telemetry.LogLine(at, telling.NOTICES, text) for text in self._notices]
        lines = reading.log_lines[: payload.MAX_LOG_LINES - len(notices)] + notices
        return telemetry.Sample(
            agent=self._settings.agent_id,
            host=self._settings.host,
            environment=self._settings.environment,
            tags=self._settings.tags,
            seq=number,
            at=at,
            values=dict(list(reading.values.items())[: payload.MAX_VALUES]),
            top_cpu=tuple(reading.top_cpu[: payload.MAX_TOP]),
            top_memory=tuple(reading.top_memory[: payload.MAX_TOP]),
            top_io=tuple(reading.top_io[: payload.MAX_TOP]),
            top_paths=dict(list(reading.top_paths.items())[: payload.MAX_VOLUMES]),
            log_lines=tuple(lines),
        )

    def _notice(self) -> None:
        """Say what the spool lost since it was last said."""
        now, before = self._spool.depth, self._said
        lost = (
            (now.dropped - before.dropped, "samples were given up because the spool was full"),
            (now.damaged - before.damaged, "damaged records in the spool were left out"),
            (now.refused - before.refused, "samples were refused by the control plane"),
        )
        self._notices += [f"{count} {what}" for count, what in lost if count > 0]
        self._said = now
