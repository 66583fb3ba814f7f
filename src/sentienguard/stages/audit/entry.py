"""What one leaf of the log holds, its bounds and its controls.

Called by ledger (entries of the control plane), by the executor (its own entries) and by verify.

An entry is canonical JSON of at most 4,096 bytes with exactly these members:

    v         1
    kind      one of KINDS
    ts_ms     when, integer milliseconds UTC by the source's clock
    env       environment, empty where none applies
    src       who says so: "cp", "agent:<id>" or "user:<name>"
    src_seq   1, 2, 3, ... for each source
    src_prev  hex SHA-256 of the source's entry before, without src_sig; empty for the first
    actor     who did it, for people: a pseudonym (stages.audit.people)
    incident  incident id, or empty
    key       text that makes appending it twice one entry
    controls  what it is evidence for
    data      what happened; decimals as strings
    blobs     [{sha256, len, type}]: digests of bytes kept elsewhere
    src_sig   agents only: base64 Ed25519 over the bytes without this member

The members sort so that everything about the source stands at the end of the bytes, behind all free
text; `tail` relies on that to check a source's chain without parsing.
"""

import base64
import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Self

from sentienguard.ports import audit_log
from sentienguard.trust import canonical

MAX_BYTES: Final = 4096  # of a stored entry; what is longer goes into a blob
MAX_BLOBS: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MEMBERS: Final = {
    "v", "kind", "ts_ms", "env", "src", "src_seq", "src_prev", "actor", "incident", "key",
    "controls", "data", "blobs",
}  # fmt: skip
_SOURCE: Final = re.compile(r"(cp|agent:[A-Za-z0-9_\-]{1,64}|user:[^\s\"\\\x00-\x1f\x7f]{1,128})\Z")
_PATTERNS: Final = {
    "env": re.compile(r"[A-Za-z0-9_.\-*]{0,64}\Z"),
    "src": _SOURCE,
    "src_prev": re.compile(r"([0-9a-f]{64})?\Z"),
    "actor": re.compile(r"[^\x00-\x1f\x7f]{0,200}\Z"),
    "incident": re.compile(r"[A-Za-z0-9_\-]{0,64}\Z"),
    "key": re.compile(r"[^\x00-\x1f\x7f]{1,256}\Z"),
}
_CONTROL: Final = re.compile(r"[a-z0-9_.()\-]{1,64}\Z")
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9.+\-]+/[a-z0-9.+\-]+\Z")
_TAIL: Final = re.compile(
    rb',"src":"([^"\\]+)","src_prev":"([0-9a-f]*)","src_seq":([0-9]+)'
    rb'(?:,"src_sig":"([A-Za-z0-9+/]{86}==)")?,"ts_ms":[0-9]+,"v":1}\Z'
)

# Evidence that several kinds share. The names are the auditor's, in the spelling of our exports.
_TRAIL: Final = ("hipaa_164.312.b", "iso_a.8.15", "pci_dss_requirement_10")
_INCIDENT: Final = ("soc2_cc7.3", "soc2_cc7.4", "iso_a.5.26", *_TRAIL)
_CHANGE: Final = ("soc2_cc8.1", "soc2_cc7.4", "iso_a.8.32", *_TRAIL)
_PLAYBOOK: Final = ("soc2_cc8.1", "iso_a.8.32", *_TRAIL)
_ACCESS: Final = ("soc2_cc6.1", "hipaa_164.312.a.1", "iso_a.5.15", *_TRAIL)
_MONITORING: Final = ("soc2_cc7.2", "iso_a.8.16", *_TRAIL)

_CENTRE: Final = frozenset({"cp"})
_PEOPLE: Final = frozenset({"cp", "user"})
_HOST: Final = frozenset({"agent"})


class Kind(NamedTuple):
    """What is fixed for one kind of entry."""

    sources: frozenset[str]  # who may say it: cp, agent, user
    controls: tuple[str, ...]  # what it is evidence for


