"""How long symptoms stood in the pretend world, and what was judged of recoveries.

Called by `centre`; see ports.spell_store for what each method promises.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

from sentienguard.model.ids import AgentId, Fingerprint, IncidentId, OrderId
from sentienguard.model.incident import Incident, Outcome
from sentienguard.model.order import OrderStatus
from sentienguard.model.spell import Spell
from sentienguard.model.target import kind
from sentienguard.ports.order_store import KeptOrder
from sentienguard.simulation.stores.database import Database
from sentienguard.simulation.stores.episodes import Episodes
from sentienguard.simulation.stores.incidents import Incidents
from sentienguard.simulation.stores.orders import Orders

_NOT_OF_PEOPLE = {Outcome.RESOLVED, Outcome.SELF_RECOVERED, Outcome.NO_ACTION_NEEDED, None}
_NOTHING_RAN = {OrderStatus.WITHDRAWN, OrderStatus.REFUSED}


class Spells:
    """A ports.spell_store.SpellStore over the other pretend stores."""

    def __init__(
        self,
        database: Database,
        episodes: Episodes,
        incidents: Incidents,
        orders: Orders,
    ) -> None:
        """Read what these hold."""
        self._database = database
        self._episodes = episodes
        self._incidents = incidents
        self._orders = orders

    def of(self, incident: IncidentId) -> Spell | None:
        """Return the spell of an incident; None where no episode of it is known."""
        self._database.read()
        return next(iter(self._of({incident: self._incidents.rows.get(incident)})), None)

    def around(self, environment: str, *, since: datetime, until: datetime) -> Sequence[Spell]:
        """Return spells of an environment that began in that time, newest first."""
        self._database.read()
        found = {
            name: one
            for name, one in self._incidents.rows.items()
            if one.environment == environment
        }
        return [one for one in self._of(found) if since <= one.started_at <= until]

    def before(
        self, agent: AgentId, fingerprint: Fingerprint, *, since: datetime
    ) -> Sequence[Spell]:
        """Return spells of one symptom at one place since then, newest first."""
        self._database.read()
        found = {
            name: one
            for name, one in self._incidents.rows.items()
            if (one.agent, one.fingerprint) == (agent, fingerprint) and one.opened_at >= since
        }
        return self._of(found)

    def judged(self, order: OrderId, *, counts: bool, because: str) -> bool:
        """Keep whether a recovery counts for its playbook; False where nothing changed."""
        del because
        self._database.write("credit")
        before = self._orders.counts.get(order)
        changed = before is None or (before and not counts)
        if changed:
            self._orders.counts[order] = counts
        self._database.wrote("credit")
        return changed

    def _of(self, incidents: Mapping[IncidentId, Incident | None]) -> list[Spell]:
        orders = {
            one.order.incident: one
            for one in self._orders.rows.values()
            if not one.order.dry_run
            and one.status not in _NOTHING_RAN
            and one.order.incident in incidents
        }
        found = [
            self._spell(one, orders.get(name))
            for name, one in incidents.items()
            if one is not None and name in self._episodes.begun
        ]
        return sorted(found, key=lambda one: one.started_at, reverse=True)

    def _spell(self, incident: Incident, order: KeptOrder | None) -> Spell:
        series = incident.anomaly.series
        spell = Spell(
            incident=incident.id,
            agent=incident.agent,
            fingerprint=incident.fingerprint,
            metric=series.metric,
            subject=series.subject,
            kind=kind(series.metric, series.subject, incident.tags),
            started_at=self._episodes.begun[incident.id],
            ended_at=self._episodes.ended.get(incident.id),
            people_at=None if incident.outcome in _NOT_OF_PEOPLE else incident.closed_at,
        )
        if order is None:
            return spell
        return dataclasses.replace(
            spell,
            remedied_at=order.released_at,
            order=order.order.id,
            playbook=order.order.digest,
            counts=self._orders.counts.get(order.order.id),
        )
