"""What policy looks at besides the playbook itself. The caller gathers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sentienguard.model.decision import Confidence, Route
from sentienguard.model.evidence import Blame
from sentienguard.model.ids import Digest, OrderId, PlaybookName
from sentienguard.model.playbook import Playbook
from sentienguard.stages.decide.settings import DecideSettings


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """What this playbook, by digest, has done on this kind of target in this environment so far."""

    verified: int = 0  # host and centre both saw the symptom gone, and nothing else explains it
    failed: int = 0  # ran and did not help
    harmful: int = 0  # left something behind, or its effect is unknown; on any kind of target
    dry_runs: int = 0  # showed what it would do
    proven_runs: int = 0  # runs in its signed proving record; 0: it brings none
    proven_verified: int = 0  # of those, how many were verified
    failures_in_row: int = 0  # latest executions in this environment that failed, up to a success
    failures_on_host: int = 0  # the same on this host
    explained: int = 0  # recoveries after it that peers or history explain: they count for nothing
    since_failure: int | None = None  # of `verified`, those after the last failure; None: all
    elsewhere: int = 0  # verified successes on other kinds of target of this environment


@dataclass(frozen=True, slots=True)
class RuledOut:
    """A remedy that the host said is not for what it sees, before any step of it."""

    playbook: PlaybookName
    digest: Digest
    order: OrderId


@dataclass(frozen=True, slots=True)
class Before:
    """What was decided about the same incident and ruled out by its host (`further`)."""

    ruled_out: tuple[RuledOut, ...]  # oldest first, at least one
    listed: tuple[Digest, ...]  # candidates of the decision before; nothing else is looked at
    at_most: Route  # of the decision before
    symptom_stands: bool  # now, as the centre sees it


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds now, whatever the playbook."""

    known_environments: frozenset[str]
    frozen: bool = False  # the kill switch is on
    audit_healthy: bool = False  # what happens now can be recorded durably
    maintenance: bool = False  # a window is open on this host or service
    doubted: bool = False  # the host is in quarantine: two may use its identity
    silenced: bool = False  # people asked not to be bothered about this symptom
    forecast: bool = False  # nothing is wrong yet
    already_ran: frozenset[PlaybookName] = frozenset()  # for this incident, dry runs left out
    service_starts_last_hour: int = 0  # unattended, on this service, or host where it has none
    fleet_starts_last_hour: int = 0  # unattended, in this environment
    before: Before | None = None  # None: this is the first decision of its incident


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """All that a rule may look at. Free text is not among it."""

    host: str
    environment: str
    tags: Mapping[str, str]
    playbook: Playbook | None  # None: no playbook matched
    confidence: Confidence | None
    missing: tuple[str, ...]  # parameters that could not be filled from measured facts
    record: TrackRecord
    circumstances: Circumstances
    settings: DecideSettings = field(default_factory=DecideSettings)
    blame: Blame | None = None  # where measurements alone put the cause; None: nowhere
