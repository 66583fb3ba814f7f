"""Signed events of one executor, in the form of an audit leaf.

Each event carries the number of its source and the digest of the event before it, so that the
centre can neither invent, drop nor reorder what a host said. The text is canonical JSON without the
signature; the signature is over exactly these bytes. Bulky output travels beside it as blobs that
the leaf names by digest and length. Signing is left until an event leaves, so that it takes no time
from the order.

`data` by kind (integers, texts, booleans and lists only):
    order.admitted   order_id, playbook, version, digest, dry_run, parameters, seq
    order.refused    order_id, playbook, version, digest, dry_run, rule, reason (final; authentic)
    precheck.done, step.done, verify.done, undo.done
                     order_id, index, name, status, detail, started_ms, duration_ms, exit_code?,
                     stdout?, stderr? (blob digests)
    order.finished   order_id, playbook, version, digest, dry_run, outcome, reason, left_behind,
                     started_ms, finished_ms
    playbook.tried   command, user                   somebody asked for a command by hand
    agent.alarm      what, reason, order_id?, rule?  order_refused: forged, stale or not configured
"""

import base64
import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sentienguard.model import ids, order
from sentienguard.ports import execution_journal
from sentienguard.trust import canonical

Sign: TypeAlias = Callable[[bytes], bytes]

MAX_LEAF_BYTES = 3968  # an entry has at most 4096; 102 of them are for the signature
MAX_TEXT = 500  # characters of a sentence in a leaf
MAX_LIST = 32  # members of a list in a leaf

