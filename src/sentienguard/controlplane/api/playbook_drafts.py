"""Playbooks as administrators write them, up to a new version that signers signed offline.

A draft is text: nothing matches or runs it. The control plane holds no key that signs playbooks, so
the way to a new version leads over the signers' machine: the unsigned catalogue goes out, the same
file with their signatures comes back, and is judged as `sentienguard trust import` judges it.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi import status as http
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from sentienguard.controlplane import draft_desk, errands
from sentienguard.controlplane.api.backtests import StateName
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.draft_desk import DraftDesk, TakenOver
from sentienguard.controlplane.errands import Errand
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model import errors, ids
from sentienguard.model.access import Permission
from sentienguard.model.ids import Digest, PlaybookName
from sentienguard.playbook import drafting
from sentienguard.playbook.findings import Level
from sentienguard.ports.draft_store import Draft, DraftId, DraftMoved, Proof
from sentienguard.trust import dsse
from sentienguard.trust.root import RoleName

router = APIRouter(prefix="/api/v1/playbook-drafts", tags=["playbooks"])
Editor = Annotated[Caller, Depends(needs(Permission.EDIT_PLAYBOOKS, everywhere=True))]
Keeper = Annotated[Caller, Depends(needs(Permission.EDIT_PLAYBOOKS, everywhere=True, fresh=True))]
Id = Annotated[str, Path(max_length=64, pattern=r"^drf_[0-9a-z_]+$")]
_NAME = r"^[a-z][a-z0-9_]{1,63}$"
_DIGEST = r"^(sha256:[0-9a-f]{64})?$"
MOST_FINDINGS = 200  # of one answer; who has more mends these first
_DAYS = 90  # life of a catalogue, where nobody says
StateOf = Literal["open", "taken_over", "dropped"]
MEDIA_TYPE = "application/json"


class DraftBegin(BaseModel):
    """What a draft begins from."""

    name: str = Field(pattern=_NAME)
    digest: str = Field(default="", pattern=_DIGEST, description="a listed version; empty: nothing")


class DraftChange(BaseModel):
    """All of a draft's text, and the revision that it was made from."""

    yaml: str = Field(max_length=draft_desk.MOST_TEXT_BYTES)
    case: str = Field(
        max_length=draft_desk.MOST_TEXT_BYTES, description="simulation.yaml, or empty"
    )
    revision: int = Field(ge=1)


class DraftView(BaseModel):
    """One draft."""

    id: str
    name: str
    version: str = Field(description="that its text names; empty: none that can be read")
    state: StateOf
    base: str = Field(description="digest of the version it began from; empty: nothing")
    revision: int
    digest: str = Field(description="of its text as it is now")
    signable: bool = Field(description="signers may be asked")
    errors: int
    warnings: int
    by: str
    made_at: datetime
    changed_by: str
    changed_at: datetime
    ended_by: str
    ended_at: datetime | None


class DraftList(BaseModel):
    """Drafts: the open ones, then the newest that ended."""

    items: list[DraftView]


class DraftFindingView(BaseModel):
    """One thing to change or to think about."""

    level: Literal["error", "warning"]
    line: int | None = Field(description="counts from 1; null: it is about the whole")
    path: str
    rule: str
    message: str
    expected: str = Field(description="empty: it is about more than one value")
    found: str
    way_out: str


class DraftProofLine(BaseModel):
    """One thing that was tried on the pretended host."""

    name: str
    passed: bool
    step: str
    reason: str


class DraftProofView(BaseModel):
    """What trying exactly these bytes showed."""

    at: datetime
    by: str
    release: str
    held: int
    failed: int
    lines: list[DraftProofLine]


class DraftRunView(BaseModel):
    """A proof that was asked for."""

    id: str
    state: StateName
    revision: int = Field(description="of the draft that is tried")
    by: str
    asked_at: datetime
    ended_at: datetime | None
    doing: str
    detail: str = Field(description="why it failed, or who stopped it")


