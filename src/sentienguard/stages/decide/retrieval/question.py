"""What an alert says, taken apart: service, name, metrics, sentences.

Boilerplate is taken off by its form (what this product, Alertmanager and chat messages look like):
host names, readings and labels say where it is, not what it is.
"""

import re
from dataclasses import dataclass

from sentienguard.stages.decide.retrieval import lexicon

_LONGEST = 2_000  # characters read of one alert
_SAID = 400  # characters of its sentences that are embedded: cost grows with them

_INCIDENT = re.compile(
    r"Incident on (?P<host>\S+) \(service (?P<service>[^,)]*), environment [^)]*\)\.\s*"
)
_METRIC = re.compile(
    r"Anomalous metric (?P<metric>\S+) = [^,]*, [\d.]+ sigma \w+ the [\w-]+ baseline\.\s*"
)
_RELATED = re.compile(r"Related metrics?: (?P<metrics>[\w, :]*)\.\s*")
_FIRING = re.compile(
    r"\[FIRING:\d+\] (?P<name>\S+) \| labels: (?P<labels>.*?) \| summary: (?P<summary>.*?)"
    r"(?: \| description: (?P<description>.*))?$",
    re.DOTALL,
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_PREFIX = re.compile(r"(?P<service>[A-Za-z][\w.-]*(?: [\w.-]+){0,2}): ")
_NOT_SERVICES = frozenset({"error", "warning", "critical", "fatal", "info", "panic", "alert"})
_READING = re.compile(r"\b\d[\d.,]*\S*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Question:
    """What a remedy is looked for."""

    service: str  # what it is about; empty: not said
    name: str  # of the alert; empty: not known
    metrics: tuple[str, ...]  # identifiers of series
    text: str  # the sentences, host names and readings off

    @property
    def headline(self) -> str:
        """The alert's name and its first sentence: what it is, before why and what to do."""
        return f"{self.name} {_SENTENCE_END.split(self.text, maxsplit=1)[0]}".strip()

    @property
    def spoken(self) -> str:
        """What is embedded."""
        name = f"{lexicon.apart(self.name)}. " if self.name else ""
        return f"{self.service}: {name}{self.text[:_SAID]}"


def read(text: str, service: str = "") -> Question:
    """Take an alert's text apart; `service` is its tag, empty where it has none."""
    rest, host, name = text[:_LONGEST].strip(), "", ""
    metrics: list[str] = []
    if found := _INCIDENT.match(rest):
        host, service = found["host"], service or found["service"]
        rest = rest[found.end() :]
    if found := _METRIC.match(rest):
        metrics.append(found["metric"])
        rest = rest[found.end() :]
    if found := _RELATED.match(rest):
        metrics += re.split(r",\s*", found["metrics"])
        rest = rest[found.end() :]
    if found := _FIRING.match(rest):
        labels = dict(_LABEL.findall(found["labels"]))
        name, host = found["name"], labels.get("instance", "")
        service = service or labels.get("service", "")
        rest = f"{found['summary']} {found['description'] or ''}"
    if not service and (found := _PREFIX.match(rest)) and _names_service(found["service"]):
        service = found["service"].removesuffix(" log")
        rest = rest[found.end() :]
    if host:
        rest = rest.replace(host, "")
    return Question(service, name, tuple(one for one in metrics if one), _plain(rest))


def _names_service(prefix: str) -> bool:
    return prefix.lower().split()[-1] not in _NOT_SERVICES


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", _READING.sub("", text)).strip()
