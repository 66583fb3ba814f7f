"""The audit log: its checkpoint, its entries, proofs, and a full verification."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from sentienguard.controlplane.anchoring import Anchoring
from sentienguard.controlplane.api import audit_schemas, views
from sentienguard.controlplane.api.agent_names import AgentNames
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.flow import reports
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.model.ids import IncidentId
from sentienguard.ports.audit_log import AuditLog, BlobErased, NoSuchBlob, StoredEntry
from sentienguard.stages.audit import checkpoint as notes

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
_VERIFYING: Final = threading.BoundedSemaphore(2)
MOST_READ: Final = 10_000  # entries that one page is looked for in; the next goes on from there
_AT_ONCE: Final = 200  # entries that are read together
_NEAR: Final = 64  # entries from one on in which the control plane itself has said something


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which entries to list; empty means any."""

    kind: str  # the beginning of it
    actors: frozenset[str]  # how the log may call the one person, or the agents of the one host

    def fits(self, fields: dict[str, Any]) -> bool:
        named = not self.actors or fields["actor"] in self.actors
        return named and fields["kind"].startswith(self.kind)


@router.get("/checkpoint")
def checkpoint(caller: Viewer) -> audit_schemas.CheckpointView:
    """Return the newest signed checkpoint and who co-signed how recently."""
    log = caller.centre.log
    note = log.checkpoint()
    parsed = notes.read_text(notes.read_note(note).text)
    cosigners = reports.cosigners(log.cosigned())
    newest = max((at for _, at in cosigners), default=None)
    now = caller.centre.clock.now()
    return audit_schemas.CheckpointView(
        origin=parsed.origin,
        size=parsed.size,
        root=parsed.root.hex(),
        signed_at=now,
        note=note,
        cosigned_by=sorted({name for name, _ in cosigners}),
        exposure_s=(now - newest).total_seconds() if newest else None,
    )


@router.get("/exposure")
def exposure(caller: Viewer) -> audit_schemas.ExposureView:
    """Return how much of the log nobody else holds yet, and who holds what."""
    anchoring = caller.centre.anchoring
    if anchoring is None:
        raise errors.Unavailable("this control plane does not ask what is outside")
    found = anchoring.exposure()
    now = caller.centre.clock.now()
    age_s = None if found.covered_at is None else (now - found.covered_at).total_seconds()
    return audit_schemas.ExposureView(
        policy=found.policy.text,
        size=found.size,
        covered=found.covered,
        exposed=found.exposed,
        covered_at=found.covered_at,
        window_s=max(age_s, 0.0) if age_s is not None and found.exposed else None,
        lacking=found.lacking,
        witnesses=[*_agents(anchoring, AgentNames(caller)), *_places(anchoring)],
    )


