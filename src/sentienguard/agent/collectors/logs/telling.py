"""The most telling new messages of all sources, without their secrets, and how many there were.

Gives at most `log_lines` lines a sample: first those whose pattern is new, then those that speak of
trouble, newest first, then the newest others. What is left out is counted and said in a line of its
own. Gives log.messages_per_s, log.trouble_per_s and log.new_trouble (messages of trouble in this
sample whose pattern is new, see `patterns`) by source.

Every line goes through `redact.line`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sentienguard.agent import collectors
from sentienguard.agent.collectors import logs
from sentienguard.agent.collectors.logs import messages, patterns
from sentienguard.model import telemetry
from sentienguard.stages.observe import payload, redact

NOTICES = "sentienguard-agent"  # stands as file of what the agent itself has to say
MOST_SOURCES = 64  # with readings of their own; lines of others are sent all the same


@dataclass(frozen=True, slots=True)
class _Told:
    message: messages.Message
    order: int  # over all sources, in the order they were read
    new: bool

    @property
    def weight(self) -> tuple[bool, bool, int]:
        return (self.new, self.message.trouble, self.order)


class Logs(collectors.Unprepared):
    """Asks every source, and keeps the patterns of each."""

    name = "logs"

    def __init__(self, sources: Sequence[logs.Source], *, most_lines: int) -> None:
        self._sources = sources
        self._most_lines = most_lines
        self._patterns: dict[str, patterns.Patterns] = {}
        self._before_ns: int | None = None
        self._heard: dict[str, None] = {}  # sources that ever said something

    def commit(self) -> bool:
        """Keep how far each source was read; tell whether that has to be written down."""
        moved = [source.commit() for source in self._sources]  # all of them, so no shortcut
        return any(moved)

    def read(self, into: collectors.Reading) -> None:
        """Add the most telling messages and the counts; raise the last failure of a source."""
        told: list[_Told] = []
        skipped_bytes = skipped_lines = 0
        failed: OSError | None = None
        for source in self._sources:
            try:
                news = source.read()
            except OSError as error:
                failed = error
                continue
            failed = news.failed[-1] if news.failed else failed
            skipped_bytes += news.skipped_bytes
            skipped_lines += news.skipped_lines
            for message in messages.messages(news.lines):
                told.append(_Told(message, len(told), self._is_new(message, into.at_ns)))
        self._add_lines(into, told, skipped_lines, skipped_bytes)
        self._add_counts(into, told)
        if failed is not None:
            raise failed

    def _is_new(self, message: messages.Message, at_ns: int) -> bool:
        """Tell whether a message of trouble has a new pattern; no other one is looked at."""
        if not message.trouble:
            return False
        known = self._patterns.get(message.source)
        if known is None:
            if len(self._patterns) == MOST_SOURCES:
                return False
            known = self._patterns[message.source] = patterns.Patterns(at_ns / 1e9)
        return known.is_new(message.text, at_ns / 1e9)

    def _add_lines(
        self, into: collectors.Reading, told: list[_Told], skipped_lines: int, skipped_bytes: int
    ) -> None:
        telling = sorted(told, key=lambda one: one.weight, reverse=True)
        chosen = telling[: self._most_lines]
        at = payload.moment(into.at_ms)
        for one in sorted(chosen, key=lambda one: one.order):
            file = redact.printable(one.message.source)
            if text := redact.line(one.message.text.decode(errors="replace")):
                into.log_lines.append(telemetry.LogLine(at, file, text))
        left = len(told) - len(chosen) + skipped_lines
        if left or skipped_bytes:
            text = f"{left} log lines and {skipped_bytes} further bytes of logs were not sent"
            into.log_lines.append(telemetry.LogLine(at, NOTICES, text))

    def _add_counts(self, into: collectors.Reading, told: list[_Told]) -> None:
        before_ns, self._before_ns = self._before_ns, into.at_ns
        if before_ns is None or into.at_ns <= before_ns:
            return
        seconds = (into.at_ns - before_ns) / 1e9
        every = Counter(one.message.source for one in told)
        trouble = Counter(one.message.source for one in told if one.message.trouble)
        new = Counter(one.message.source for one in told if one.new)
        self._heard |= dict.fromkeys(every)
        for source in list(self._heard)[:MOST_SOURCES]:  # one that is silent now says so with 0
            subject = redact.printable(source)
            rate = collectors.significant(every[source] / seconds)
            bad = collectors.significant(trouble[source] / seconds)
            into.values["log.messages_per_s", subject] = rate
            into.values["log.trouble_per_s", subject] = bad
            into.values["log.new_trouble", subject] = new[source]
