"""Questions about incidents, answered from the record with citations."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from sentienguard.controlplane import questions
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.flow.asking import kinds
from sentienguard.model.access import Permission
from sentienguard.model.ids import IncidentId
from sentienguard.ports.incident_store import NoSuchIncident

router = APIRouter(prefix="/api/v1", tags=["questions"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]


class Question(BaseModel):
    """What somebody wants to know."""

    text: str = Field(min_length=1, max_length=kinds.LONGEST)
    incident: str = Field(
        default="", max_length=64, description="meant where the text names none; else the newest"
    )


class Claim(BaseModel):
    """One sentence and what it rests on."""

    text: str
    entries: list[int] = Field(description="leaf indices in the audit log")


class AnswerView(BaseModel):
    """An answer from the record; every sentence is the record's own, whoever chose it."""

    understood: bool
    about: str | None = Field(description="id of the incident that is answered about")
    kind: str | None = Field(description="which question it was taken for")
    pointed_by: str = Field(
        description="model that chose the sentences, where no template is for it; empty: none did"
    )
    sentences: list[Claim]
    known: list[str] = Field(description="questions that can be answered, where this one was not")


@router.post("/ask")
def ask(question: Question, caller: Viewer) -> AnswerView:
    """Answer a question about an incident that the caller may see."""
    found = questions.reply(
        caller.centre, question.text, caller.user, question.incident, patient=True
    )
    return AnswerView(
        understood=found.understood,
        about=found.about,
        kind=found.kind.value if found.kind else None,
        pointed_by=found.pointed_by,
        sentences=[Claim(text=one.text, entries=list(one.entries)) for one in found.sentences],
        known=list(found.known),
    )


@router.get(
    "/incidents/{incident_id}/postmortem",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/markdown": {}}}},
)
def postmortem(incident_id: str, request: Request, caller: Viewer) -> PlainTextResponse:
    """Draft a post-mortem in Markdown; every sentence links to its entry of the log.

    The links lead to `public_url`, and without one to where this was asked.
    """
    incident = caller.centre.incidents.get(IncidentId(incident_id))
    if not caller.may(Permission.VIEW, incident.environment):
        raise NoSuchIncident.called(incident_id)
    base = caller.centre.settings.public_url or str(request.base_url)
    text = questions.draft(caller.centre, incident, base.rstrip("/"))
    return PlainTextResponse(text, media_type="text/markdown; charset=utf-8")
