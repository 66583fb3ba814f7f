"""Answer questions about incidents for whoever may see them.

Called by controlplane.api.asking; `InText` is made by app_notices for slack_desk. The words are
those of flow.asking; here is what they rest on: stores and log, of the environments that the asker
may see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sentienguard.controlplane.centre import Centre
from sentienguard.flow.asking import answering, kinds, postmortem, sentences
from sentienguard.flow.asking.answering import Facts, Reply
from sentienguard.flow.asking.sentences import Entry
from sentienguard.model.access import Permission, User
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident
from sentienguard.ports.audit_log import StoredEntry
from sentienguard.ports.incident_store import IncidentFilter, NoSuchIncident
from sentienguard.ports.notifier import Run

LOOKED_BACK: Final = 5000  # entries of the log before the incident's first, at most


def reply(
    centre: Centre, text: str, user: User, incident: str = "", *, patient: bool = False
) -> Reply:
    """Answer a question; `incident` is the one that is meant where the text names none.

    What no template is for, a model may point at in the record, where the settings name one: that
    takes seconds, so it is not for whoever has to answer at once.
    """
    asked = kinds.understand(text)
    found = _meant(centre, asked, incident, user)
    if asked.kind is None:
        pointed = _pointed(centre, asked.text, found, user) if patient else None
        if pointed is None or found is None:
            return answering.lost("I do not understand this question.")
        return replace(pointed, about=found.id)
    if found is None:
        name = asked.incident or incident
        which = f"no incident {name} is known" if name else "there is no incident"
        return answering.lost(f"As far as you may see, {which}.")
    return replace(answering.answer(asked, facts(centre, found)), about=found.id)


@dataclass(frozen=True, slots=True)
class InText:
    """Questions answered in runs of text, as late_answers.Asking has it."""

    centre: Centre
    base: str  # the dashboard's address; empty: unknown

    def at_once(self, text: str, user: User) -> list[Run]:
        """Answer by the templates."""
        return _runs(reply(self.centre, text, user), self.base)

    def takes_longer(self, text: str, user: User) -> bool:
        """Tell whether a model may point at what no template is for."""
        asked = kinds.understand(text)
        if self.centre.pointing is None or asked.kind is not None or not text.strip():
            return False
        return _meant(self.centre, asked, "", user) is not None

    def in_time(self, text: str, user: User) -> list[Run]:
        """Answer, and let a model point where no template is."""
        return _runs(reply(self.centre, text, user, patient=True), self.base)


def _runs(found: Reply, base: str) -> list[Run]:
    """Return an answer with its entries in brackets: a link, where `base` is known."""
    runs: list[Run] = []
    if found.about is not None:
        page = f"{base}/incidents/{found.about}" if base else ""
        runs += [Run("About "), Run(found.about, page), Run(":")]
    for one in found.sentences:
        runs.append(Run(f"\n{one.text}" if runs else one.text))
        for index in one.entries:
            runs += [Run(" "), Run(f"[{index}]", f"{base}/audit/proof/{index}" if base else "")]
    if found.known:
        listed = ["I can answer:", *(f"- {one}" for one in found.known)]
        runs.append(Run("\n".join(["", *listed] if runs else listed)))
    if found.pointed_by:
        runs.append(Run(f"\nChosen by {found.pointed_by}; the sentences are the record's own."))
    return runs


def draft(centre: Centre, incident: Incident, base: str) -> str:
    """Return the draft of a post-mortem in Markdown."""
    return postmortem.draft(facts(centre, incident), base)


def facts(centre: Centre, incident: Incident) -> Facts:
    """Return what an answer about an incident may rest on."""
    stored = centre.log.by_incident(incident.id)
    entries = [sentences.read(one.index, one.fields) for one in stored]
    return Facts(
        incident=incident,
        entries=_believed(entries, stored),
        before=_before(centre, entries, incident),
        decision=centre.incidents.decision(incident.id),
    )


def _pointed(centre: Centre, text: str, incident: Incident | None, user: User) -> Reply | None:
    """Return what a model points at; None: there is none, or nothing came of it."""
    if centre.pointing is None or incident is None or not text.strip():
        return None
    return centre.pointing.point(text, facts(centre, incident), user.name)


def _believed(entries: Sequence[Entry], stored: Sequence[StoredEntry]) -> list[Entry]:
    """Leave out what a host said of an incident whose order never went to it."""
    sources = {one.index: str(one.fields["src"]) for one in stored}
    hosts = {
        f"agent:{one.data['agent']}"
        for one in entries
        if one.kind == "order.intent" and "agent" in one.data
    }
    return [
        one
        for one in entries
        if not sources[one.index].startswith("agent:") or sources[one.index] in hosts
    ]


def _before(centre: Centre, entries: list[Entry], incident: Incident) -> list[Entry]:
    if not entries:
        return []
    end = entries[0].index
    since = incident.opened_at - answering.BEFORE
    around = (
        sentences.read(one.index, one.fields)
        for one in centre.log.entries(max(0, end - LOOKED_BACK), end)
    )
    return [
        one for one in around if one.at >= since and one.environment in {incident.environment, ""}
    ]


def _meant(centre: Centre, asked: kinds.Asked, incident: str, user: User) -> Incident | None:
    """Return the incident that a question is about; None: the asker may see none such."""
    name = asked.incident or (IncidentId(incident) if incident else None)
    return _seen(centre, name, user) if name else _newest(centre, user)


def _seen(centre: Centre, name: IncidentId, user: User) -> Incident | None:
    try:
        found = centre.incidents.get(name)
    except NoSuchIncident:
        return None
    return found if _may(centre, user, found) else None


def _newest(centre: Centre, user: User) -> Incident | None:
    now = centre.clock.now()
    places = (one for one in centre.environments if user.may(Permission.VIEW, one, now))
    where = IncidentFilter(within=frozenset(places))
    page = centre.incidents.list(where, cursor=None, limit=1)
    return next((one for one in page.incidents if _may(centre, user, one)), None)


def _may(centre: Centre, user: User, incident: Incident) -> bool:
    known = incident.environment in centre.environments
    return known and user.may(Permission.VIEW, incident.environment, centre.clock.now())
