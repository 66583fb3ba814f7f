"""Measure and change objects beyond this host, on targets that the host's owner declared.

Called by stages.execute (facts of a parameter of type object, steps kubectl_*, aws_cli, gcloud,
az_cli and ssh_command with an object). Offered by adapters.kubernetes, adapters.aws,
adapters.cloud_cli and adapters.ssh_hosts, one target each, behind agent.relays, and by simulated
hosts. A host without declared targets is no relay: it knows no object.

Rules that an implementation keeps:

1. Nothing but a declared target is reached, and on it only what its owner allowed.
2. An act is one of `playbook.objects.ACTS`; names and arguments are never part of a command line
   that a shell reads, nor of an address that is not built here.
3. `act` does nothing if the object is no longer the one that `look` saw (`Changed`).
4. `act` and `restore` that find their work done change nothing and say so.
5. `rehearse` changes nothing; where the other side can judge a request without doing it, it does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from sentienguard.model import errors
from sentienguard.ports import facts, interrupt

Seen: TypeAlias = Mapping[str, Any]  # JSON: what an act needs to know and an undo to put back


class UnknownObject(errors.Rejected):
    """No such target, not allowed there, no such object, or it cannot be asked that."""


class Unreachable(errors.Unavailable):
    """The target did not answer, or not in a way that can be understood."""


class Changed(errors.Rejected):
    """The object is not as it was when it was looked at; nothing was done."""


class Refused(errors.Rejected):
    """The target refused: its own rights or rules forbid it; nothing was done."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One act on one object."""

    object: str  # its name, as `playbook.objects` reads it
    step: str  # kind of step
    call: str  # of a step that has several; else empty
    arguments: Mapping[str, str | int]  # of that act, each checked against the playbook


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and on whose behalf."""

    limit_s: float  # in all
    mark: str  # carried by every process that it starts
    interrupt: interrupt.Interrupt  # ends programs early; a request that was sent is not recalled


@dataclass(frozen=True, slots=True)
class Acted:
    """What came of it."""

    detail: str  # one sentence
    changed: bool | None = True  # None: cannot be told; False: it was so already
    output: str = field(default="")  # of a program, for the record


class RemoteObjects(Protocol):
    """The declared targets of one host, all together."""

    def allow(self, name: str) -> None:
        """Check that the owner declared where this object is. Reaches nobody.

        Raises UnknownObject, playbook.objects.NotAnObject.
        """

    def measure(self, name: str, fact: str) -> facts.Fact:
        """Measure one fact of one object now; an object that is gone has the status `missing`.

        Raises UnknownObject, Unreachable, Refused, facts.UnknownFact.
        """

    def look(self, asked: Asked, effort: Effort) -> Seen:
        """Return what `act` and `restore` will need. Raises UnknownObject, Unreachable, Refused."""

    def rehearse(self, asked: Asked, effort: Effort) -> str:
        """Say what would happen, asking the target where it can tell. Raises as `act`."""

    def act(self, asked: Asked, seen: Seen, effort: Effort) -> Acted:
        """Do it. Raises Changed, Refused, UnknownObject; Unreachable where the end is unknown."""

    def restore(self, asked: Asked, seen: Seen, effort: Effort) -> Acted:
        """Put back what `act` changed, and look whether it is back. Raises as `act`."""
