"""Forget a person, or what one entry of the log keeps beside it, because somebody asked for it.

Called by api.erasure. Rules:

1. The deed stands in the log, with who did it and why, before anything is destroyed; what was
   destroyed is not in it. Asked again after a crash it is done again.
2. Nobody forgets themselves: there is always an account left that may manage accounts.
3. Whoever is forgotten is logged out first, everywhere.
4. What an incident still rests on, that is not over, is not erased.
5. The log is not changed: its entries go on to name the pseudonym, and every proof still holds.
6. What goes last is the key: whoever asks again after a crash still finds whom to forget.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sentienguard.controlplane import logins
from sentienguard.flow.answers import is_same
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Status
from sentienguard.ports.user_store import NoSuchUser

if TYPE_CHECKING:
    from sentienguard.controlplane.centre import Centre

PERSON: Final = "user.erased"
BLOB: Final = "blob.erased"


class NotErased(errors.Rejected):
    """What is asked for may not be destroyed, or not now."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for it, from where, and why."""

    by: str
    address: str
    reason: str


def person(centre: "Centre", name: str, asked: Asked) -> tuple[str, int]:
    """Forget somebody; return their pseudonym, and in how many places the name stood.

    Raises NotErased, NoSuchUser, and what the stores raise.
    """
    stands_for = centre.people.known().get(name)
    if stands_for is None:
        raise NoSuchUser(f"nobody is known by the name {name[:80]!r}; list users to find it")
    if is_same(name, asked.by):  # rule 2
        raise NotErased("nobody erases themselves; another administrator does")
    _record(centre, PERSON, asked, {"user": stands_for})
    logins.end_all(centre, name, by=asked.by, because="erased", address=asked.address)  # rule 3
    for keeper in (centre.evidence, centre.errands):  # files of things that somebody asked for
        if keeper is not None:
            keeper.rename(name, stands_for)
    changed = centre.people.forget(name)
    centre.live.changed("user", stands_for, centre.clock.now())
    return stands_for, changed


def blob(centre: "Centre", index: int, sha256: str, asked: Asked) -> None:
    """Destroy the key of a blob that an entry names. Raises NotErased, NoSuchEntry, NoSuchBlob."""
    fields = centre.log.entry(index).fields
    if sha256 not in {one["sha256"] for one in fields["blobs"]}:
        raise NotErased(f"entry {index} names no blob {sha256[:64]}; look at its `blobs`")
    incident = fields["incident"]
    if incident and centre.incidents.get(IncidentId(incident)).status is not Status.CLOSED:
        raise NotErased(f"{incident} is not over and may rest on it; erase it afterwards")  # rule 4
    _record(centre, BLOB, asked, {"entry": index, "sha256": sha256}, env=fields["env"])
    centre.log.erase_blob(sha256)


def _record(
    centre: "Centre", kind: str, asked: Asked, said: dict[str, str | int], *, env: str = ""
) -> None:
    about = {"reason": asked.reason, "ip_address": asked.address}
    centre.audit.append(kind=kind, env=env, actor=asked.by, data={**said, **about})
