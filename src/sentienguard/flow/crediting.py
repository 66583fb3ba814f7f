"""Judge whether recoveries count for the remedies that were run before them, and keep it.

Called where an incident closes (incident_work) and where a symptom is seen to end (whoever clears
an episode). Rules:

 1. A recovery is judged when its incident closes as resolved, on what is known then.
 2. Peers may recover a moment later. So whenever a symptom ends, recoveries alike of the last
    minutes are judged again; that may take a credit back and never gives one.
 3. Every judgement, and every change of one, is an entry of the log. The order's row is what the
    record of the playbook is read from.
"""

from datetime import datetime, timedelta
from typing import Final

from sentienguard.flow.centre import Centre
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident
from sentienguard.model.spell import Spell
from sentienguard.stages.decide import crediting
from sentienguard.stages.decide.crediting import Credit, Recovery

HISTORY: Final = timedelta(days=30)  # of one symptom at one place
AROUND: Final = timedelta(hours=24)  # how long peers may have had the symptom
LATE: Final = timedelta(minutes=30)  # the longest wait of a flow for a recovery, and its slack


def closed(centre: Centre, incident: Incident, at: datetime) -> Credit | None:
    """Judge the recovery of an incident that closes as resolved (rule 1).

    None where no remedy was run for it, or nobody knows how long the symptom stood.
    """
    spell = centre.spells.of(incident.id)
    if spell is None or spell.remedied_at is None or spell.order is None:
        return None
    return _judge(centre, incident, spell, at)


def ended(centre: Centre, incident: IncidentId, at: datetime) -> None:
    """Judge again what recovered with this symptom, which nobody may have touched (rule 2)."""
    spell = centre.spells.of(incident)
    if spell is None or spell.remedied_at is not None:
        return
    found = centre.incidents.get(incident)
    for one in centre.spells.around(found.environment, since=at - AROUND, until=at):
        if one.counts and one.agent != spell.agent and crediting.alike(one, spell):
            other = centre.incidents.get(one.incident)
            if other.closed_at is not None and at - other.closed_at <= LATE:
                _judge(centre, other, one, other.closed_at)


def _judge(centre: Centre, incident: Incident, spell: Spell, gone_at: datetime) -> Credit | None:
    if spell.remedied_at is None or spell.order is None:
        return None
    credit = crediting.judge(
        Recovery(spell, spell.remedied_at, gone_at),
        centre.spells.around(
            incident.environment, since=spell.remedied_at - AROUND, until=spell.remedied_at
        ),
        centre.spells.before(spell.agent, spell.fingerprint, since=gone_at - HISTORY),
    )
    if spell.counts is not None and (credit.counts or not spell.counts):
        return credit  # it says what was said before, or would give back what was taken
    centre.audit.once(  # rule 3
        "outcome.judged",
        incident,
        "counts" if credit.counts else "explained",
        {
            "order_id": spell.order,
            "digest": spell.playbook or "",
            "counts": credit.counts,
            "because": credit.because,
            "peers": credit.peers,
            "peers_recovered": credit.peers_recovered,
            "spells": credit.spells,
            "alone": "" if credit.alone is None else f"{credit.alone:.4f}",
        },
    )
    centre.spells.judged(spell.order, counts=credit.counts, because=credit.because)
    return credit
