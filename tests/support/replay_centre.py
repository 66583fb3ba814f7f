"""A centre that decides and replays: a real audit log in a directory, and facts as told.

    with replay_centre.opened(directory, facts) as centre:
        decided = replay_centre.decide(centre, incident)

As a program it decides or replays a whole table of cases and prints what came of it, so that a test
can do the one and the other in processes of their own:

    python -m tests.support.replay_centre DIR decide|replay
"""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from sentienguard.adapters.audit_files.log import AuditFiles
from sentienguard.flow import diagnosing
from sentienguard.flow.deciding import Deciding
from sentienguard.flow.ledger import Ledger
from sentienguard.flow.replaying import Replay, Replaying
from sentienguard.model import ids
from sentienguard.model.anomaly import Ground
from sentienguard.model.incident import Incident, Outcome
from sentienguard.model.order import ExecutionOutcome
from sentienguard.model.telemetry import LogLine, PathUse, ProcessUse
from sentienguard.model.window import Comparison, Matcher, Purpose, Window, WindowId
from sentienguard.playbook import parse
from sentienguard.ports.order_store import Ended
from sentienguard.ports.switches import Freeze
from sentienguard.stages.audit import ledger as audit_ledger
from sentienguard.stages.decide.retrieval.shelf import Vectors
from sentienguard.stages.observe import payload
from sentienguard.trust import keys
from sentienguard.trust.log_keys import LogSigners
from tests.support import decide_cases as cases
from tests.support import diagnosis_world
from tests.support.match_library import HashedWords

PLAYBOOKS = tuple(
    (parse.load(path.read_bytes(), origin=path.parent.name), path.read_bytes())
    for path in sorted(Path(__file__).parents[2].glob("playbooks/*/playbook.yaml"))
)
AGENT = ids.AgentId("8f9b0000-0000-4000-8000-000000000000")
VERSIONS = {"release": "1", "code": "sha256:c"}


@dataclasses.dataclass
class Facts:
    """What the centre is told besides incident and sample."""

    verified: int = 0
    failed: int = 0
    proven: int = 0
    starts: int = 0
    frozen: bool = False
    silenced: bool = False
    maintained: bool = False
    vectors: bool = False
    verified_runs_needed: int = 5
    adviser_may: str = "shown"
    texts: tuple[str, ...] = ()
    processes: tuple[ProcessUse, ...] = (ProcessUse(4711, "report-gen", 99.0, 10_000_000),)
    recent: tuple[float, ...] = (61.25, 70.1, 98.0)
    sample_text: str = ""  # set by `incident`


class Meanings:
    """An embedding model that compares hashed words."""

    model = HashedWords.model

    def library(self, documents: Any) -> Vectors:
        spoken = HashedWords().embed([text for one in documents for text in one.spoken])
        return Vectors(self.model, spoken[0::2], spoken[1::2])

    def question(self, text: str) -> tuple[float, ...]:
        return HashedWords().embed([text])[0]

    def remember(self, *_: Any) -> None:
        pass


