"""The keys that are online: how old each is, when it is due, and what puts a new one in its place.

Names, ages and fingerprints; never a key. Rotating is no request: what may happen without the root
keys happens by itself, and the rest needs people with keys that are not here.
"""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from sentienguard.controlplane import key_care
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.flow.key_ages import OnlineKey
from sentienguard.model import errors
from sentienguard.model.access import Permission

router = APIRouter(prefix="/api/v1/keys", tags=["settings"])
Reader = Annotated[Caller, Depends(needs(Permission.CHANGE_SETTINGS, everywhere=True))]


class KeyView(BaseModel):
    """One key that is online."""

    name: str
    id: str = Field(description="key id, fingerprint or number")
    made_at: datetime = Field(description="or when it was seen first")
    age_days: int
    due_at: datetime
    stage: Literal["good", "soon", "due"]
    rotates: Literal["by itself", "with the root keys", "by hand"]
    way: str = Field(description="what puts a new one in its place")


class KeyList(BaseModel):
    """All keys that are online."""

    items: list[KeyView]
    rotate_keys_days: int = Field(description="the setting: how old a key may become")


@router.get("")
def list_keys(caller: Reader) -> KeyList:
    """List the keys that are online with their ages, and when each is due."""
    care = caller.centre.keys
    if care is None:
        raise errors.Unavailable("nobody looks after keys here")
    return KeyList(
        items=[_view(caller, one) for one in care.all(caller.centre)],
        rotate_keys_days=caller.centre.settings.rotate_keys_days,
    )


def _view(caller: Caller, one: OnlineKey) -> KeyView:
    lives = key_care.lifetime(caller.centre)
    return KeyView(
        name=one.name,
        id=one.id,
        made_at=one.made_at,
        age_days=max((caller.at - one.made_at).days, 0),
        due_at=one.due_at(lives),
        stage=one.stage(caller.at, lives).value,
        rotates=one.rotates.value,
        way=one.way,
    )
