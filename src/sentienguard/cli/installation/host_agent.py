"""The agent of this machine: enrolment, start, first sample."""

import os
import time
from dataclasses import replace
from datetime import UTC, datetime

from sentienguard.agent import enroll, private_files
from sentienguard.agent import settings as agent_settings
from sentienguard.cli import client
from sentienguard.cli.installation import processes
from sentienguard.cli.installation.places import Places
from sentienguard.model import errors, ids

MODULE = "sentienguard.agent.main"
STOP_S = 8.0  # its supervisor gives both processes 5 s
FIRST_SAMPLE_S = 60.0
POLL_S = 0.2


def process_file(places: Places) -> processes.Known | None:
    """Return the agent's supervisor that runs here, if one does."""
    return processes.remembered(places.run / "agent.process.json")


def enrolled(places: Places) -> bool:
    """Tell whether this machine's agent has an identity here."""
    return (places.agent / agent_settings.FILE).exists()


def enrol(
    places: Places, asked: client.Client, environment: str, interval_s: float
) -> agent_settings.Settings:
    """Give this machine's agent its identity."""
    token = asked.post("/tokens", {"environment": environment, "host": None})
    wish = enroll.Wish(
        directory=places.agent,
        server=token["server"],
        token=token["token"],
        pins=(token["pin"],),
        root_digest=ids.Digest(token["root_digest"]),
        host=os.uname().nodename,
        environment=environment,
        interval_s=interval_s,
    )
    return enroll.enrol(wish, now=datetime.now(UTC))


def settings(places: Places) -> agent_settings.Settings:
    """Read agent.json."""
    return agent_settings.read(places.agent)


def change(places: Places, **values: object) -> None:
    """Set settings in agent.json, as its owner may; they count from the agent's next start."""
    standing = settings(places)
    changed = replace(standing, **values)  # type: ignore[arg-type]  # checked by reading it again
    if changed != standing:
        content = agent_settings.render(changed)
        agent_settings.parse(content)
        private_files.write(places.agent / agent_settings.FILE, content)


def start(places: Places) -> processes.Known:
    """Start both processes of the agent. Raises processes.DidNotStart."""
    process = processes.launch([MODULE, "run", "--dir", str(places.agent)], places.log("agent"))
    processes.remember(places.run / "agent.process.json", process)
    return process


def wait_for_sample(
    places: Places, asked: client.Client, process: processes.Known, since: datetime
) -> None:
    """Wait until the control plane heard of this agent after `since`.

    Raises processes.DidNotStart or errors.Unavailable with the end of the agent's log.
    """
    agent = settings(places).agent_id
    until = time.monotonic() + FIRST_SAMPLE_S
    log = places.log("agent")
    while not _heard(asked, agent, since):
        processes.reap()
        if not process.alive:
            raise processes.DidNotStart(
                f"the agent ended; the end of {log}:\n{processes.tail(log)}\n"
                "`sentienguard doctor` looks for the reason; then run `sentienguard up` again"
            )
        if time.monotonic() > until:
            raise errors.Unavailable(
                f"no sample of this machine arrived in {FIRST_SAMPLE_S:.0f} s; the end of {log}:\n"
                f"{processes.tail(log)}\n`sentienguard doctor` looks for the reason"
            )
        time.sleep(POLL_S)


def _heard(asked: client.Client, agent: str, since: datetime) -> bool:
    for host in asked.get("/hosts")["items"]:
        if host["agent_id"] == agent and host["last_seen"]:
            return bool(datetime.fromisoformat(host["last_seen"]) >= since)
    return False
