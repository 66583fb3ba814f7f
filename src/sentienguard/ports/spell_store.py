"""Tell how long symptoms stood, and keep what was judged of recoveries after a remedy.

Called by flow.crediting. Offered by adapters.sql_store and, in memory, by simulation.spells.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sentienguard.model.ids import AgentId, Fingerprint, IncidentId, OrderId
from sentienguard.model.spell import Spell


class SpellStore(Protocol):
    """Spells by place and by time; what they are made of is other stores'."""

    def of(self, incident: IncidentId) -> Spell | None:
        """Return the spell of an incident; None where no episode of it is known."""

    def around(self, environment: str, *, since: datetime, until: datetime) -> Sequence[Spell]:
        """Return spells of an environment that began in that time, newest first, at most 500."""

    def before(
        self, agent: AgentId, fingerprint: Fingerprint, *, since: datetime
    ) -> Sequence[Spell]:
        """Return spells of one symptom at one place since then, newest first, at most 100."""

    def judged(self, order: OrderId, *, counts: bool, because: str) -> bool:
        """Keep whether the recovery after an order counts for its playbook.

        False where nothing changed. What was explained stays explained: a later word takes a credit
        back, never gives one.
        """
