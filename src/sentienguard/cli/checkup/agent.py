"""Looks at this machine's agent: who it is, until when, and why its executor would refuse."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from sentienguard.agent import inspection
from sentienguard.agent import settings as agent_settings
from sentienguard.cli.checkup import finding
from sentienguard.cli.checkup.finding import Finding
from sentienguard.cli.installation import host_agent
from sentienguard.cli.installation.places import Places
from sentienguard.model import errors
from sentienguard.trust import certificates, dsse

ENROL_AGAIN: Final = (
    "give this machine a new identity: `sentienguard down`, move {agent} aside, `sentienguard up`"
)
# As in agent.executor, which is a process of its own and not loaded here.
MARKER: Final = "do-not-remediate"
MAINTENANCE_TAG: Final = "maintenance_mode"


def identity(places: Places) -> Iterator[Finding]:
    """Look whether this machine is enrolled, and with files that can be used."""
    if not host_agent.enrolled(places):
        yield finding.note(
            "enrolment",
            "no agent is enrolled in this directory: this machine is not watched",
            "`sentienguard up` enrols it; for another host see docs/how-to/add-a-host.md",
        )
        return
    try:
        mine = agent_settings.read(places.agent)
    except errors.SentienGuardError as error:
        yield finding.wrong(
            "enrolment", str(error), f"correct {places.agent / agent_settings.FILE}, or "
            + ENROL_AGAIN.format(agent=places.agent),
        )  # fmt: skip
        return
    bad = [one for one in inspection.verify(places.agent, now=datetime.now(UTC)) if not one.good]
    if bad:
        yield finding.wrong(
            "enrolment",
            "; ".join(f"not so: {one.what}: {one.reason}" for one in bad[:3]),
            "restore the file from a backup, or " + ENROL_AGAIN.format(agent=places.agent),
        )
    else:
        yield finding.ok("enrolment", f"{mine.host} in {mine.environment}, agent {mine.agent_id}")
    yield from _certificate(places)


def _certificate(places: Places) -> Iterator[Finding]:
    file = places.agent / "collector/tls.crt"
    name = "agent's certificate"
    try:
        ends = certificates.life_of(certificates.to_der(file.read_bytes()))[1]
    except (OSError, ValueError, dsse.NotTrusted):
        return  # the identity's own finding says so
    again = ENROL_AGAIN.format(agent=places.agent)
    if datetime.now(UTC) > ends:
        yield finding.wrong(
            name,
            f"{file} ended on {ends:%Y-%m-%d %H:%M} UTC",
            f"with `sentienguard up` it renews itself; {places.log('agent')} says why not; "
            f"after {certificates.RENEWED_LATE.days} days, {again}",
        )
    else:
        yield finding.ok(name, f"until {ends:%Y-%m-%d %H:%M} UTC; it renews itself before")


def executor(places: Places) -> Iterator[Finding]:
    """Look whether the running executor would take an order, and whether samples pile up."""
    found = inspection.status(places.agent)
    answered = found["executor"]
    if not answered["running"]:
        yield finding.wrong(
            "executor",
            answered["reason"],
            f"`sentienguard down` and `up`; what it last said is in {places.log('agent')}",
        )
        return
    yield _willing(places, answered)
    waiting = found["spool"]
    if waiting["refused"]:
        yield finding.wrong(
            "spool",
            f"{waiting['refused']} samples were refused for good and set aside",
            f"{places.log('agent')} says why; with a control plane of another release, upgrade "
            "the older of the two",
        )


def _willing(places: Places, answered: dict[str, Any]) -> Finding:
    marker = places.agent / MARKER
    if answered.get("drift"):
        return finding.wrong(
            "executor",
            f"it stopped executing: {answered['drift']}",
            "put the files back as they were; or, if you changed them, `sentienguard down` and "
            "`up`: the next start takes them as its own and says so in the log",
        )
    if marker.exists():
        return finding.note(
            "executor",
            f"nothing is executed on this host: {marker} is there",
            f"rm {marker}",
        )
    if answered.get("frozen"):
        return finding.note(
            "executor",
            f"nothing is executed on this host: its tag {MAINTENANCE_TAG} is true",
            f"set it to false in {places.agent / agent_settings.FILE}, `sentienguard down`, `up`",
        )
    return finding.ok("executor", f"takes orders; {answered.get('busy') or 'idle'}")