KINDS: Final[Mapping[str, Kind]] = {
    "log.started": Kind(_CENTRE, ("pci_dss_10.2.1.6", *_TRAIL)),
    "log.anchored": Kind(_CENTRE, ("pci_dss_10.3.4", *_TRAIL)),
    "agent.enrolled": Kind(_PEOPLE, ("soc2_cc6.2", *_ACCESS)),
    "agent.renewed": Kind(_CENTRE, ("soc2_cc6.1", *_ACCESS)),
    "agent.quarantined": Kind(_CENTRE, ("pci_dss_10.3.4", *_MONITORING)),
    "agent.released": Kind(_PEOPLE, ("soc2_cc6.2", *_ACCESS)),
    "agent.struck_off": Kind(_PEOPLE, ("soc2_cc6.2", *_ACCESS)),
    "agent.alarm": Kind(frozenset({"cp", "agent"}), ("pci_dss_10.3.4", *_MONITORING)),
    "user.login": Kind(_PEOPLE, ("hipaa_164.312.d", *_ACCESS)),
    "access.denied": Kind(frozenset({"cp", "user", "agent"}), _ACCESS),
    "silence.added": Kind(_PEOPLE, _CHANGE),
    "silence.ended": Kind(_PEOPLE, _CHANGE),
    "maintenance.added": Kind(_PEOPLE, _CHANGE),
    "maintenance.ended": Kind(_PEOPLE, _CHANGE),
    "token.made": Kind(_PEOPLE, ("soc2_cc6.2", *_ACCESS)),
    "token.revoked": Kind(_PEOPLE, ("soc2_cc6.2", *_ACCESS)),
    "token.secrets_set": Kind(_PEOPLE, ("soc2_cc6.2", *_ACCESS)),
    "user.stepped_up": Kind(_PEOPLE, ("hipaa_164.312.d", *_ACCESS)),
    "user.factor_added": Kind(_PEOPLE, ("hipaa_164.312.d", *_ACCESS)),
    "user.factor_removed": Kind(_PEOPLE, ("hipaa_164.312.d", *_ACCESS)),
    "session.ended": Kind(_PEOPLE, _ACCESS),
    "access.finding": Kind(_CENTRE, ("soc2_cc7.2", "iso_a.8.16", *_ACCESS)),
    "key.rotated": Kind(_CENTRE, ("soc2_cc6.1", *_TRAIL)),
    "key.due": Kind(_CENTRE, ("soc2_cc6.1", *_TRAIL)),
    "emergency.asked": Kind(_PEOPLE, ("hipaa_164.312.a.2.ii", "soc2_cc6.3", *_ACCESS)),
    "emergency.agreed": Kind(_PEOPLE, ("hipaa_164.312.a.2.ii", "soc2_cc6.3", *_ACCESS)),
    "emergency.ended": Kind(_PEOPLE, ("hipaa_164.312.a.2.ii", "soc2_cc6.3", *_ACCESS)),
    "chat.linked": Kind(_PEOPLE, ("soc2_cc6.2", *_ACCESS)),
    "chat.unlinked": Kind(_PEOPLE, ("soc2_cc6.2", *_ACCESS)),
    "user.added": Kind(_PEOPLE, ("soc2_cc6.2", *_ACCESS)),
    "user.erased": Kind(_PEOPLE, ("soc2_cc6.2", *_ACCESS)),
    "people.opened": Kind(_PEOPLE, ("pci_dss_10.2.1.3", *_TRAIL)),
    "blob.erased": Kind(_PEOPLE, ("pci_dss_10.3.4", *_TRAIL)),
    "user.roles_set": Kind(_PEOPLE, ("soc2_cc6.3", *_ACCESS)),
    "freeze.set": Kind(_PEOPLE, _CHANGE),
    "freeze.cleared": Kind(_PEOPLE, _CHANGE),
    "evidence.built": Kind(_PEOPLE, ("pci_dss_10.2.1.3", *_TRAIL)),
    "drill.injected": Kind(_PEOPLE, ("soc2_cc7.5", *_TRAIL)),
    "playbook.draft_made": Kind(_PEOPLE, _PLAYBOOK),
    "playbook.draft_changed": Kind(_PEOPLE, _PLAYBOOK),
    "playbook.draft_proven": Kind(_PEOPLE, _PLAYBOOK),
    "playbook.draft_dropped": Kind(_PEOPLE, _PLAYBOOK),
    "playbook.taken_over": Kind(_PEOPLE, _PLAYBOOK),
    "playbook.tried": Kind(frozenset({"cp", "user", "agent"}), _ACCESS),
    "incident.opened": Kind(_CENTRE, ("soc2_cc7.2", "iso_a.8.16", *_INCIDENT)),
    "evidence.taken": Kind(_CENTRE, ("iso_a.5.28", *_INCIDENT)),
    "decision.made": Kind(_CENTRE, _INCIDENT),
    "advice.given": Kind(_CENTRE, _INCIDENT),
    "answer.pointed": Kind(_CENTRE, _INCIDENT),
    "approval.requested": Kind(_CENTRE, ("soc2_cc6.1", *_CHANGE)),
    "approval.agreed": Kind(_PEOPLE, ("soc2_cc6.1", *_CHANGE)),
    "approval.decided": Kind(_PEOPLE, ("soc2_cc6.1", *_CHANGE)),
    "order.intent": Kind(_CENTRE, _CHANGE),
    "order.delivered": Kind(_CENTRE, _CHANGE),
    "order.stop": Kind(_PEOPLE, _CHANGE),
    "order.admitted": Kind(_HOST, _CHANGE),
    "order.refused": Kind(_HOST, _CHANGE),
    "precheck.done": Kind(_HOST, _CHANGE),
    "step.done": Kind(_HOST, _CHANGE),
    "verify.done": Kind(_HOST, ("soc2_cc7.5", *_CHANGE)),
    "undo.done": Kind(_HOST, ("soc2_cc7.5", *_CHANGE)),
    "order.finished": Kind(_HOST, _CHANGE),
    "incident.acknowledged": Kind(_PEOPLE, _INCIDENT),
    "incident.assigned": Kind(_PEOPLE, _INCIDENT),
    "incident.noted": Kind(_PEOPLE, ("iso_a.5.28", *_INCIDENT)),
    "incident.settled": Kind(_PEOPLE, ("soc2_cc7.5", *_INCIDENT)),
    "incident.reopened": Kind(_PEOPLE, _INCIDENT),
    "incident.verified": Kind(_CENTRE, ("soc2_cc7.5", *_INCIDENT)),
    "outcome.judged": Kind(_CENTRE, ("soc2_cc7.5", *_INCIDENT)),
    "incident.closed": Kind(_CENTRE, ("soc2_cc7.5", *_INCIDENT)),
}