class VersionText(BaseModel):
    """A signed version, for comparing."""

    version: str
    digest: str
    yaml: str


class SignerRole(BaseModel):
    """Who has to sign, by the root that counts here."""

    keys: list[str] = Field(description="key ids")
    threshold: int


class SigningStep(BaseModel):
    """One thing that somebody does with a command, and where."""

    where: Literal["here", "signer"]
    what: str
    command: str


class DraftDetail(DraftView):
    """A draft with everything that is known of it."""

    yaml: str
    case: str
    findings: list[DraftFindingView] = Field(description=f"the first {MOST_FINDINGS}, by line")
    proof: DraftProofView | None = Field(description="null: these bytes were not tried here")
    run: DraftRunView | None = Field(description="the newest proof that was asked for")
    current: VersionText | None = Field(description="the version that is in force")
    began_from: VersionText | None = Field(description="the version it was made from")
    signers: SignerRole
    evaluation: bool = Field(description="the signers' key lies on this machine")
    signing: list[SigningStep]


class DraftTakenView(BaseModel):
    """What came of a file that signers handed back."""

    catalogue: int
    root: int
    signed_by: list[str]
    added: list[str] = Field(description="names and versions that were not listed here")
    revoked: list[str] = Field(description="that could run before, and cannot now")
    holds_draft: bool = Field(description="false: the file lists other bytes; the draft is open")
    in_force: bool = Field(description="false: from the next start of the control plane on")
    others: bool = Field(description="other control planes share the database: import it there too")
    draft: DraftView


@router.get("")
def list_drafts(caller: Editor) -> DraftList:
    """List the drafts."""
    desk = _desk(caller)
    return DraftList(items=[_view(one, desk.judge(one)) for one in desk.store.list()])


@router.post("", status_code=http.HTTP_201_CREATED)
def begin(wanted: DraftBegin, caller: Keeper) -> DraftDetail:
    """Begin a draft from a listed version, or of a playbook that there is not yet."""
    desk = _desk(caller)
    made = desk.begin(PlaybookName(wanted.name), wanted.digest, by=caller.user.name)
    _signal(caller, made)
    return _detail(caller, desk, made)


@router.get("/{draft_id}")
def draft(draft_id: Id, caller: Editor) -> DraftDetail:
    """Return one with its text, findings, proof, and what it takes to sign it."""
    desk = _desk(caller)
    return _detail(caller, desk, desk.store.get(DraftId(draft_id)))


@router.put("/{draft_id}")
def change(draft_id: Id, wanted: DraftChange, caller: Editor) -> DraftDetail:
    """Put text into a draft, and say what is wrong with it."""
    desk = _desk(caller)
    try:
        kept = desk.change(
            DraftId(draft_id), wanted.yaml, wanted.case, wanted.revision, by=caller.user.name
        )
    except DraftMoved as cause:
        raise _moved(cause) from cause
    _signal(caller, kept)
    return _detail(caller, desk, kept)


@router.delete("/{draft_id}", status_code=http.HTTP_204_NO_CONTENT)
def drop(draft_id: Id, caller: Editor) -> None:
    """Drop a draft; what was in it stays to be read for a while."""
    desk = _desk(caller)
    try:
        desk.drop(DraftId(draft_id), by=caller.user.name)
    except DraftMoved as cause:
        raise _moved(cause) from cause
    _signal(caller, desk.store.get(DraftId(draft_id)))


@router.post("/{draft_id}/proof", status_code=http.HTTP_202_ACCEPTED)
def prove(draft_id: Id, caller: Editor) -> DraftRunView:
    """Try the draft on its pretended host, in the background. No host of anybody is asked."""
    desk = _desk(caller)
    try:
        return _run(desk, desk.prove(DraftId(draft_id), by=caller.user.name))
    except DraftMoved as cause:
        raise _moved(cause) from cause


