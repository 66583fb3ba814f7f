"""Forget people and contents on request, and tell whose a pseudonym is."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from sentienguard.controlplane import erasure
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model.access import Permission

router = APIRouter(prefix="/api/v1", tags=["users"])
# It reaches every environment and cannot be undone.
Manager = Annotated[Caller, Depends(needs(Permission.MANAGE_USERS, everywhere=True, fresh=True))]
Looker = Annotated[Caller, Depends(needs(Permission.VIEW_USERS, everywhere=True))]
Exporter = Annotated[
    Caller, Depends(needs(Permission.EXPORT_EVIDENCE, everywhere=True, fresh=True))
]
Name = Annotated[str, Path(max_length=254)]


class Erasing(BaseModel):
    """Why something is destroyed."""

    reason: str = Field(min_length=1, max_length=300, description="for example a request's number")


class PersonErased(BaseModel):
    """What stands for somebody who was forgotten."""

    pseudonym: str = Field(description="what the log goes on to call them")
    changed: int = Field(description="rows of the database in which the name stood")


class BlobErased(BaseModel):
    """A content that is gone; the log still proves its digest and length."""

    sha256: str


class Whose(BaseModel):
    """Who a name or a pseudonym of the log is."""

    name: str = Field(description="empty: nobody's here, or of somebody who was forgotten")
    pseudonym: str = Field(description="what stands for this person in the log; empty: nothing")
    as_stranger: str = Field(
        description="what stands in the log for this name where it was only claimed, in a login"
    )


class OpeningView(BaseModel):
    """What shows whose a pseudonym is: HMAC-SHA256 under the key, as trust.pseudonym says."""

    pseudonym: str
    name: str
    key: str = Field(description="hex; who has it can show whose this is for ever")


class Openings(BaseModel):
    """Everybody whom the log may name, and who was not forgotten."""

    items: list[OpeningView]


@router.post("/users/{name}/erase")
def erase_person(name: Name, wanted: Erasing, caller: Manager) -> PersonErased:
    """Forget somebody: account, logins, factors, and the name wherever the database has it."""
    pseudonym, changed = erasure.person(caller.centre, name, _asked(caller, wanted))
    return PersonErased(pseudonym=pseudonym, changed=changed)


@router.post("/audit/entries/{index}/blobs/{sha256}/erase")
def erase_blob(
    index: Annotated[int, Path(ge=0, lt=2**53)],
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
    wanted: Erasing,
    caller: Manager,
) -> BlobErased:
    """Destroy a content that an entry of the log names, such as a step's output."""
    erasure.blob(caller.centre, index, sha256, _asked(caller, wanted))
    return BlobErased(sha256=sha256)


@router.get("/people")
def openings(caller: Exporter) -> Openings:
    """Tell whose each pseudonym is, with the key that shows it: for who checks evidence."""
    people = caller.centre.people
    found = [people.opening(pseudonym) for pseudonym in people.names()]
    known = [one for one in found if one is not None]
    caller.centre.audit.append(
        kind="people.opened",
        env="",
        actor=caller.user.name,
        data={"people": len(known), "ip_address": caller.address},
    )
    items = [
        OpeningView(pseudonym=one.pseudonym, name=one.name, key=one.key.hex()) for one in known
    ]
    return Openings(items=sorted(items, key=lambda one: one.pseudonym))


@router.get("/people/{who}")
def whose(who: Name, caller: Looker) -> Whose:
    """Tell whose a pseudonym is, or what stands for a name in the log."""
    people = caller.centre.people
    name = people.names().get(who, "")
    pseudonym = who if name else people.known().get(who, "")
    return Whose(
        name=name or (who if pseudonym else ""),
        pseudonym=pseudonym,
        as_stranger="" if name else people.stranger(who),
    )


def _asked(caller: Caller, wanted: Erasing) -> erasure.Asked:
    return erasure.Asked(caller.user.name, caller.address, " ".join(wanted.reason.split()))
