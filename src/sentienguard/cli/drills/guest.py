"""The agent of a bed: its identity, its start, its first samples."""

import json
import time
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sentienguard.agent import enroll, private_files
from sentienguard.agent import settings as agent_settings
from sentienguard.cli import client
from sentienguard.cli.drills import definition
from sentienguard.cli.drills.beds import bed
from sentienguard.cli.installation.places import Places
from sentienguard.model import errors, ids

INTERVAL_S = 1.0  # between samples, so that a drill takes seconds
READY_S = 40.0
POLL_S = 0.1
CONFIG_S = 5  # between two requests for the configuration
# Of directories, for one sample: between samples of the usual 10 s and more, as much is walked.
WALK_MS, WALK_ENTRIES = 400, 200_000


class NotReady(errors.Unavailable):
    """The agent of a bed did not report; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Guest:
    """One agent on one bed."""

    bed: bed.Bed
    host: str  # how the control plane calls it
    agent_id: ids.AgentId


def enrol(
    place: bed.Bed, drill: definition.Definition, host: str, asked: client.Client, environment: str
) -> Guest:
    """Give the bed's agent its identity and tell it what to watch."""
    token = asked.post("/tokens", {"environment": environment, "host": None})
    declared = place.declared()
    wish = enroll.Wish(
        directory=place.agent,
        server=token["server"],
        token=token["token"],
        pins=(token["pin"],),
        root_digest=ids.Digest(token["root_digest"]),
        host=host,
        environment=environment,
        tags=dict(drill.tags),
        interval_s=INTERVAL_S,
        volumes=declared.volumes,
        services=declared.services,
    )
    enrolled = enroll.enrol(wish, now=datetime.now(UTC))
    limits = replace(enrolled.limits, config_s=CONFIG_S, walk_ms=WALK_MS, walk_entries=WALK_ENTRIES)
    whole = replace(
        enrolled,
        software=declared.software,
        databases=declared.databases,
        controls=declared.controls,
        confined=declared.confined,
        limits=limits,
    )
    content = agent_settings.render(whole)
    agent_settings.parse(content)
    private_files.write(place.agent / agent_settings.FILE, content)
    return Guest(place, host, enrolled.agent_id)


def start(guest: Guest, places: Places, asked: client.Client) -> None:
    """Start it and wait until it reports and holds every playbook. Raises NotReady."""
    since = datetime.now(UTC)
    guest.bed.start_agent(None)
    wanted = len(list((places.centre / "trust/playbooks").glob("*.yaml")))
    trust = guest.bed.agent / "executor/trust"
    until = time.monotonic() + READY_S
    while not (
        (trust / "catalogue.json").exists()
        and len(list(trust.glob("playbooks/*.yaml"))) >= wanted
        and _heard(asked, guest.agent_id, since)
    ):
        if time.monotonic() > until:
            raise NotReady(f"{guest.host}: no samples within {READY_S:.0f} s\n{guest.bed.log()}")
        time.sleep(POLL_S)


def configuration(places: Places) -> dict[str, object]:
    """Return root, catalogue and playbooks as the control plane gives them to agents."""
    trust = places.centre / "trust"
    stored = [file.read_bytes() for file in sorted((trust / "playbooks").glob("*.yaml"))]
    return {
        "root": json.loads((trust / "root.json").read_bytes()),
        "catalogue": json.loads((trust / "catalogue.json").read_bytes()),
        "playbooks": {str(ids.digest(one)): b64encode(one).decode("ascii") for one in stored},
    }


def _heard(asked: client.Client, agent: str, since: datetime) -> bool:
    for host in asked.get("/hosts")["items"]:
        if host["agent_id"] == agent and host["last_seen"]:
            return bool(datetime.fromisoformat(host["last_seen"]) >= since)
    return False