@router.delete("/{draft_id}/proof", status_code=http.HTTP_204_NO_CONTENT)
def stop_proof(draft_id: Id, caller: Editor) -> None:
    """Stop the proof that waits or runs."""
    desk = _desk(caller)
    found = desk.errand_of(desk.store.get(DraftId(draft_id)))
    if found is None or found.state in errands.ENDED:
        raise errands.NoSuchErrand(f"no proof of {draft_id} waits or runs")
    desk.errands.end(errands.Kind.PROOF, found.id, caller.user.name)


@router.get(
    "/{draft_id}/unsigned",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "A trust file for signers."}},
)
def unsigned(
    draft_id: Id,
    caller: Editor,
    days: Annotated[int, Query(ge=1, le=365, description="life of the new catalogue")] = _DAYS,
) -> Response:
    """Return the file that signers sign: the catalogue with this version in it, unsigned."""
    desk = _desk(caller)
    try:
        made = desk.unsigned(DraftId(draft_id), days)
    except DraftMoved as cause:
        raise _moved(cause) from cause
    kept = f'attachment; filename="{made.file}"'
    return Response(made.content, media_type=MEDIA_TYPE, headers={"Content-Disposition": kept})


@router.post(
    "/{draft_id}/signed",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {MEDIA_TYPE: {"schema": {"type": "object", "title": "Trust file"}}},
        }
    },
)
async def take_over(draft_id: Id, request: Request, caller: Keeper) -> DraftTakenView:
    """Take over the file with the signers' signatures; from then on its versions are in force."""
    content = await _body(request)
    return await run_in_threadpool(_taken_over, caller, DraftId(draft_id), content)


def _taken_over(caller: Caller, draft_id: DraftId, content: bytes) -> DraftTakenView:
    desk = _desk(caller)
    try:
        taken = desk.take_over(draft_id, content, by=caller.user.name)
    except DraftMoved as cause:
        raise _moved(cause) from cause
    except dsse.NotTrusted as cause:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "not-trusted", f"nothing was taken over: {cause}"
        ) from cause
    found = desk.store.get(draft_id)
    _signal(caller, found)
    return _taken(caller, desk, found, taken)


