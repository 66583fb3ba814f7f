"""Put together what tells people of incidents: the owner's file, the guarded way out, the services.

Called by `app.py` alone, whose part this is: it names adapters. Without the file nobody is told,
and nothing is connected to.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from sentienguard.adapters.notify import channels as services
from sentienguard.adapters.notify import mail
from sentienguard.adapters.notify.slack import Slack
from sentienguard.adapters.notify.slack_socket import SlackSocket
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.controlplane import app_secrets, questions
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.notice_desk import NoticeDesk, Telling
from sentienguard.controlplane.settings import SettingWrong
from sentienguard.controlplane.slack_desk import SlackDesk, Space
from sentienguard.flow.telling import routes
from sentienguard.ports.notifier import Channel

SECTIONS: Final = frozenset({"channels", "routes", "digest", "secrets"})


@contextlib.contextmanager
def opened(centre: Centre, directory: Path, base: str) -> Iterator[Telling]:
    """Open the channels of the owner's file, and close them again.

    Raises SettingWrong, ChannelWrong, RouteWrong and NotAllowed, each naming the place.
    """
    path = directory / centre.settings.notices_file
    if not path.exists():
        yield Telling()
        return
    document = _document(path)
    stores = app_secrets.opened(path.parent, centre.clock, document.get("secrets"))
    said = services.read(document.get("channels", {}), path.parent, stores)
    way = GuardedClient(
        Allowed.of(one.url, private=one.private, below=one.below) for one in services.wanted(said)
    )
    found = services.open_all(said, way, lambda box: mail.Mail(box, way.connect, way.tls))
    plan = routes.read(document, [one.name for one in found])
    if centre.company is None:  # nobody else can be sending what was under way
        centre.outbox.unclaim()
    desk = NoticeDesk(centre, found, plan, base)
    with contextlib.ExitStack() as closing:
        slack = _slack(centre, found, base, directory)
        if slack is not None:
            slack.start()
            closing.callback(slack.close)
            for line in _sockets(centre, found, way):
                line.start(slack.payload)
                closing.callback(line.stop)
        yield Telling(desk, slack)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise SettingWrong(f"{path}: expected YAML, found {cause}") from cause
    if not isinstance(document, dict) or not set(document) <= SECTIONS:
        expected = ", ".join(sorted(SECTIONS))
        raise SettingWrong(f"{path}: expected a mapping of {expected}")
    return document


def _slack(
    centre: Centre, found: Sequence[Channel], base: str, directory: Path
) -> SlackDesk | None:
    spaces = [
        Space(one.notifier.space.team, _signing(one.notifier), one.notifier)
        for one in found
        if isinstance(one.notifier, Slack)
    ]
    if not spaces:
        return None
    asking = questions.InText(centre, base.rstrip("/"))
    return SlackDesk(centre, spaces, base, asking, directory / "late-answers")


def _signing(slack: Slack) -> Callable[[], str] | None:
    secret = slack.space.signing_secret
    return None if secret is None else secret.text


def _sockets(centre: Centre, found: Sequence[Channel], way: GuardedClient) -> Iterator[SlackSocket]:
    """Yield one socket for each app token, however many channels it has."""
    seen: set[str] = set()
    for one in found:
        if not isinstance(one.notifier, Slack):
            continue
        token = one.notifier.space.app_token
        if token is not None and token.where not in seen:
            seen.add(token.where)
            yield SlackSocket(one.notifier.space, way, way.connect, way.tls, centre.clock.now)
