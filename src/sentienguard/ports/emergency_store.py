"""Keep emergencies: rights for minutes that two people gave.

Called by controlplane.break_glass and controlplane.api.caller. Offered by adapters.sql_store.
Rules:

 1. Two people: nobody agrees to their own request.
 2. A request is agreed to once, in time; its right has an end from then on.
 3. What was ended stays ended.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors
from sentienguard.model.emergency import Emergency, EmergencyId


class NoSuchEmergency(errors.Rejected):
    """No emergency has this id."""

    @classmethod
    def called(cls, emergency: str) -> "NoSuchEmergency":
        """Return what is said alike of one that is not there and of one that may not be seen."""
        return cls(f"no emergency is called {emergency[:80]!a}; list them to find it")


class EmergencyOver(errors.Rejected):
    """It was agreed to, ended, or its time is up; see its phase."""


class OwnRequest(errors.Rejected):
    """Two people are needed, and this is the one who asked."""


class EmergencyStore(Protocol):
    """Emergencies by id and by person."""

    def ask(self, emergency: Emergency) -> None:
        """Keep a request. Raises Rejected where the id is taken, NoSuchUser."""

    def get(self, emergency: EmergencyId) -> Emergency:
        """Return one. Raises NoSuchEmergency."""

    def agree(self, emergency: EmergencyId, *, by: str, at: datetime) -> Emergency:
        """Let it stand from now for its minutes (rules 1 and 2).

        Raises NoSuchEmergency, OwnRequest, EmergencyOver.
        """

    def end(self, emergency: EmergencyId, *, by: str, at: datetime) -> Emergency:
        """End it, or withdraw the request; empty `by`: its time is up (rule 3).

        Raises NoSuchEmergency, EmergencyOver where it does not stand and nobody can agree.
        """

    def of(self, user: str, *, at: datetime) -> Sequence[Emergency]:
        """Return those of a person that stand, oldest first."""

    def list(self) -> Sequence[Emergency]:
        """Return the newest 200, newest first."""

    def unrecorded(self, *, at: datetime) -> Sequence[Emergency]:
        """Return those whose time is up and that `end` has not been told of."""
