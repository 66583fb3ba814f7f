"""An order to a host, and what the host reports back.

An order leaves nothing to choose: the playbook by digest, every parameter, the one agent that may
run it. The host admits it or refuses it; it never improvises.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentienguard.model.ids import AgentId, Digest, IncidentId, OrderId, PlaybookName

HOST_PER_HOUR = 120  # starts of all playbooks on a host; one that needs more needs people
NOTHING_TO_REMOVE = "nothing to remove"  # begins why a host aborts what would free 0 bytes


@dataclass(frozen=True, slots=True)
class Order:
    """What one host is to do about one incident."""

    id: OrderId
    incident: IncidentId
    agent: AgentId
    environment: str
    playbook: PlaybookName
    version: str
    digest: Digest  # of the playbook's stored bytes
    parameters: Mapping[str, str]
    facts: Mapping[str, str]  # what pre-checks on the centre's knowledge need: anomaly_sigma, tags
    dry_run: bool
    created_at: datetime
    deadline_s: int  # the host gives up this long after admission, by its monotonic clock


class OrderStatus(StrEnum):
    """Where in its life an order is, as the centre knows it."""

    RELEASED = "released"  # durable, waiting for the agent's poll
    DELIVERED = "delivered"  # handed to the agent at least once
    ADMITTED = "admitted"  # the host checked it, journaled the intent and began
    REFUSED = "refused"  # the host will never run it
    FINISHED = "finished"  # the host reported the end
    WITHDRAWN = "withdrawn"  # taken back before it was delivered


class ExecutionOutcome(StrEnum):
    """How the execution of an order ended on the host."""

    SUCCESS = "SUCCESS"
    SUCCESS_NO_ACTION = "SUCCESS_NO_ACTION"  # the desired state was already there
    DRY_RUN = "DRY_RUN"  # nothing was changed; the report says what would have been done
    REFUSED = "REFUSED"  # not admitted: nothing was done
    ABORTED = "ABORTED"  # a pre-check failed: nothing was done
    ROLLED_BACK = "ROLLED_BACK"  # failed, and all that was done was undone
    PARTIALLY_ROLLED_BACK = "PARTIALLY_ROLLED_BACK"  # failed, and `left_behind` was not undone
    UNKNOWN = "UNKNOWN"  # interrupted where its effect cannot be told; people must look


class StepStatus(StrEnum):
    """How one piece of an execution ended."""

    SUCCESS = "success"
    SKIPPED = "skipped"  # its condition was false
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"  # a person stopped it
    NOT_UNDOABLE = "not_undoable"
    WOULD_RUN = "would_run"  # dry run
    WARNED = "warned"  # a pre-check failed whose fail_action is warn


class Phase(StrEnum):
    """Which part of an execution a record belongs to."""

    PRE_CHECK = "pre_check"
    STEP = "step"
    VERIFY = "verify"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What one pre-check, step, verification or undo did."""

    phase: Phase
    name: str
    status: StepStatus
    detail: str  # one sentence: what was found or done, or why it failed
    started_at: datetime
    duration_ms: int
    exit_code: int | None = None
    stdout: str = ""  # bounded, redacted
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """The end of an order on a host."""

    order: OrderId
    incident: IncidentId
    outcome: ExecutionOutcome
    reason: str  # one sentence for people
    records: tuple[StepRecord, ...]
    left_behind: tuple[str, ...]  # names of steps that could not be undone
    started_at: datetime
    finished_at: datetime