_KNOWN_CONTROLS: Final = frozenset(control for kind in KINDS.values() for control in kind.controls)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a source stands: the number and the hash of the last entry that it said."""

    name: str  # as in `src`
    seq: int = 0
    prev: str = ""  # hex SHA-256 of that entry without src_sig

    def next(self, entry: audit_log.NewEntry) -> tuple[bytes, Self]:
        """Return the bytes of this source's next entry, and where it stands after it.

        An agent signs exactly these bytes. Raises audit_log.EntryRefused.
        """
        leaf = _written(entry, self.name, self.seq + 1, self.prev)
        _check_length(leaf)
        return leaf, self.after(leaf)

    def after(self, leaf: bytes) -> Self:
        """Return where the source stands after it said these bytes."""
        return type(self)(self.name, self.seq + 1, hashlib.sha256(leaf).hexdigest())


@dataclass(frozen=True, slots=True)
class Tail:
    """What the end of a stored entry says of its source."""

    source: str
    prev: str
    seq: int
    leaf: bytes  # the stored bytes without src_sig
    signature: bytes | None


def read(leaf: bytes) -> dict[str, Any]:
    """Return the members of an entry without src_sig, every rule checked.

    Raises audit_log.EntryRefused, naming the member.
    """
    _check_length(leaf)
    try:
        found = canonical.decode_object(leaf)
    except canonical.NotCanonical as error:
        raise audit_log.EntryRefused(f"entry: {error}") from error
    _check(found)
    return found


def with_signature(leaf: bytes, signature: bytes) -> bytes:
    """Return what is stored of an agent's entry: its bytes with src_sig in its place."""
    found = canonical.decode_object(leaf)
    found["src_sig"] = base64.b64encode(signature).decode()
    stored = canonical.encode(found)
    _check_length(stored)
    return stored


def tail(stored: bytes) -> Tail | None:
    """Return what stored bytes say of their source; None where they are no entry of ours.

    Reads only the end, which free text cannot reach: a quote inside text is escaped.
    """
    start = stored.rfind(b',"src":"')
    match = _TAIL.match(stored, start) if start > 0 else None
    if match is None:
        return None
    source, prev, seq, signature = match.groups()
    if signature is None:
        return Tail(source.decode(errors="replace"), prev.decode(), int(seq), stored, None)
    begin = match.start(4) - len(',"src_sig":"')
    leaf = stored[:begin] + stored[match.end(4) + 1 :]
    return Tail(
        source.decode(errors="replace"), prev.decode(), int(seq), leaf, base64.b64decode(signature)
    )


def family(source: str) -> str:
    """Return what kind of source a name is: cp, agent or user."""
    return source.partition(":")[0]


