"""What people did in a paging service about a page of ours: their care, and never a decision.

Called by controlplane.alert_door, whose token and signature say for which environment it speaks.
Rules:

1. Only an incident of that environment that is in people's hands, or open, is cared for.
2. An acknowledgement there is one here: nobody else is called. The first one counts, and what
   comes twice changes nothing.
3. Who resolves the page has it in hand, and that is noted. The incident does not end by it: whether
   the symptom is gone is seen on the host, or said by a person who closes the incident here.
4. It answers no question and permits nothing. Who did it is the account that the person is linked
   to, where that may handle incidents there; otherwise the service's name of them.
"""

import logging
from collections.abc import Sequence
from typing import Final

from sentienguard.controlplane import chat_answers
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.chat_answers import Person
from sentienguard.model import care as cares
from sentienguard.model.access import Permission
from sentienguard.model.care import Signed
from sentienguard.model.incident import Incident, Status
from sentienguard.ports.incident_store import NoSuchIncident
from sentienguard.stages.observe import redact
from sentienguard.stages.observe.alert_batch import Deed, Handled

log = logging.getLogger(__name__)
SERVICE: Final = "pagerduty"
_NAME: Final = 100  # characters of what the service calls a person


def take(centre: Centre, environment: str, handled: Sequence[Handled]) -> None:
    """Keep what people did. Raises what the stores and the log raise; then it is to come again."""
    for one in handled:
        incident = _cared_for(centre, environment, one)
        if incident is not None:
            _take(centre, incident, one)


def _cared_for(centre: Centre, environment: str, one: Handled) -> Incident | None:
    """Return the incident that a page is about (rule 1); None: none that may be cared for."""
    try:
        incident = centre.incidents.get(one.incident)
    except NoSuchIncident:
        incident = None
    if incident is None or incident.environment != environment:
        log.warning(
            "pagerduty: %a is no incident of %s, for which the webhook's token was made",
            one.incident,
            environment,
        )
        return None
    over = incident.status is Status.CLOSED
    if over and not cares.needs_people(incident, centre.care.of(incident.id)):
        return None
    return incident


def _take(centre: Centre, incident: Incident, one: Handled) -> None:
    person = Person(SERVICE, one.team, one.person)
    actor, name = _actor(centre, person, incident), redact.line(one.name)[:_NAME]
    for each in filter(None, (person.name, name)):
        centre.people.meet(each)  # so that the log has a pseudonym
    now = centre.clock.now()
    found = centre.care.acknowledge(incident.id, Signed(actor, now))
    about = {"via": person.name}
    if found.acknowledged is not None and found.acknowledged.by == actor:  # rule 2
        note = f"{one.deed.value} in PagerDuty by {name}"
        centre.audit.once(
            "incident.acknowledged", incident, "acknowledged", {"note": note, **about}, actor=actor
        )
    if one.deed is Deed.RESOLVED:  # rule 3
        text = f"{name} resolved the page in PagerDuty; the incident is not closed by that"
        centre.audit.once(
            "incident.noted", incident, f"paged/{one.event}", {"text": text, **about}, actor=actor
        )
    centre.live.changed("incident", incident.id, now)


def _actor(centre: Centre, person: Person, incident: Incident) -> str:
    """Return who did it, as the record names them (rule 4)."""
    user = chat_answers.account(centre, person)
    now = centre.clock.now()
    if user is not None and user.may(Permission.HANDLE_INCIDENT, incident.environment, now):
        return user.name
    return person.name
