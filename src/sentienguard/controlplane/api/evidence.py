"""Evidence packages for auditors: ask for one, see how far it is, fetch it.

A package holds entries of all environments, so it takes the right to export in all of them. The log
remembers who made which package (`evidence.built`). Whole entries, as the log stores them, are read
here too, for who exports or forwards them: the list of `audit` shows them for people.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi import status as http
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from sentienguard.controlplane import evidence_desk
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.evidence_desk import EvidenceDesk
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.stages.audit import checkpoint as notes
from sentienguard.stages.audit.evidence import frameworks, population

router = APIRouter(prefix="/api/v1/evidence", tags=["evidence"])
Looker = Annotated[Caller, Depends(needs(Permission.EXPORT_EVIDENCE, everywhere=True))]
# What leaves the house for good takes a second factor minutes old, from whoever has one.
Exporter = Annotated[
    Caller, Depends(needs(Permission.EXPORT_EVIDENCE, everywhere=True, fresh=True))
]
PackageId = Annotated[str, Path(max_length=64, pattern=r"^evd_[0-9a-z_]+$")]
MOST_ENTRIES = 1000  # of one answer


class EvidenceRequest(BaseModel):
    """What a package is to hold."""

    framework: Literal["soc2", "hipaa", "pci-dss", "iso-27001", "gdpr"]
    first: date = Field(alias="from", description="first day, UTC, included")
    last: date = Field(alias="to", description="last day, UTC, included")


class EvidenceView(BaseModel):
    """A package and how far it is."""

    id: str
    framework: str
    first: str = Field(serialization_alias="from")
    last: str = Field(serialization_alias="to")
    by: str
    asked_at: datetime
    state: Literal["waiting", "working", "done", "failed"]
    doing: str = Field(description="what is being done now")
    done: int = Field(description="how much of it")
    of: int
    rows: int = Field(description="entries of the period, once it is made")
    manifest_sha256: str
    archive_sha256: str
    archive_bytes: int
    detail: str = Field(description="why it failed")


class EvidenceList(BaseModel):
    """Packages, newest first."""

    items: list[EvidenceView]


class WholeEntry(BaseModel):
    """An entry as the log stores it."""

    index: int
    stored: str = Field(description="canonical JSON, with src_sig where a host signed")


class WholeEntries(BaseModel):
    """Entries in the order of the log."""

    items: list[WholeEntry]
    size: int = Field(description="entries that the newest checkpoint covers")
    origin: str = Field(description="the log's name")
    names: dict[str, str] = Field(
        default={}, description="whose the pseudonyms are, where names were asked for"
    )


@router.post("", status_code=http.HTTP_202_ACCEPTED)
def ask(wanted: EvidenceRequest, caller: Exporter) -> EvidenceView:
    """Ask for a package; it is made in the background."""
    period = population.Period.read(wanted.first.isoformat(), wanted.last.isoformat())
    framework = frameworks.named(wanted.framework)
    return _view(_desk(caller).ask(framework, period, caller.user.name))


@router.get("")
def list_packages(caller: Looker) -> EvidenceList:
    """List the packages that wait, are being made or are kept."""
    return EvidenceList(items=[_view(one) for one in _desk(caller).jobs()])


@router.get("/entries")
def entries(
    caller: Exporter,
    after: Annotated[int, Query(ge=0, le=2**53, description="index of the first one")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 500,
    names: Annotated[bool, Query(description="tell whose the pseudonyms are, too")] = False,  # noqa: FBT002  a query parameter
) -> WholeEntries:
    """Return whole entries, oldest first; only those that a checkpoint covers."""
    log = caller.centre.log
    covered = notes.read_text(notes.read_note(log.checkpoint()).text)
    found = log.entries(after, min(after + limit, covered.size))
    return WholeEntries(
        items=[WholeEntry(index=one.index, stored=one.stored.decode()) for one in found],
        size=covered.size,
        origin=covered.origin,
        names=dict(caller.centre.people.names()) if names else {},
    )


@router.get("/{package_id}")
def show(package_id: PackageId, caller: Looker) -> EvidenceView:
    """Tell how far a package is."""
    return _view(_desk(caller).job(package_id))


@router.get("/{package_id}/download", response_class=FileResponse)
def download(package_id: PackageId, caller: Exporter) -> FileResponse:
    """Return the archive of a package that is made."""
    desk = _desk(caller)
    path = desk.archive(package_id)
    digest = desk.job(package_id).archive_sha256
    return FileResponse(
        path,
        media_type="application/zip",
        filename=f"{package_id}.zip",
        headers={"ETag": f'"{digest}"'},
    )


def _desk(caller: Caller) -> EvidenceDesk:
    desk = caller.centre.evidence
    if desk is None:
        raise errors.Unavailable("this control plane makes no evidence packages")
    return desk


def _view(job: evidence_desk.Job) -> EvidenceView:
    return EvidenceView(
        id=job.id,
        framework=job.framework,
        first=job.first,
        last=job.last,
        by=job.by,
        asked_at=job.asked_at,
        state=job.state.value,
        doing=job.doing,
        done=job.done,
        of=job.of,
        rows=job.rows,
        manifest_sha256=job.manifest_sha256,
        archive_sha256=job.archive_sha256,
        archive_bytes=job.archive_bytes,
        detail=job.detail,
    )