class Incidents:
    """Decisions in memory."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}

    def earlier(self, *_: Any, since: Any) -> Any:
        return ()

    def decision(self, name: str) -> Any:
        return self.made.get(name)

    def put_decision(self, made: Any) -> None:
        self.made.setdefault(made.incident, made)

    def put_further(self, made: Any, *, after: str) -> None:
        kept = self.made.get(made.incident)
        if kept is not None and kept.playbook == after:
            self.made[made.incident] = made


class Library:
    """The bundled playbooks."""

    def __init__(self, taken: int = len(PLAYBOOKS)) -> None:
        self.shelved = PLAYBOOKS[:taken]

    def playbooks(self) -> Any:
        return tuple(one for one, _ in self.shelved)

    def stored(self) -> Any:
        return {one.digest: stored for one, stored in self.shelved}

    def named(self, name: str) -> Any:
        found = next((one for one, _ in self.shelved if one.name == name), None)
        return SimpleNamespace(playbook=found) if found else None

    def proving(self) -> Any:
        return self.proven


@contextlib.contextmanager
def opened(directory: Path, facts: Facts) -> Iterator[Any]:
    """Open the log of this directory; nothing else outlives the block."""
    directory.mkdir(exist_ok=True)
    pem = directory / "log.pem"
    if not pem.exists():
        pem.write_bytes(keys.SigningKey.generate().to_pem())
    rules = audit_ledger.Ledger(
        "test.local/replay", LogSigners.of(keys.SigningKey.from_pem(pem.read_bytes()))
    )
    clock = SimpleNamespace(now=lambda: cases.NOW)
    entropy = SimpleNamespace(bytes=bytes)
    library = Library()
    library.proven = {
        one.digest: SimpleNamespace(
            proven=[SimpleNamespace(runs=facts.proven, verified=facts.proven)]
        )
        for one in library.playbooks()
        if facts.proven
    }
    ended = [
        *[Ended(AGENT, ExecutionOutcome.ROLLED_BACK, Outcome.ROLLED_BACK)] * facts.failed,
        *[Ended(AGENT, ExecutionOutcome.SUCCESS, Outcome.RESOLVED)] * facts.verified,
    ]  # fmt: skip
    with AuditFiles(directory / "audit", rules) as log:
        yield SimpleNamespace(
            settings=SimpleNamespace(
                verified_runs_needed=facts.verified_runs_needed,
                service_budget_per_hour=3,
                fleet_budget_per_hour=20,
                approval_minutes=15,
                two_person_risk="none",
                adviser_may=facts.adviser_may,
            ),
            clock=clock,
            trust=SimpleNamespace(approvers_needed=0),
            environments=("drill", "production"),
            incidents=Incidents(),
            log=log,
            audit=Ledger(log, clock, entropy),
            library=library,
            meanings=Meanings() if facts.vectors else None,
            agents=SimpleNamespace(get=lambda _agent: SimpleNamespace(quarantined="")),
            switches=SimpleNamespace(
                freeze=lambda: Freeze("dan", cases.NOW, "drill") if facts.frozen else None,
                windows=lambda purpose, at: _windows(facts, purpose),
            ),
            orders=SimpleNamespace(
                ended=lambda _digest, _environment: ended,
                started_on=lambda _agent, since: facts.starts,
                started_since=lambda _since, environment: facts.starts,
            ),
            episodes=SimpleNamespace(sample_of=lambda _incident: facts.sample_text),
            metrics=SimpleNamespace(range=lambda *_: _readings(facts)),
        )


def _windows(facts: Facts, purpose: Purpose) -> list[Window]:
    stands = facts.silenced if purpose is Purpose.SILENCE else facts.maintained
    everywhere = (Matcher("host", Comparison.MATCHES, ".*"),)
    hour = timedelta(hours=1)
    window = Window(
        WindowId("sil_1"), purpose, everywhere, cases.NOW - hour, cases.NOW + hour, "dan", "known"
    )
    return [window] if stands else []


def _readings(facts: Facts) -> Any:
    end = round(cases.NOW.timestamp() * 1000)
    times = np.array([end - 30_000 * at for at in range(len(facts.recent))][::-1])
    return SimpleNamespace(times_ms=times, values=np.array(facts.recent))


def incident(
    number: int, metric: str, subject: str, facts: Facts, *, environment: str = "production",
    tags: Mapping[str, str] | None = None, ground: Ground = Ground.LIMIT,
) -> Incident:  # fmt: skip
    """Return an incident; its host's sample goes into the facts."""
    found = cases.anomaly(metric, subject, ground=ground)
    lines = [LogLine(cases.NOW, "/var/log/app.log", text) for text in facts.texts]
    paths = {subject: (PathUse(f"{subject}/7", 10_000),)} if subject.startswith("/") else {}
    sample = cases.sample(found, top_cpu=facts.processes, log_lines=lines, top_paths=paths)
    sample = dataclasses.replace(sample, agent=AGENT)
    facts.sample_text = payload.encode(sample).decode()
    made = cases.incident(found, environment=environment, tags=dict(tags or {"service": "shop"}))
    return dataclasses.replace(
        made,
        agent=AGENT,
        id=ids.incident_id(cases.NOW, number.to_bytes(4, "big")),
        fingerprint=ids.Fingerprint(f"{number:016x}"),
    )


