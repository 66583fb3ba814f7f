"""Wire what looks around incidents. Called by app.py; names its adapters for it."""

import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from sentienguard.adapters.git_log.reader import GitLog
from sentienguard.adapters.loki import client
from sentienguard.adapters.loki.client import Address, Loki
from sentienguard.controlplane import app_outbound, named_keys
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.context import Contexts
from sentienguard.controlplane.known_changes import KnownChanges
from sentienguard.controlplane.queries import Queries
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.flow.advising import Contexts as MakesContexts
from sentienguard.flow.centre import Samples
from sentienguard.flow.diagnosing import Diagnosing, Sources
from sentienguard.flow.lines_elsewhere import LinesElsewhere
from sentienguard.model import addresses
from sentienguard.ports.secrets import Fetch, Secret, Secrets


@dataclass(frozen=True, slots=True)
class Around:
    """What looks around incidents."""

    diagnosing: Diagnosing  # says where one comes from
    contexts: MakesContexts  # what an adviser may ask about one


def around(centre: Centre, samples: Samples, stores: Secrets) -> Around:
    """Put it together as the settings say. Raises SettingWrong."""
    repositories = repositories_of(centre.settings)
    commits = GitLog(repositories, centre.clock) if repositories else None
    changes = KnownChanges(centre.changes, commits)
    loki = loki_of(centre.settings, stores)
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


def loki_of(settings: Settings, stores: Secrets) -> Loki | None:
    """Return the Loki that is asked; None: there is none. Raises SettingWrong."""
    if not settings.loki_url:
        return None
    if "$environment" not in settings.loki_selector or "$service" not in settings.loki_selector:
        raise SettingWrong(
            "setting loki_selector: expected $service and $environment in it, so that an incident "
            f"is shown lines of its own environment; found {settings.loki_selector!r}"
        )
    url, user, password = _parted(settings.loki_url)
    key = named_keys.named(settings, "loki_key", stores)
    if key is not None and password is not None:
        raise SettingWrong("setting loki_url: expected a key or a password in it, found both")
    proof = key or password
    bounds = app_outbound.Bounds(settings.loki_limit_s, client.LONGEST_ANSWER)
    way = app_outbound.way_to("loki_url", url, settings, bounds, has_key=proof is not None)
    address = Address(
        url=url,
        selector=settings.loki_selector,
        user=user,
        tenant=settings.loki_tenant,
        limit_s=settings.loki_limit_s,
    )
    return Loki(address, way, proof)


def _parted(url: str) -> tuple[str, str, Fetch | None]:
    """Return an address without the name and the password of HTTP basic that may stand in it."""
    if not addresses.names_somebody(url):
        return url, "", None
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # brackets that are none; the text may hold a password
        raise SettingWrong("setting loki_url: expected https://NAME:PASSWORD@HOST") from None
    user, password = parts.username or "", urllib.parse.unquote(parts.password or "")
    if not user or not password:
        raise SettingWrong("setting loki_url: expected NAME:PASSWORD before the host, or nothing")
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return plain, urllib.parse.unquote(user), lambda: Secret(password)


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
