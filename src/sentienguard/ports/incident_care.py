"""Keep who looks after which incident.

Called by controlplane.api. Offered by adapters.sql_store. Notes are in the audit log alone.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sentienguard.model import errors
from sentienguard.model.care import Care, Signed
from sentienguard.model.ids import IncidentId


class AlreadySettled(errors.Rejected):
    """Somebody closed it by hand before; the first one counts."""


class IncidentCare(Protocol):
    """What people did, by incident. Every method is one transaction and durable when it returns."""

    def of(self, incident: IncidentId) -> Care:
        """Return what people did about one; nothing where nobody did anything."""

    def of_many(self, incidents: Sequence[IncidentId]) -> Mapping[IncidentId, Care]:
        """Return the same of many; of each, also where nobody did anything."""

    def acknowledge(self, incident: IncidentId, who: Signed) -> Care:
        """Remember that somebody has it in hand; the first one stays."""

    def assign(self, incident: IncidentId, to: str | None, who: Signed) -> Care:
        """Give it to a person, or to nobody; the last one counts."""

    def settle(self, incident: IncidentId, who: Signed, because: str) -> Care:
        """Remember who closed it by hand. Raises AlreadySettled."""
