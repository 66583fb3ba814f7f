"""Open the incident of a playbook that a person asked for by its name.

Called by the API. Rules:

1. A request decides nothing. It opens an incident of an enrolled host, and that incident's flow is
   the usual one: policy, approval, order, the host's own admission, audit. What the request
   chooses, and that it never permits more, is stages.decide.requested.
2. One request for a playbook on a host is open at a time; a second one is refused by the store, so
   a request that was sent twice runs once.
3. What can be told to be wrong here is refused here, before anything is opened: a parameter that is
   not declared, missing, or outside what was signed.
4. It needs no reading and no symptom, so no recovery ends it: a person's answer, its order or its
   time does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sentienguard.controlplane.centre import Centre
from sentienguard.model import errors
from sentienguard.model.anomaly import Anomaly, Ground, Requested, Severity
from sentienguard.model.ids import incident_id
from sentienguard.model.incident import Incident
from sentienguard.model.playbook import Playbook
from sentienguard.model.telemetry import Series
from sentienguard.ports.agent_store import Agent
from sentienguard.stages.decide import requested

METRIC: Final = "playbook.requested"  # no remedy is for it; silences and lists may name it
MOST_CHARACTERS: Final = 1_000  # of all parameters together, so that they fit one entry
_SHAPE = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_./:@%+\-]{0,254}", re.ASCII)  # as hosts take it


class RequestRefused(errors.Rejected):
    """The request cannot be carried out as it is."""


class AlreadyRequested(errors.Rejected):
    """The same playbook is asked for on this host already (rule 2)."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks."""

    name: str
    role: str  # in the environment of the host
    address: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for."""

    parameters: Mapping[str, str]
    dry_run: bool
    note: str


def open_run(
    centre: Centre, agent: Agent, playbook: Playbook, wish: Wish, asker: Asker
) -> Incident:
    """Open the incident. Raises RequestRefused, AlreadyRequested, and what the stores raise."""
    _check(playbook, wish.parameters)
    now = centre.clock.now()
    kind = "a dry run of " if wish.dry_run else ""
    because = f": {wish.note}" if wish.note else ""
    anomaly = Anomaly(
        series=Series(agent.host, METRIC, playbook.name),
        at=now,
        value=1.0,
        severity=Severity.INFO,
        ground=Ground.REQUEST,
        sigma=None,
        baseline=None,
        trend=None,
        reason=f"{asker.name} asks for {kind}{playbook.name}{because}",
        request=Requested(
            by=asker.name,
            role=asker.role,
            address=asker.address,
            playbook=playbook.name,
            digest=playbook.digest,
            parameters=dict(wish.parameters),
            dry_run=wish.dry_run,
            note=wish.note,
        ),
    )
    name = incident_id(now, centre.entropy.bytes(4))
    opened = centre.incidents.open(
        Incident(
            id=name,
            agent=agent.id,
            host=agent.host,
            environment=agent.environment,
            tags=agent.tags,
            fingerprint=anomaly.fingerprint,
            anomaly=anomaly,
            opened_at=now,
            summary=anomaly.reason,
        )
    )
    if opened.id != name:  # rule 2
        raise AlreadyRequested(
            f"{playbook.name} is asked for on {agent.host} already: {opened.id}; wait for its end "
            "or withdraw it"
        )
    centre.counters.add("incidents_opened_total")
    centre.begin(opened.id)
    centre.live.changed("incident", opened.id, now)
    return opened


def _check(playbook: Playbook, given: Mapping[str, str]) -> None:  # rule 3
    known = {one.name: one for one in playbook.parameters}
    if unknown := sorted(set(given) - set(known)):
        raise RequestRefused(
            f"{playbook.name} has no parameter {unknown[0][:64]!r}; it has "
            f"{', '.join(known) or 'none'}"
        )
    if sum(len(value) for value in given.values()) > MOST_CHARACTERS:
        raise RequestRefused(f"parameters: expected at most {MOST_CHARACTERS} characters together")
    for name, one in known.items():
        value = given.get(name, one.default)
        if value is None:
            raise RequestRefused(f"{playbook.name} needs the parameter {name}: {one.description}")
        if not _SHAPE.fullmatch(value) or not requested.fits(one, value):
            raise RequestRefused(
                f"parameter {name} is {value[:64]!r}, which is no {one.type} as it was signed"
            )
