"""The settings that this control plane runs with, each with its sentence. Read only.

They change in `sentienguard.yaml` or the environment, and with a restart: what people may do at
runtime has a resource of its own. Keys are files, so their names are shown and never their content;
of an address that can hold a password it is left out.
"""

import re
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from sentienguard import __version__
from sentienguard.controlplane import settings as settings_module
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model.access import Permission

router = APIRouter(prefix="/api/v1/settings", tags=["settings"])
Reader = Annotated[Caller, Depends(needs(Permission.CHANGE_SETTINGS, everywhere=True))]
_PASSWORD = re.compile(r"(?<=://)\S*(?=@)|(?<=password=)[^&\s]*", re.IGNORECASE)


class SettingValue(BaseModel):
    """One setting."""

    name: str
    sentence: str
    value: str | int | float
    default: str | int | float
    changed: bool = Field(description="it is not the default")


class SettingList(BaseModel):
    """All settings, in the order of the reference."""

    items: list[SettingValue]
    version: str = Field(description="of the control plane")
    file: str = Field(description="in the control plane's directory; read once, at the start")


@router.get("")
def list_settings(caller: Reader) -> SettingList:
    """List the settings with what they are for, their defaults and what holds now."""
    current = caller.centre.settings
    return SettingList(
        items=[
            SettingValue(
                name=name,
                sentence=sentence,
                value=without_password(getattr(current, name)),
                default=default,
                changed=getattr(current, name) != default,
            )
            for name, (sentence, default) in settings_module.sentences().items()
        ],
        version=__version__,
        file=settings_module.FILE_NAME,
    )


def without_password(value: str | float) -> str | float:
    """Return a value without what stands for name and password in an address."""
    return _PASSWORD.sub("…", value) if isinstance(value, str) else value
