"""What an adviser thought of an incident, with its standing and everything that crossed."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends

from sentienguard.controlplane.api.advice_schemas import AdviceInFull, AdviceView, ExchangeView
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.problems import not_found
from sentienguard.flow import advising
from sentienguard.flow.advising import Consulted
from sentienguard.model.access import Permission
from sentienguard.model.decision import Decision
from sentienguard.model.ids import IncidentId
from sentienguard.ports.audit_log import AuditLog
from sentienguard.ports.incident_store import NoSuchIncident
from sentienguard.stages.decide.advice import RULE

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
_MICRO: Final = 1_000_000


@router.get("/{incident_id}/advice")
def advice(incident_id: str, caller: Viewer) -> AdviceInFull:
    """Return the adviser's opinion and the exact prompts and answers, from the audit log."""
    centre = caller.centre
    incident = centre.incidents.get(IncidentId(incident_id))
    if not caller.may(Permission.VIEW, incident.environment):
        raise NoSuchIncident.called(incident_id)
    found = advising.kept(centre.log, incident.id)
    if found is None:
        raise not_found(f"{incident_id}: no adviser was asked, or has not answered yet")
    return AdviceInFull(
        advice=_view(found, centre.incidents.decision(incident.id)),
        exchanges=[
            ExchangeView(sent=_text(one.sent), heard=_text(one.heard), failed=one.failed)
            for one in found.exchanges
        ],
    )


def shown(log: AuditLog, incident: IncidentId, made: Decision | None) -> AdviceView | None:
    """Return the opinion for the incident's story; None: nobody was asked."""
    found = advising.kept(log, incident)
    return None if found is None else _view(found, made)


def _view(found: Consulted, made: Decision | None) -> AdviceView:
    said, opinion = found.advice, found.advice.opinion
    return AdviceView(
        standing=_standing(found, made),
        model=said.model,
        asked_at=said.at,
        offered=list(said.offered),
        given=opinion is not None,
        hypothesis=opinion.hypothesis if opinion else "",
        reasoning=opinion.reasoning if opinion else "",
        choice=opinion.choice if opinion else None,
        absent=said.absent,
        asked_back=list(said.asked),
        took_ms=said.spent.took_ms,
        turns=said.spent.turns,
        tokens_in=said.spent.tokens_in,
        tokens_out=said.spent.tokens_out,
        dollars=said.spent.microdollars / _MICRO,
    )


def _standing(found: Consulted, made: Decision | None) -> str:
    if found.advice.opinion is None:
        return "No opinion: the incident went on without it."
    if made is None or made.opinion is None:
        return "An opinion; it decided nothing."
    said = next((one for one in made.verdicts if one.rule == RULE), None)
    if said is None:
        return "An opinion; it decided nothing."
    return f"An opinion; it can only restrict: {said.reason}."


def _text(body: bytes) -> str:
    """Return a body as people may look at it: what cannot be seen is written as its escape."""
    return "".join(
        letter
        if letter.isprintable() or letter == "\n"
        else letter.encode("unicode_escape").decode()
        for letter in body.decode("utf-8", "backslashreplace")
    )
