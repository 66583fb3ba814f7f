"""Wire what looks around incidents. Called by app.py; names its adapters for it."""

import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentienguard.adapters.git_log.reader import GitLog
from sentienguard.adapters.loki.client import Address, Loki
from sentienguard.controlplane import key_files
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.context import Contexts
from sentienguard.controlplane.known_changes import KnownChanges
from sentienguard.controlplane.queries import Queries
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.flow.advising import Contexts as MakesContexts
from sentienguard.flow.centre import Samples
from sentienguard.flow.diagnosing import Diagnosing, Sources
from sentienguard.flow.lines_elsewhere import LinesElsewhere

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Around:
    """What looks around incidents."""

    diagnosing: Diagnosing  # says where one comes from
    contexts: MakesContexts  # what an adviser may ask about one


def around(centre: Centre, samples: Samples) -> Around:
    """Put it together as the settings say. Raises SettingWrong."""
    repositories = repositories_of(centre.settings)
    commits = GitLog(repositories, centre.clock) if repositories else None
    changes = KnownChanges(centre.changes, commits)
    address = loki_of(centre.settings)
    loki = None if address is None else Loki(address)
    contexts = Contexts(
        Queries(centre),
        samples,
        agents=centre.agents,
        outside_logs=centre.outside_logs,
        changes=changes,
        elsewhere=loki,
    )
    patience = centre.settings.loki_decision_s
    asked = loki if patience else None
    elsewhere = None if asked is None else LinesElsewhere(asked, centre.clock, limit_s=patience)
    sources = Sources(centre.topology, centre.outside_logs, changes, elsewhere)
    return Around(Diagnosing(centre, samples, sources), contexts.of)


def loki_of(settings: Settings) -> Address | None:
    """Return where Loki is; None: there is none. Raises SettingWrong."""
    url = settings.loki_url
    if not url:
        return None
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingWrong(f"setting loki_url: expected an http or https address, found {url!r}")
    if "$environment" not in settings.loki_selector or "$service" not in settings.loki_selector:
        raise SettingWrong(
            "setting loki_selector: expected $service and $environment in it, so that an incident "
            f"is shown lines of its own environment; found {settings.loki_selector!r}"
        )
    key = key_files.read("loki_key_file", settings.loki_key_file)
    if key and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise SettingWrong(
            f"setting loki_url: {url} would carry loki_key_file's key in clear text; use https"
        )
    return Address(
        url=url,
        selector=settings.loki_selector,
        key=key,
        tenant=settings.loki_tenant,
        limit_s=settings.loki_limit_s,
    )


def repositories_of(settings: Settings) -> dict[str, Path]:
    """Return the declared repositories by service. Raises SettingWrong."""
    found: dict[str, Path] = {}
    for part in filter(None, (one.strip() for one in settings.git_repositories.split(","))):
        service, equals, place = part.partition("=")
        if not (service and equals and place.startswith("/")):
            raise SettingWrong(
                f"setting git_repositories: expected SERVICE=/DIRECTORY, found {part!r}"
            )
        found[service.strip()] = Path(place.strip())
    return found
