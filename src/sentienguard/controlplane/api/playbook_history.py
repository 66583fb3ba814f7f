"""What a playbook has been: its listed versions, what each proved and did, and where it ran."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from sentienguard.controlplane import shipped
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.api.figures import seen_by
from sentienguard.controlplane.problems import not_found
from sentienguard.model import ids
from sentienguard.model.access import Permission
from sentienguard.model.ids import Digest
from sentienguard.model.incident import Outcome
from sentienguard.model.order import ExecutionOutcome
from sentienguard.ports.order_store import Ended
from sentienguard.trust.catalogue import Listed

router = APIRouter(prefix="/api/v1/playbooks", tags=["playbooks"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
PAGE = 50


class ProvenView(BaseModel):
    """What the version showed in one drill before it was signed."""

    drill: str
    runs: int
    verified: int


class TriedView(BaseModel):
    """What trying exactly these bytes on a pretended host showed, here; nobody signed it."""

    at: datetime
    by: str
    release: str = Field(description="of the program that tried it")
    held: int
    failed: int


class PlaceRecord(BaseModel):
    """What the version did in one environment; its last 500 orders are counted."""

    environment: str
    verified: int = Field(description="host and centre both saw the symptom gone")
    rolled_back: int
    harmed: int = Field(description="something was left behind, or nobody knows")
    dry_runs: int
    other: int = Field(description="nothing to do, not admitted, not verified")


class VersionView(BaseModel):
    """One version that the signed catalogue lists."""

    version: str
    digest: str
    revoked: bool = Field(description="the signers took it back; no host runs it")
    in_force: bool = Field(description="matched and run; the newest one that is not taken back")
    yaml: str
    proven: list[ProvenView] = Field(description="signed records; empty: there is none")
    shipped_case: bool = Field(
        description="this release ships these bytes with a pretended host, on which its own tests "
        "prove them; not signed, and not seen from here"
    )
    tried: list[TriedView] = Field(description="proofs that were run here, newest first")
    places: list[PlaceRecord] = Field(description="environments in which it was ordered")


class VersionList(BaseModel):
    """Listed versions, newest first."""

    items: list[VersionView]


class DecidedView(BaseModel):
    """One incident in which the playbook was the decision."""

    incident: str
    host: str
    environment: str
    opened_at: datetime
    status: Literal["OPEN", "ANALYZING", "AWAITING_APPROVAL", "MITIGATING", "VERIFYING", "CLOSED"]
    outcome: str | None


class DecidedPage(BaseModel):
    """Such incidents, newest first."""

    items: list[DecidedView]
    next_cursor: str | None


@router.get("/{name}/versions")
def versions(name: str, caller: Viewer) -> VersionList:
    """List the versions of a playbook with their text, what they proved and what they did."""
    listing = caller.centre.trust.listing  # once: a newer one may take its place meanwhile
    listed = [one for one in listing.catalogue.playbooks if one.name == name]
    if not listed:
        raise not_found(f"the catalogue has no playbook called {name}")
    listed.sort(key=lambda one: ids.version_key(one.version), reverse=True)
    return VersionList(
        items=[_version(caller, one, listing.playbooks[one.digest]) for one in listed]
    )


@router.get("/{name}/incidents")
def incidents(
    name: str,
    caller: Viewer,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = PAGE,
) -> DecidedPage:
    """List incidents in which this playbook was the decision, newest first."""
    found = caller.centre.figures.decided(name, seen_by(caller), before=cursor, limit=limit + 1)
    shown = found[:limit]
    return DecidedPage(
        items=[
            DecidedView(
                incident=one.incident,
                host=one.host,
                environment=one.environment,
                opened_at=one.opened_at,
                status=one.status.value,
                outcome=one.outcome.value if one.outcome else None,
            )
            for one in shown
        ],
        next_cursor=shown[-1].incident if len(found) > limit else None,
    )


def _version(caller: Caller, listed: Listed, stored: bytes) -> VersionView:
    centre = caller.centre
    proving = centre.library.proving().get(listed.digest)
    shelved = centre.library.named(listed.name)
    tried = () if centre.drafts is None else centre.drafts.store.proofs(listed.digest)
    return VersionView(
        version=listed.version,
        digest=listed.digest,
        revoked=listed.revoked,
        in_force=shelved is not None and shelved.playbook.digest == listed.digest,
        yaml=stored.decode(),
        proven=[
            ProvenView(drill=one.drill, runs=one.runs, verified=one.verified)
            for one in (proving.proven if proving else ())
        ],
        shipped_case=listed.digest in shipped.cases(),
        tried=[
            TriedView(at=one.at, by=one.by, release=one.release, held=one.held, failed=one.failed)
            for one in tried
        ],
        places=_places(caller, listed.digest),
    )


def _places(caller: Caller, digest: Digest) -> list[PlaceRecord]:
    found = []
    for environment in seen_by(caller):
        ended = caller.centre.orders.ended(digest, environment)
        if ended:
            counted = [_kind(one) for one in ended]
            found.append(
                PlaceRecord(
                    environment=environment,
                    verified=counted.count("verified"),
                    rolled_back=counted.count("rolled_back"),
                    harmed=counted.count("harmed"),
                    dry_runs=counted.count("dry_runs"),
                    other=counted.count("other"),
                )
            )
    return found


Kind = Literal["verified", "rolled_back", "harmed", "dry_runs", "other"]


def _kind(one: Ended) -> Kind:
    match one.execution:
        case ExecutionOutcome.SUCCESS if one.incident is Outcome.RESOLVED:
            return "verified"
        case ExecutionOutcome.ROLLED_BACK:
            return "rolled_back"
        case ExecutionOutcome.PARTIALLY_ROLLED_BACK | ExecutionOutcome.UNKNOWN:
            return "harmed"
        case ExecutionOutcome.DRY_RUN:
            return "dry_runs"
        case _:
            return "other"