DONE_KINDS = {
    order.Phase.PRE_CHECK: "precheck.done",
    order.Phase.STEP: "step.done",
    order.Phase.VERIFY: "verify.done",
    order.Phase.UNDO: "undo.done",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Who speaks."""

    agent: ids.AgentId
    environment: str
    sign: Sign  # with the executor's key
    controls: Mapping[str, tuple[str, ...]]  # kind -> what it is evidence for

    @property
    def name(self) -> str:
        """Return the source as leaves name it."""
        return f"agent:{self.agent}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, before it has a number."""

    kind: str
    key: str  # unique: the same event told twice is one leaf
    incident: str  # empty: none
    data: Mapping[str, Any]
    blobs: tuple[bytes, ...] = ()  # UTF-8 text
    actor: str = ""  # empty: the source itself


def sealed(
    event: Event, source: Source, *, seq: int, prev: str, at_ms: int
) -> execution_journal.Record:
    """Return the journal record of an event: leaf text and blobs, not yet signed.

    On the path of every step, so the leaf's members are put in their canonical order by hand; a
    test compares with the general encoder. `prev` is the digest of the event before, or empty.
    """
    blobs = [(hashlib.sha256(blob).hexdigest(), blob) for blob in event.blobs]
    refs = [{"sha256": name, "len": len(blob), "type": "text/plain"} for name, blob in blobs]
    actor, controls = event.actor or source.name, source.controls.get(event.kind, ())
    text = _fitting(
        f'{{"actor":{_again(actor)},"blobs":{canonical.text_of(refs)},'
        f'"controls":{_again(tuple(controls))},"data":',
        _short(event.data),
        f',"env":{_again(source.environment)},"incident":{_again(event.incident)},'
        f'"key":{canonical.text_of(event.key)},"kind":{_again(event.kind)},'
        f'"src":{_again(source.name)},"src_prev":"{prev}","src_seq":{seq},"ts_ms":{at_ms},"v":1}}',
    )
    return {
        "t": "event",
        "seq": seq,
        "digest": hashlib.sha256(text).hexdigest(),
        "leaf": text.decode(),
        "blobs": [
            {"sha256": name, "type": "text/plain", "data": base64.b64encode(blob).decode()}
            for name, blob in blobs
        ],
    }


def signed(record: execution_journal.Record, source: Source) -> Mapping[str, Any]:
    """Return an event as it leaves the host. Signing again gives the same signature."""
    signature = source.sign(record["leaf"].encode())
    return {
        "seq": record["seq"],
        "leaf": record["leaf"],
        "sig": base64.b64encode(signature).decode(),
        "blobs": record["blobs"],
    }


def admitted(given: order.Order, seq: int) -> Event:
    """Tell that an order was admitted."""
    data = {**_deed(given), "parameters": _pairs(given.parameters), "seq": seq}
    return Event("order.admitted", f"{given.id}:admitted", given.incident, data)


def refused(given: order.Order, rule: str, reason: str) -> Event:
    """Tell that an authentic order was refused for good."""
    data = {**_deed(given), "rule": rule, "reason": reason}
    return Event("order.refused", f"{given.id}:refused", given.incident, data)


def done(given: order.Order, index: int, record: order.StepRecord) -> Event:
    """Tell how one pre-check, step, verification or undo ended."""
    began = int(record.started_at.timestamp() * 1000)
    streams = {name: getattr(record, name).encode() for name in ("stdout", "stderr")}
    data: dict[str, Any] = {
        "order_id": given.id,
        "index": index,
        "name": record.name,
        "status": record.status.value,
        "detail": record.detail,
        "started_ms": began,
        "duration_ms": record.duration_ms,
    }
    if record.exit_code is not None:
        data["exit_code"] = record.exit_code
    data |= {name: hashlib.sha256(text).hexdigest() for name, text in streams.items() if text}
    blobs = tuple(dict.fromkeys(text for text in streams.values() if text))
    # A resumed order may tell a piece once more, so its start is part of the key.
    key = f"{given.id}:{record.phase}:{index}:{began}"
    return Event(DONE_KINDS[record.phase], key, given.incident, data, blobs)


def finished(given: order.Order, report: order.ExecutionReport) -> Event:
    """Tell how an order ended."""
    data = {
        **_deed(given),
        "outcome": report.outcome.value,
        "reason": report.reason,
        "left_behind": list(report.left_behind),
        "started_ms": int(report.started_at.timestamp() * 1000),
        "finished_ms": int(report.finished_at.timestamp() * 1000),
    }
    return Event("order.finished", f"{given.id}:finished", given.incident, data)


def tried(command: str, user: str, at_ms: int) -> Event:
    """Tell that somebody on the host asked for a command; it was refused."""
    unique = hashlib.sha256(command.encode("utf-8", "replace")).hexdigest()[:16]
    data = {"command": command, "user": user}
    who = "".join(character for character in user if character.isprintable())[:64]
    return Event("playbook.tried", f"tried:{at_ms}:{unique}", "", data, actor=f"user:{who}")


def alarm(what: str, reason: str, at_ms: int, **more: str) -> Event:
    """Tell the centre that something about this agent is not as it should be.

    Also used for what came in the name of an order and is not authentic or not fresh: nothing that
    it says may be taken for true, so it is no `order.refused`.
    """
    data = {"what": what, "reason": reason, **more}
    return Event("agent.alarm", f"alarm:{what}:{at_ms}", "", data)


def _deed(given: order.Order) -> dict[str, Any]:
    return {
        "order_id": given.id,
        "playbook": given.playbook,
        "version": given.version,
        "digest": given.digest,
        "dry_run": given.dry_run,
    }


def _pairs(parameters: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(parameters.items())]


def _short(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if type(value) is int else _bounded(value) for name, value in data.items()}


def _bounded(value: Any, limit: int = MAX_TEXT) -> Any:
    if isinstance(value, str):
        clean = value if value.isprintable() else _printable(value)
        return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"
    if isinstance(value, list):
        return [_bounded(each, 100) for each in value[:MAX_LIST]]
    return value


def _printable(text: str) -> str:
    """Replace controls by blanks; a lone surrogate, which has no canonical form, as well."""
    return "".join(character if character.isprintable() else " " for character in text)


def _fitting(before: str, data: dict[str, Any], after: str) -> bytes:
    """Return the canonical bytes; texts are shortened until they fit into a leaf."""
    limit = MAX_TEXT
    while len(text := _leaf(before, data, after)) > MAX_LEAF_BYTES:
        limit //= 2
        data = {name: _bounded(value, limit) for name, value in data.items()}
        if isinstance(data.get("parameters"), list):
            data["parameters"] = [_bounded(e, limit) for e in data["parameters"]]
    return text


def _leaf(before: str, data: dict[str, Any], after: str) -> bytes:
    return canonical.as_bytes(before + canonical.text_of(data) + after)


# What one order's events have in common: written once.
_again = functools.lru_cache(maxsize=64)(canonical.text_of)