def decide(centre: Any, wanted: Incident) -> None:
    """Decide an incident."""
    samples = SimpleNamespace(recent_samples=lambda _agent: ())
    Deciding(centre, samples, versions=VERSIONS).decide(wanted)


def diagnose_and_decide(centre: Any, wanted: Incident, world: diagnosis_world.World) -> None:
    """Decide an incident with what can be seen around it."""
    samples: Any = SimpleNamespace(recent_samples=lambda _agent: ())
    around = diagnosing.Diagnosing(world.centre(), samples, world.sources())
    Deciding(centre, samples, versions=VERSIONS, diagnosing=around).decide(wanted)


def replay(centre: Any, wanted: Incident, document: object = None) -> Replay:
    """Make its decision again."""
    return Replaying(centre, VERSIONS).replay(wanted, document)


TABLE: tuple[tuple[str, str, Facts, dict[str, Any]], ...] = (
    ("system.disk_usage_percent", "/var", Facts(), {}),
    ("system.disk_usage_percent", "/var", Facts(verified=12), {}),
    ("system.disk_usage_percent", "/var", Facts(verified=7, failed=1), {}),
    ("system.disk_usage_percent", "/var", Facts(failed=3), {}),
    ("system.disk_usage_percent", "/var", Facts(proven=40), {"environment": "drill"}),
    ("system.disk_usage_percent", "/var", Facts(vectors=True, verified=20), {}),
    ("system.disk_usage_percent", "/var", Facts(frozen=True), {}),
    ("system.disk_usage_percent", "/var", Facts(silenced=True), {}),
    ("system.disk_usage_percent", "/var", Facts(maintained=True), {}),
    ("system.disk_usage_percent", "/var", Facts(starts=50, verified=9), {}),
    ("system.disk_usage_percent", "/var", Facts(texts=("journal of systemd fills the disk",)), {}),
    ("system.disk_usage_percent", "/var", Facts(), {"environment": "nowhere"}),
    ("system.disk_usage_percent", "/var", Facts(), {"tags": {"do_not_remediate": "yes"}}),
    ("system.inode_usage_percent", "/var", Facts(), {"ground": Ground.ALERT}),
    ("service.up", "web", Facts(verified=6), {}),
    ("service.healthy", "web", Facts(vectors=True), {}),
    ("system.cpu_percent", "", Facts(), {}),
    ("system.cpu_percent", "", Facts(processes=()), {}),
    ("system.zombies", "", Facts(texts=("naïve ☃ line", "second")), {}),
    ("database.connections_utilization", "pg", Facts(vectors=True), {}),
    ("alert.firing", "Something", Facts(), {"ground": Ground.ALERT}),
    ("system.network_errors_per_s", "eth0", Facts(recent=()), {}),
)


def main(directory: Path, what: str) -> None:
    """Decide or replay the table, and print for each case the digests and whether it is equal."""
    for number, (metric, subject, facts, more) in enumerate(TABLE):
        with opened(directory / str(number), facts) as centre:
            wanted = incident(number, metric, subject, facts, **more)
            if what == "decide":
                decide(centre, wanted)
                continue
            # Nothing but the log may be asked.
            for asked in ("agents", "episodes", "metrics", "orders", "switches", "clock"):
                setattr(centre, asked, None)
            found = replay(centre, wanted)
            print(json.dumps([found.recorded, found.replayed, found.decision.route.name]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