def _written(entry: audit_log.NewEntry, source: str, seq: int, prev: str) -> bytes:
    """Return the canonical bytes of an entry, judged. Raises audit_log.EntryRefused.

    On the path of every append, so the members are put in their canonical order by hand: a third of
    what the general encoder takes. `read` gives the same verdicts, and a property test compares.
    """
    controls = _controls(entry.kind, source)
    for name, value in (
        ("env", entry.environment),
        ("actor", entry.actor),
        ("incident", entry.incident or ""),
        ("key", entry.key),
    ):
        _check_text(name, value)
    at_ms = (entry.at - _EPOCH) // _MILLISECOND
    _check_count("ts_ms", at_ms)
    try:
        data = canonical.text_of(dict(entry.data))
        actor, key = canonical.text_of(entry.actor), canonical.text_of(entry.key)
        return canonical.as_bytes(
            f'{{"actor":{actor},"blobs":{_written_blobs(entry.blobs)},"controls":{controls},'
            f'"data":{data},"env":"{entry.environment}","incident":"{entry.incident or ""}",'
            f'"key":{key},"kind":"{entry.kind}","src":"{source}","src_prev":"{prev}",'
            f'"src_seq":{seq},"ts_ms":{at_ms},"v":1}}'
        )
    except canonical.NotCanonical as error:
        raise audit_log.EntryRefused(f"entry: {error}") from error


@functools.lru_cache(maxsize=4096)  # kinds x sources that are speaking now
def _controls(kind: str, source: str) -> str:
    """Return what a kind of entry is evidence for, as JSON; the source may say this kind."""
    _check_text("src", source)
    _check_kind(kind, source)
    return canonical.text_of(list(KINDS[kind].controls))


def _written_blobs(blobs: Sequence[audit_log.BlobRef]) -> str:
    if not blobs:
        return "[]"
    found = [{"sha256": one.sha256, "len": one.len, "type": one.type} for one in blobs]
    _check_blobs(found)
    return canonical.text_of(found)


def _check_length(stored: bytes) -> None:
    if len(stored) > MAX_BYTES:
        raise audit_log.EntryRefused(
            f"an entry has at most {MAX_BYTES} bytes, this one {len(stored)}: use a blob"
        )


def _check(found: Mapping[str, Any]) -> None:
    if set(found) != _MEMBERS:
        raise audit_log.EntryRefused(
            f"entry: missing members {sorted(_MEMBERS - set(found))}, "
            f"unknown members {sorted(set(found) - _MEMBERS)}"
        )
    if found["v"] != 1 or found["v"] is True:
        raise audit_log.EntryRefused(f"entry: expected format version 1, got {found['v']!r}")
    for name in _PATTERNS:
        _check_text(name, found[name])
    for name in ("ts_ms", "src_seq"):
        _check_count(name, found[name])
    _check_kind(found["kind"], found["src"])
    if not isinstance(found["data"], dict):
        raise audit_log.EntryRefused("entry: data is not an object")
    _check_controls(found["controls"])
    _check_blobs(found["blobs"])


def _check_text(name: str, value: Any) -> None:
    pattern = _PATTERNS[name]
    if not isinstance(value, str) or pattern.match(value) is None:
        raise audit_log.EntryRefused(
            f"entry: {name} is {str(value)[:60]!r}, expected {pattern.pattern}"
        )


def _check_count(name: str, value: Any) -> None:
    fine = isinstance(value, int) and not isinstance(value, bool)
    if not fine or not 0 <= value <= canonical.MAX_INTEGER:
        raise audit_log.EntryRefused(f"entry: {name} is {str(value)[:60]!r}, expected a count")


def _check_kind(name: Any, source: str) -> None:
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise audit_log.EntryRefused(
            f"entry: unknown kind {str(name)[:60]!r}; add it to stages.audit.entry.KINDS"
        )
    if family(source) not in kind.sources:
        raise audit_log.EntryRefused(
            f"entry: {name} is said by {sorted(kind.sources)}, not by {source}"
        )


def _check_controls(found: Any) -> None:
    fine = isinstance(found, list) and all(
        isinstance(one, str) and (one in _KNOWN_CONTROLS or _CONTROL.match(one)) for one in found
    )
    if not fine:
        raise audit_log.EntryRefused("entry: controls is not a list of names such as soc2_cc7.3")


def _check_blobs(found: Any) -> None:
    if not isinstance(found, list) or len(found) > MAX_BLOBS:
        raise audit_log.EntryRefused(f"entry: blobs is not a list of at most {MAX_BLOBS}")
    for one in found:
        fine = (
            isinstance(one, dict)
            and set(one) == {"sha256", "len", "type"}
            and isinstance(one["sha256"], str)
            and _SHA256.match(one["sha256"])
            and type(one["len"]) is int  # True is an int, too
            and one["len"] >= 0
            and isinstance(one["type"], str)
            and _MEDIA_TYPE.match(one["type"])
        )
        if not fine:
            raise audit_log.EntryRefused("entry: a blob is exactly {sha256, len, type}")
