"""A remedy, as data. `playbook` reads it from YAML; `stages.execute` obeys it on a host.

Nothing here is a template. Where a value comes from a parameter it is a `Param` reference that
stands for the whole value: an argv element, a path, a unit name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from sentienguard.model.ids import Digest, PlaybookName

STEP_TIMEOUT = timedelta(seconds=60)  # a step without a timeout of its own
MAX_OUTPUT_BYTES = 64 * 1024  # kept of each output stream of a step


class Risk(StrEnum):
    """Static risk of what a playbook does; nothing may lower it. In rising order of `rank`."""

    SAFE = "SAFE"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """Order risks: 0 is the mildest."""
        return tuple(Risk).index(self)


class FailAction(StrEnum):
    """What a failed pre-check does to the order."""

    ABORT = "abort"
    WAIT = "wait"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Param:
    """Stands for the whole value of a parameter."""

    name: str


Value: TypeAlias = str | int | float | bool | Param
Field: TypeAlias = Value | tuple[Value, ...] | Mapping[str, Value]


class ParamType(StrEnum):
    """Closed types of parameters; there is no free text."""

    MOUNTPOINT = "mountpoint"  # one of the host's own mount points or watched volumes
    SERVICE = "service"  # one of the host's own services
    PID = "pid"  # a live process of the host
    PERCENT = "percent"  # 0 to 100
    DURATION = "duration"  # such as 7d, 90s
    INTEGER = "integer"
    ENUM = "enum"  # one of `choices`
    OBJECT = "object"  # an object, of a kind in `choices`, on a declared target of a relay agent


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that an order has to give."""

    name: str
    type: ParamType
    description: str = ""
    choices: tuple[str, ...] = ()  # ENUM: the values; OBJECT: the kinds of objects
    minimum: float | None = None
    maximum: float | None = None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Slots:
    """What a playbook declares that it is for. `any` matches everything."""

    system: str = "any"  # linux, postgresql, nginx, redis, kubernetes, http
    resource: str = "any"  # disk, memory, cpu, process, service, connections, certificate
    symptom: str = "any"  # full, hung, down, leak, runaway, zombie, saturated, expired


@dataclass(frozen=True, slots=True)
class Check:
    """A pre-execution check or a verification; `kind` says which file in `checks/` judges it."""

    name: str
    kind: str  # condition, metric, http, process, command, log_check, sql, tag_check, ...
    fields: Mapping[str, Field]
    timeout: timedelta
    fail_action: FailAction = FailAction.ABORT  # pre-checks only
    max_wait: timedelta = timedelta(0)  # pre-checks with WAIT only
    retry: int = 3  # attempts, verifications only
    retry_delay: timedelta = timedelta(seconds=3)  # before the second attempt; then grows
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """How a step is undone, or why it cannot be."""

    action: "Action | None"  # None: cannot be undone
    reason: str = ""  # says why, where there is no action
    timeout: timedelta = STEP_TIMEOUT


@dataclass(frozen=True, slots=True)
class Action:
    """What a step does; `kind` says which file in `steps/` does it."""

    kind: str  # ssh_command, service, fs, http, sql_query, kubectl_*, aws_cli, gcloud, az_cli
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, with its condition, its limit and its undo side by side."""

    name: str
    action: Action
    undo: Undo
    only_if: str | None = None  # condition over facts measured just before the step
    timeout: timedelta = STEP_TIMEOUT
    verify: tuple[Check, ...] = ()  # after this step, before the next


@dataclass(frozen=True, slots=True)
class Playbook:
    """A remedy: immutable, identified by the digest of its stored bytes."""

    name: PlaybookName
    version: str
    digest: Digest
    description: str
    slots: Slots
    risk: Risk
    parameters: tuple[Parameter, ...]
    guard: str | None  # condition that the host itself must find true when the order arrives
    pre_checks: tuple[Check, ...]
    steps: tuple[Step, ...]
    verification: tuple[Check, ...]
    approval_required: bool
    exclusions: tuple[str, ...]  # host patterns (fnmatch) on which it never runs
    needs: tuple[str, ...]  # privileges, for example write:/var/log, kill
    max_per_hour: int  # starts on one host, kept by the host itself
    idempotent: bool  # false: never without a person
    estimated_seconds: int
    metrics: tuple[str, ...]  # metrics whose anomalies it is meant for; empty: judged by slots
    risk_reason: str = ""  # why it has this risk, for the person who approves; never judged
