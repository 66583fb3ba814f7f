"""Read the owner's channels and open them. Called by the composition root and by `doctor`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from sentienguard.adapters.notify import (
    jira,
    mail,
    mattermost,
    pagerduty,
    slack,
    teams,
    webhook,
)
from sentienguard.adapters.notify.said import ChannelWrong, Said
from sentienguard.ports.notifier import Channel, Notifier
from sentienguard.ports.outbound import Outbound, Wanted
from sentienguard.ports.secrets import Secrets

SERVICES: Final[Mapping[str, ModuleType]] = {
    one.KIND: one for one in (slack, pagerduty, mail, webhook, teams, mattermost, jira)
}
FOLDS: Final = frozenset({slack.KIND, mail.KIND, teams.KIND, mattermost.KIND})  # where people read


def read(document: Any, directory: Path, stores: Secrets) -> list[Said]:
    """Return the channels of the file. Raises ChannelWrong."""
    if not isinstance(document, Mapping):
        raise ChannelWrong(f"channels: expected a mapping, found {type(document).__name__}")
    found = []
    for name, said in document.items():
        if not isinstance(said, Mapping) or said.get("kind") not in SERVICES:
            known = ", ".join(SERVICES)
            raise ChannelWrong(f"channel {name}: kind: expected one of {known}")
        found.append(Said(str(name), said, directory, stores))
    return found


def wanted(channels: Iterable[Said]) -> list[Wanted]:
    """Return where the channels want to connect. Raises ChannelWrong."""
    return [one for said in channels for one in SERVICES[said.kind].wanted(said)]


def open_all(
    channels: Sequence[Said], way: Outbound, mails: Callable[[mail.Mailbox], mail.Mail]
) -> list[Channel]:
    """Open them; everything that a channel says has to be known. Raises ChannelWrong."""
    opened = []
    for said in channels:
        if said.kind == mail.KIND:  # it speaks no HTTP
            notifier: Notifier = mails(mail.mailbox(said))
        else:
            notifier = cast("Notifier", SERVICES[said.kind].open_channel(said, way))
        said.finish()
        opened.append(Channel(said.name, said.kind, notifier, said.kind in FOLDS))
    return opened
