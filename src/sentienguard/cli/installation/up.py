"""Start everything of one installation, in the one order that works; find what runs already.

Called by the commands `up`, `drill` and `demo`, and by tests that need a whole installation.

    directories, settings and trust -> first administrator -> control plane -> session
    -> sandbox -> enrolment -> agent -> first sample
"""

import fcntl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sentienguard.cli import client
from sentienguard.cli.installation import centre, host_agent, ports, processes
from sentienguard.cli.installation import sandbox as sandboxes
from sentienguard.cli.installation.places import Places
from sentienguard.model import errors

DRILL_ENVIRONMENT = "drill"  # where signed proving records count
DEFAULT_INTERVAL_S = 30.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What to start."""

    places: Places
    environment: str | None = None  # None: as enrolled, else dev (drill with a sandbox)
    interval_s: float | None = None  # between samples; None: as it is, else 30 s
    drills: bool = False  # with a sandbox


@dataclass(frozen=True, slots=True)
class Running:
    """What runs now."""

    places: Places
    address: str  # of the control plane, for people
    login: centre.FirstLogin | None  # None: the first login is not kept here any more
    environment: str
    interval_s: float
    sandbox: sandboxes.Sandbox | None
    was_running: bool  # nothing had to be started


def bring_up(wish: Wish, tell: Tell) -> Running:
    """Start what does not run. Raises errors.Rejected and Unavailable with the way out."""
    places = wish.places
    _refuse_contradictions(wish)
    places.make()
    with _alone(places):
        running_centre, running_agent = centre.process_file(places), host_agent.process_file(places)
        interval_s = wish.interval_s or DEFAULT_INTERVAL_S
        if running_centre is None:
            if not (places.centre / "trust/root.json").exists():
                tell("making keys and signing the bundled playbooks")
            centre.prepare(places, interval_s=interval_s, drills=wish.drills)
            _set_interval(wish)
            first = centre.first_login(places)
            tell("starting the control plane")
            centre.start(places, tell)
            centre.login(places, first)
        else:
            first = centre.first_login(places)
        sandbox = sandboxes.raise_up(places.sandbox) if wish.drills else None
        if sandbox is None and sandboxes.exists(places.sandbox):
            sandbox = sandboxes.raise_up(places.sandbox)
        with client.connect(places.data, here=True) as asked:
            _agent(wish, asked, sandbox, running_agent, tell)
            address = asked.server
    enrolled = host_agent.settings(places)
    return Running(
        places=places,
        address=address,
        login=first,
        environment=enrolled.environment,
        interval_s=enrolled.interval_s,
        sandbox=sandbox,
        was_running=running_centre is not None and running_agent is not None,
    )


def _agent(
    wish: Wish,
    asked: client.Client,
    sandbox: sandboxes.Sandbox | None,
    running: processes.Known | None,
    tell: Tell,
) -> None:
    places = wish.places
    if running is not None:
        return
    if not host_agent.enrolled(places):
        tell("enrolling this machine's agent")
        environment = wish.environment or (DRILL_ENVIRONMENT if wish.drills else "dev")
        host_agent.enrol(places, asked, environment, wish.interval_s or DEFAULT_INTERVAL_S)
    if sandbox is not None:
        host_agent.change(
            places,
            volumes=sandbox.declared_volumes(),
            services=sandbox.declared_services(sys.executable),
            confined=True,
        )
    tell("starting the agent and waiting for its first sample")
    since = datetime.now(UTC)
    process = host_agent.start(places)
    host_agent.wait_for_sample(places, asked, process, since)


def _set_interval(wish: Wish) -> None:
    """Change how often is sampled, where that was asked for."""
    if wish.interval_s is None:
        return
    ports.change_settings(wish.places.centre, {"interval_s": wish.interval_s})
    if host_agent.enrolled(wish.places) and host_agent.process_file(wish.places) is None:
        host_agent.change(wish.places, interval_s=wish.interval_s)


def _refuse_contradictions(wish: Wish) -> None:
    places = wish.places
    if not host_agent.enrolled(places):
        return
    enrolled = host_agent.settings(places)
    if wish.environment not in {None, enrolled.environment}:
        raise errors.Rejected(
            f"{places.agent}: this machine is enrolled in environment {enrolled.environment}, not "
            f"{wish.environment}; take another data directory with --data"
        )
    if wish.drills and not sandboxes.exists(places.sandbox):
        raise errors.Rejected(
            f"{places.data} is an installation without a sandbox, and drills break things only in "
            "one; take another data directory, for example --data .demo"
        )
    if (
        wish.interval_s not in {None, enrolled.interval_s}
        and host_agent.process_file(places) is not None
    ):
        raise errors.Rejected(
            f"the agent in {places.data} runs and samples every {enrolled.interval_s:g} s; stop it "
            "with `sentienguard down` to change that"
        )


@contextmanager
def _alone(places: Places) -> Iterator[None]:
    """Let one `up` or `down` at a time work on this directory."""
    with (places.run / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise errors.Unavailable(
                f"another `up` or `down` works on {places.data}; wait for it to end"
            ) from cause
        yield


def take_down(places: Places) -> list[str]:
    """Stop agent, control plane and sandbox; say what was done."""
    if not places.run.is_dir():
        return []
    done: list[str] = []
    with _alone(places):
        for name, found, grace_s in (
            ("agent", host_agent.process_file(places), host_agent.STOP_S),
            ("control plane", centre.process_file(places), centre.STOP_S),
        ):
            if found is not None:
                below = list(processes.children(found).values())
                killed = processes.stop(found, grace_s=grace_s)
                for orphan in below:  # a supervisor that was killed leaves its children
                    if orphan.alive:
                        processes.stop(orphan, grace_s=grace_s)
                how = "killed, it did not end by itself" if killed else "stopped"
                done.append(f"{name} {how} (process {found.pid})")
        for file in ("agent.process.json", "controlplane.process.json"):
            (places.run / file).unlink(missing_ok=True)
        if sandboxes.exists(places.sandbox):
            done += sandboxes.take_down(sandboxes.read(places.sandbox))
    return done


def enrolled_interval(places: Places) -> float | None:
    """Return the seconds between samples of an installation that is there; None for none."""
    return host_agent.settings(places).interval_s if host_agent.enrolled(places) else None