async def _body(request: Request) -> bytes:
    """Read what was handed back, never holding more than the bound of it."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > draft_desk.MOST_SIGNED_BYTES:
            raise ProblemError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too-large",
                f"expected at most {draft_desk.MOST_SIGNED_BYTES} bytes; run `sentienguard trust "
                "import` on the machine of the control plane",
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _desk(caller: Caller) -> DraftDesk:
    if caller.centre.drafts is None:
        raise errors.Unavailable("no playbooks are written from this control plane")
    return caller.centre.drafts


def _moved(cause: DraftMoved) -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, "draft-moved", str(cause))


def _signal(caller: Caller, one: Draft) -> None:
    caller.centre.live.changed("playbook", one.name, caller.centre.clock.now())


def _view(one: Draft, judged: drafting.Judged) -> DraftView:
    wrong = sum(found.level is Level.ERROR for found in judged.remarks)
    return DraftView(
        id=one.id,
        name=one.name,
        version=judged.version,
        state=one.state.value,
        base=one.base,
        revision=one.revision,
        digest=judged.digest,
        signable=judged.signable,
        errors=wrong,
        warnings=len(judged.remarks) - wrong,
        by=one.by,
        made_at=one.made_at,
        changed_by=one.changed_by,
        changed_at=one.changed_at,
        ended_by=one.ended_by,
        ended_at=one.ended_at,
    )


def _detail(caller: Caller, desk: DraftDesk, one: Draft) -> DraftDetail:
    trust, judged = caller.centre.trust, desk.judge(one)
    proof, run = desk.proof_of(one), desk.errand_of(one)
    shelved = caller.centre.library.named(one.name)
    signers = trust.root.roles[RoleName.SIGNER]
    return DraftDetail(
        **dict(_view(one, judged)),
        yaml=one.text,
        case=one.case,
        findings=[_finding(found) for found in judged.remarks[:MOST_FINDINGS]],
        proof=None if proof is None else view_of_proof(proof),
        run=None if run is None else _run(desk, run),
        current=None if shelved is None else _text(shelved.playbook.version, shelved.stored),
        began_from=_began_from(caller, one),
        signers=SignerRole(keys=list(signers.keyids), threshold=signers.threshold),
        evaluation=trust.evaluation,
        signing=_signing(
            one,
            judged.version,
            None if shelved is None else shelved.playbook.version,
            evaluation=trust.evaluation,
        ),
    )


def _began_from(caller: Caller, one: Draft) -> VersionText | None:
    listing = caller.centre.trust.listing
    stored = listing.playbooks.get(Digest(one.base))
    listed = listing.catalogue.find(Digest(one.base))
    return None if stored is None or listed is None else _text(listed.version, stored)


def _text(version: str, stored: bytes) -> VersionText:
    return VersionText(version=version, digest=ids.digest(stored), yaml=stored.decode())


def _finding(one: drafting.Remark) -> DraftFindingView:
    return DraftFindingView(
        level=one.level.value,
        line=one.line,
        path=one.path,
        rule=one.rule,
        message=one.message,
        expected=one.expected,
        found=one.found,
        way_out=one.way_out,
    )


def view_of_proof(proof: Proof) -> DraftProofView:
    """Return what a proof showed, as the API tells it."""
    lines: list[Mapping[str, Any]] = json.loads(proof.report)
    return DraftProofView(
        at=proof.at,
        by=proof.by,
        release=proof.release,
        held=proof.held,
        failed=proof.failed,
        lines=[DraftProofLine.model_validate(line) for line in lines],
    )


def _run(desk: DraftDesk, one: Errand) -> DraftRunView:
    return DraftRunView(
        id=one.id,
        state=one.state.value,
        revision=one.asked["revision"],
        by=one.by,
        asked_at=one.asked_at,
        ended_at=one.ended_at,
        doing=desk.errands.progress(one).doing,
        detail=one.detail,
    )


def _signing(
    one: Draft, version: str, current: str | None, *, evaluation: bool
) -> list[SigningStep]:
    """Return what people do after the file was downloaded; keys stay where they are."""
    file = f"trust-{one.name}-{version}.json"
    key = "DATA/offline/signer.pem" if evaluation else "signer-1.pem"
    steps = [
        SigningStep(
            where="signer",
            what="Look at what it lists, and at who has to sign. It needs no network.",
            command=f"sentienguard trust status {file}",
        )
    ]
    if current is not None:
        steps.append(
            SigningStep(
                where="signer",
                what=f"Before anybody signs, and only if {current} is never to run again.",
                command=f"sentienguard trust revoke {file} --playbook {one.name}@{current}",
            )
        )
    return [
        *steps,
        SigningStep(
            where="signer",
            what="Sign it; where several have to, one after the other, on the same file.",
            command=f"sentienguard trust sign {file} --key {key}",
        ),
        SigningStep(
            where="signer",
            what="For reviewers, if they want it: who stands behind the text. It lets nothing run.",
            command="ssh-keygen -Y sign -n sentienguard.playbook -f KEY playbook.yaml",
        ),
        SigningStep(
            where="here",
            what="In place of handing it back below: on each control plane, then a restart.",
            command=f"sentienguard trust import {file}",
        ),
    ]


def _taken(caller: Caller, desk: DraftDesk, one: Draft, taken: TakenOver) -> DraftTakenView:
    return DraftTakenView(
        catalogue=taken.catalogue,
        root=taken.root,
        signed_by=list(taken.signed_by),
        added=[f"{name} {version}" for name, version in taken.added],
        revoked=[f"{name} {version}" for name, version in taken.revoked],
        holds_draft=taken.holds_draft,
        in_force=taken.in_force,
        others=caller.centre.company is not None,
        draft=_view(one, desk.judge(one)),
    )
