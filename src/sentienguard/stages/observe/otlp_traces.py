"""Spans of OpenTelemetry: to who calls whom.

Called by controlplane.otlp. Of a span only its place is looked at: its service, its parent, its
kind, and for a client that calls something without spans what that is. Rules:

1. A span whose parent is of another service is called by that service: by request, or by message
   where it is a consumer. The parent may come before or after it, in another body too (`Links`).
2. A client span that names a database (`db.system.name`, `db.system`) calls it, under the name of
   its server where that is told.
3. What waits for its other half is bounded, and what was in a trace is not kept.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.model.topology import CallKind, Edge
from sentienguard.stages.observe import otlp_messages as messages
from sentienguard.stages.observe import outside, redact
from sentienguard.stages.observe.otlp_messages import Object
from sentienguard.stages.observe.outside import Malformed

MAX_SPANS: Final = 100_000  # of one body
MAX_WAITING: Final = 100_000  # spans that are remembered for their other half
MAX_CHILDREN: Final = 64  # of one span that has not come
_CONSUMER: Final = 5
_CLIENT: Final = 3
_ID: Final = 64  # characters of a trace's or a span's id; they have 32 and 16
_DATABASE: Final = ("db.system.name", "db.system")
_SERVER: Final = ("server.address", "net.peer.name", "peer.service")


@dataclass(frozen=True, slots=True)
class Span:
    """What is looked at of one span."""

    trace: str
    span: str
    parent: str  # empty: it has none
    service: str
    kind: int
    database: str = ""  # what it calls that has no spans; empty: nothing of the kind


@dataclass(frozen=True, slots=True)
class Spans:
    """What one body holds."""

    spans: Sequence[Span]
    refused: int = 0
    reasons: Sequence[str] = ()


def parse(body: bytes, media_type: str) -> Spans:
    """Read an unpacked body. Raises Malformed where it is no message at all."""
    request = messages.parse(body, media_type, messages.TRACES)
    spans: list[Span] = []
    reasons: list[str] = []
    seen = 0
    for resource in messages.items(request, "resourceSpans"):
        said = messages.attributes(messages.inner(resource, "resource"))
        service = _clean(said.get("service.name", ""))
        for scope in messages.items(resource, "scopeSpans"):
            for span in messages.items(scope, "spans"):
                seen += 1
                if seen > MAX_SPANS:
                    raise Malformed(f"spans: expected at most {MAX_SPANS}")
                try:
                    spans.append(_span(span, service))
                except Malformed as cause:
                    reasons.append(f"spans[{seen - 1}]: {cause}")
    return Spans(spans, len(reasons), reasons[: outside.MAX_REASONS])


def _span(span: Object, service: str) -> Span:
    if not service:
        raise Malformed("resource: expected the attribute service.name")
    trace, name = messages.text(span, "traceId"), messages.text(span, "spanId")
    parent = messages.text(span, "parentSpanId")
    if not trace or not name or max(len(trace), len(name), len(parent)) > _ID:
        raise Malformed(f"expected a traceId and a spanId, found {trace[:40]!a} and {name[:40]!a}")
    kind = messages.whole(span, "kind")
    attributes = messages.attributes(span) if kind == _CLIENT else {}
    return Span(trace.lower(), name.lower(), parent.lower(), service, kind, _database(attributes))


def _database(attributes: dict[str, str]) -> str:
    system = next((attributes[one] for one in _DATABASE if attributes.get(one)), "")
    server = next((attributes[one] for one in _SERVER if attributes.get(one)), "")
    return _clean(f"{system}@{server}" if system and server else system)


def _clean(name: str) -> str:
    return redact.printable(name)[: outside.MAX_NAME]


class Links:
    """Spans whose other half may come yet; from one thread at a time."""

    def __init__(self) -> None:
        """Start with none."""
        self._services: dict[tuple[str, str], str] = {}
        self._children: dict[tuple[str, str], list[tuple[str, CallKind]]] = {}

    def add(self, spans: Iterable[Span]) -> Counter[Edge]:
        """Return the calls that these spans make known, and how often each was made."""
        found: Counter[Edge] = Counter()
        for span in spans:
            place = (span.trace, span.span)
            if place in self._services:
                continue  # it was sent again
            self._services[place] = span.service
            for callee, kind in self._children.pop(place, ()):
                _count(found, span.service, callee, kind)
            if span.parent:
                self._child(found, span)
            if span.database:
                _count(found, span.service, span.database, CallKind.DATABASE)
        _forget(self._services)
        _forget(self._children)
        return found

    def _child(self, found: Counter[Edge], span: Span) -> None:
        parent = (span.trace, span.parent)
        kind = CallKind.MESSAGE if span.kind == _CONSUMER else CallKind.REQUEST
        caller = self._services.get(parent)
        if caller is not None:
            _count(found, caller, span.service, kind)
        else:
            waiting = self._children.setdefault(parent, [])
            if len(waiting) < MAX_CHILDREN:
                waiting.append((span.service, kind))


def _count(found: Counter[Edge], caller: str, callee: str, kind: CallKind) -> None:
    if caller != callee:
        found[Edge(caller, callee, kind)] += 1


def _forget(waiting: MutableMapping[tuple[str, str], Any]) -> None:
    """Let the oldest go (rule 3)."""
    beyond = len(waiting) - MAX_WAITING
    for place in list(itertools.islice(waiting, max(0, beyond))):
        del waiting[place]
