"""What may run on a host, before anything is found there: each playbook with the rule that decides.

Called by the API. It promises nothing: an incident's own rules (`stages.decide.outlook.OPEN`) and
the host's own admission restrict further. A record is one of a kind of target, which nobody knows
yet; the most permissive one counts, among the kinds that the playbook worked on and the one that
its first metric is about.
"""

from datetime import datetime

from sentienguard.flow.centre import Centre
from sentienguard.flow.deciding import HOUR, settings_of
from sentienguard.flow.track_records import record_in
from sentienguard.model import target
from sentienguard.model.playbook import Playbook
from sentienguard.model.window import Purpose
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.order_store import ANY_KIND
from sentienguard.stages.decide import outlook
from sentienguard.stages.decide.facts import Circumstances, PolicyFacts
from sentienguard.stages.detect import silencing


def of_host(centre: Centre, agent: Agent, now: datetime) -> list[outlook.Outlook]:
    """Return the outlook of every playbook of the library on this host, by name."""
    circumstances = _circumstances(centre, agent, now)
    return [
        outlook.best(_facts(centre, agent, playbook, circumstances))
        for playbook in centre.library.playbooks()
    ]


def _facts(
    centre: Centre, agent: Agent, playbook: Playbook, circumstances: Circumstances
) -> list[PolicyFacts]:
    ended = centre.orders.ended(playbook.digest, agent.environment)
    usual = target.kind(next(iter(playbook.metrics), ""), "", agent.tags)
    kinds = dict.fromkeys([usual, *(one.kind for one in ended if one.kind != ANY_KIND)])
    settings = settings_of(centre.settings)
    return [
        PolicyFacts(
            host=agent.host,
            environment=agent.environment,
            tags=agent.tags,
            playbook=playbook,
            confidence=None,
            missing=(),
            record=record_in(centre, playbook, ended, agent=agent.id, kind=kind),
            circumstances=circumstances,
            settings=settings,
        )
        for kind in kinds
    ]


def _circumstances(centre: Centre, agent: Agent, now: datetime) -> Circumstances:
    place = silencing.place(agent.host, agent.environment, agent.tags)
    windows = centre.switches.windows(Purpose.MAINTENANCE, at=now)
    return Circumstances(
        known_environments=frozenset(centre.environments),
        frozen=centre.switches.freeze() is not None,
        audit_healthy=True,  # what records an order stops it where it cannot
        maintenance=bool(silencing.covering(windows, place, now)),
        doubted=bool(agent.quarantined),
        service_starts_last_hour=centre.orders.started_on(agent.id, since=now - HOUR),
        fleet_starts_last_hour=centre.orders.started_since(
            now - HOUR, environment=agent.environment
        ),
    )