@router.get("/entries")
def entries(  # noqa: PLR0917  # one argument for each query parameter
    caller: Viewer,
    incident: Annotated[str | None, Query(max_length=64)] = None,
    kind: Annotated[
        str, Query(max_length=64, description="how the kind begins, such as order or order.refused")
    ] = "",
    actor: Annotated[
        str, Query(max_length=200, description="a person, or the host that an agent runs on")
    ] = "",
    since: Annotated[
        AwareDatetime | None,
        Query(description="came into the log then or later, whenever a host says that it was"),
    ] = None,
    until: Annotated[AwareDatetime | None, Query(description="came into the log before")] = None,
    entry: Annotated[
        int | None, Query(ge=0, lt=2**53, description="begin with the entry of this number")
    ] = None,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> audit_schemas.AuditPage:
    """List entries, newest first; only those of environments that the caller may see.

    A page may be short, or empty, and have a next one: it ends after so many entries were read.
    """
    log = caller.centre.log
    size = log.size()
    end = min(size, size if entry is None else entry + 1)
    end = end if until is None else min(end, _first_from(log, until, size))
    end = end if cursor is None else min(end, _index(cursor))
    start = 0 if since is None else _first_from(log, since, size)
    names = AgentNames(caller)
    known = {actor, caller.centre.people.stranger(actor), *names.on(actor)} if actor else ()
    wanted = _Wanted(kind, frozenset(known))
    if incident is not None:
        limit, stop = size, start  # its own index has them all
    else:
        stop = max(start, end - MOST_READ)
    found: list[audit_schemas.AuditEntryView] = []
    for one in _backwards(log, stop, end, incident):
        fields = one.fields
        if not (wanted.fits(fields) and _may_see(caller, fields["env"])):
            continue
        if len(found) == limit:
            return audit_schemas.AuditPage(items=found, next_cursor=str(found[-1].index))
        found.append(views.audit_entry(one, names.wrote(fields)))
    return audit_schemas.AuditPage(items=found, next_cursor=str(stop) if stop > start else None)


def _backwards(log: AuditLog, start: int, end: int, incident: str | None) -> Iterator[StoredEntry]:
    """Give entries of start..end, the newest first; of one incident out of its own index."""
    if incident is not None:
        of_it = log.by_incident(IncidentId(incident))
        yield from (one for one in reversed(of_it) if start <= one.index < end)
        return
    for upper in range(end, start, -_AT_ONCE):
        yield from reversed(log.entries(max(start, upper - _AT_ONCE), upper))


def _first_from(log: AuditLog, moment: datetime, size: int) -> int:
    """Return the index of the first entry that came into the log then or later."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if _came(log, middle) < moment.timestamp() * 1000:
            low = middle + 1
        else:
            high = middle
    return low


def _came(log: AuditLog, index: int) -> int:
    """Return when an entry came, in ms: by the clock of the control plane, which writes between.

    A host's own time says when it did something; what it kept while it was away comes later.
    """
    near = log.entries(index, index + _NEAR)
    own = (one.fields for one in near if not one.fields["src"].startswith("agent:"))
    at: int = next(own, near[0].fields)["ts_ms"]
    return at


@router.get("/proof/{index}")
def proof(index: int, caller: Viewer) -> audit_schemas.ProofView:
    """Return what convinces anybody who trusts the checkpoint that an entry is in the log."""
    log = caller.centre.log
    stored = log.entry(index)
    if not _may_see(caller, stored.fields["env"]):
        message = f"the log has no entry {index} that you may see"
        raise errors.Rejected(message)
    proven = log.prove(index)
    return audit_schemas.ProofView(
        index=index,
        host=AgentNames(caller).wrote(stored.fields),
        leaf=stored.stored.decode(),
        leaf_hash=proven.leaf_hash.hex(),
        tree_size=proven.size,
        path=[node.hex() for node in proven.hashes],
        checkpoint=proven.checkpoint,
        contents=[_content(log, one) for one in stored.fields["blobs"]],
    )


@router.post("/verify")
def verify(caller: Viewer) -> audit_schemas.VerificationView:
    """Verify the whole log as it lies on the disk; two at a time, the next is told to come again.

    Whoever may look may ask for it, and it reads all there is: many at once would leave nobody
    else a thread.
    """
    if not _VERIFYING.acquire(blocking=False):
        raise errors.Unavailable("the log is being verified already; come again in a moment")
    began = caller.centre.clock.monotonic()
    try:
        result = caller.centre.verify_log()
    finally:
        _VERIFYING.release()
    return audit_schemas.VerificationView(
        passed=result.passed,
        entries=result.size,
        seconds=caller.centre.clock.monotonic() - began,
        findings=[
            audit_schemas.Finding(check=one.name, passed=one.passed, detail=one.detail)
            for one in result.checks
        ],
    )


def _content(log: AuditLog, named: dict[str, Any]) -> audit_schemas.ContentView:
    """Tell what became of a content that an entry names; the entry is proven whatever it is."""
    state: Literal["kept", "erased", "missing", "unreadable"] = "kept"
    try:
        log.get_blob(named["sha256"])
    except BlobErased:
        state = "erased"
    except NoSuchBlob:
        state = "missing"
    except (errors.Unavailable, errors.Broken):
        state = "unreadable"
    return audit_schemas.ContentView(
        sha256=named["sha256"], type=named["type"], length=named["len"], state=state
    )


def _agents(anchoring: Anchoring, names: AgentNames) -> list[audit_schemas.WitnessView]:
    return [
        audit_schemas.WitnessView(
            name=one.name,
            host=names.called(one.name),
            sort="agent",
            size=one.size,
            at=one.at,
            problem="",
        )
        for one in anchoring.watchers.seen()
    ]


def _places(anchoring: Anchoring) -> list[audit_schemas.WitnessView]:
    return [
        audit_schemas.WitnessView(
            name=name,
            host="",
            sort=anchoring.sorts[name],
            size=state.receipt.size if state.receipt else 0,
            at=state.receipt.at if state.receipt else None,
            problem=state.problem,
        )
        for name, state in anchoring.states.items()
    ]


def _may_see(caller: Caller, environment: str) -> bool:
    """Entries of no environment are of the whole system: for those who may see all of it."""
    if environment == "":
        return caller.may_everywhere(Permission.VIEW)
    return caller.may(Permission.VIEW, environment)


def _index(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit():
        message = f"cursor: expected the one that came with the page before, found {cursor!r}"
        raise errors.Rejected(message)
    return int(cursor)
