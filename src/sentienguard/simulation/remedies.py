"""What can be wrong in the pretend world, and the signed remedies against it.

Called by `world` and `site`. The remedies are playbooks like any other: parsed by `playbook`,
listed in a signed catalogue, executed by the real engine. Between them they take every route, use
steps with and without an undo, with and without something recorded, and every outcome can happen.
In a world of `two_against_hung` there are two for a hung service, and hosts rule out the first one
most of the time; in the others each illness has one remedy.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

from sentienguard.model import playbook
from sentienguard.playbook import parse
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import dsse
from sentienguard.trust import root as roots
from sentienguard.trust.keys import SigningKey

START: Final = datetime(2026, 2, 12, 11, 0, tzinfo=UTC)
ORIGIN: Final = "sentienguard.simulation/log"
DRILL, PRODUCTION = "drill", "production"
ENVIRONMENTS: Final = (DRILL, PRODUCTION)
SERVICE: Final = "web"
ACT, UNDO, LOOK = "/pretend/act", "/pretend/undo", "/pretend/look"
SETTINGS: Final = SimpleNamespace(
    verified_runs_needed=5,
    service_budget_per_hour=4,
    fleet_budget_per_hour=20,
    approval_minutes=15,
    two_person_risk="none",
    adviser_may="shown",
)
_LATER: Final = timedelta(days=200)  # a clock that is a year ahead finds everything expired


@dataclass(frozen=True, slots=True)
class Ill:
    """Something that can be wrong with a host, and what shows it."""

    name: str
    metric: str
    subject: str
    fact: str  # what the host measures
    bad: float | str  # while it stands
    good: float | str  # while it does not
    cure: str  # the argument of ACT, or `service`, that can make it go away


ILLS: Final = (
    Ill("down", "service.up", SERVICE, "service_status", "stopped", "running", "service"),
    Ill("hung", "service.healthy", SERVICE, "service_status", "hung", "running", "service"),
    Ill("full", "system.disk_usage_percent", "/srv", "disk_usage", 96.0, 40.0, "clear"),
    Ill("leak", "system.memory_percent", "", "memory_percent", 97.0, 30.0, "shrink"),
    Ill("swapping", "system.swap_percent", "", "swap_percent", 95.0, 1.0, "drain"),
    Ill("zombies", "system.zombies", "", "zombies", 900.0, 0.0, "reap"),
)
BY_NAME: Final = {one.name: one for one in ILLS}

_DOWN = """
name: pretend_start
version: "1.0.0"
description: Service down, its process died. Starts it; stops it again where it does not stay up.
match: {system: any, resource: service, symptom: down}
metrics: [service.up]
risk: SAFE
idempotent: true
estimated_duration: 30s
max_per_hour: 1
needs: ["service:@service"]
parameters:
  service: {type: service, description: the service}
guard: service_status == stopped
pre_execution_checks:
  - name: nothing_else_runs
    type: concurrency_check
    scope: host
    fail_action: wait
    max_wait_seconds: 20
steps:
  - name: quiesce
    action: ssh_command
    argv: [/pretend/act, quiesce]
    timeout: 20s
    rollback: {action: ssh_command, argv: [/pretend/undo, quiesce]}
  - name: start
    action: service
    operation: start
    service: {param: service}
    timeout: 30s
    rollback: {action: service, operation: stop, service: {param: service}}
  - name: release
    action: ssh_command
    argv: [/pretend/act, release]
    timeout: 20s
    rollback: {action: ssh_command, argv: [/pretend/undo, release]}
verification:
  - {name: runs, type: condition, condition: service_status == running, retry: 3, retry_delay: 2s}
"""

_HUNG = """
name: pretend_restart
version: "1.0.0"
description: Service hung, the process lives and does not answer. Ends it and starts it again.
match: {system: any, resource: service, symptom: hung}
metrics: [service.healthy]
risk: WARNING
idempotent: true
estimated_duration: 40s
max_per_hour: 2
needs: ["service:@service"]
parameters:
  service: {type: service, description: the service}
guard: service_status == hung
steps:
  - name: restart
    action: service
    operation: restart
    service: {param: service}
    timeout: 30s
    rollback: {skip: what the hung process held in memory is gone}
  - name: warm
    action: ssh_command
    argv: [/pretend/act, warm]
    timeout: 20s
    rollback: {action: ssh_command, argv: [/pretend/undo, warm]}
verification:
  - {name: runs, type: condition, condition: service_status == running, retry: 3, retry_delay: 2s}
"""

_CROWDED = """
name: pretend_hung_restart
version: "1.0.0"
description: Service hung among many zombies. Restarts it.
match: {system: any, resource: service, symptom: hung}
metrics: [service.healthy]
risk: WARNING
idempotent: true
estimated_duration: 40s
max_per_hour: 4
needs: ["service:@service"]
parameters:
  service: {type: service, description: the service}
guard: service_status == hung and swap_percent < 90
pre_execution_checks:
  - {name: crowded, type: condition, condition: zombies > 500, fail_action: abort}
steps:
  - name: restart
    action: service
    operation: restart
    service: {param: service}
    timeout: 30s
    rollback: {skip: what the hung process held in memory is gone}
verification:
  - {name: runs, type: condition, condition: service_status == running, retry: 3, retry_delay: 2s}
"""

_COMMAND = """
name: {name}
version: "1.0.0"
description: {description}
match: {{system: linux, resource: {resource}, symptom: {symptom}}}
metrics: [{metric}]
risk: {risk}
idempotent: {idempotent}
estimated_duration: 40s
max_per_hour: {hourly}
needs: [run:/pretend/act, run:/pretend/undo]
{gate}guard: {fact} > 90
steps:
  - name: prepare
    action: ssh_command
    argv: [/pretend/act, prepare]
    timeout: 15s
    rollback: {{action: ssh_command, argv: [/pretend/undo, prepare]}}
  - name: main
    action: ssh_command
    argv: [/pretend/act, {cure}]
    only_if: {fact} > 80
    timeout: 20s
    rollback: {{{undo}}}
  - name: finish
    action: ssh_command
    argv: [/pretend/act, finish]
    timeout: 15s
    rollback: {{action: ssh_command, argv: [/pretend/undo, finish]}}
verification:
  - {{name: better, type: metric, metric: {fact}, threshold: "< 80", retry: 3, retry_delay: 3s}}
"""

_UNDO = "action: ssh_command, argv: [/pretend/undo, {cure}]"


def _command(
    ill: str,
    description: str,
    kind: str,
    risk: str,
    *,
    idempotent: bool = True,
    hourly: int = 2,
    gate: str = "",
    undo: str = _UNDO,
) -> str:
    """Write the remedy that runs a command against this ill; `kind` is "resource/symptom"."""
    against = BY_NAME[ill]
    resource, _, symptom = kind.partition("/")
    return _COMMAND.format(
        name=f"pretend_{against.cure}",
        description=description,
        resource=resource,
        symptom=symptom,
        metric=against.metric,
        risk=risk,
        idempotent=str(idempotent).lower(),
        hourly=hourly,
        gate=gate,
        fact=against.fact,
        cure=against.cure,
        undo=undo.format(cure=against.cure),
    )


_TEXTS: Final = {
    "down": _DOWN,
    "hung": _HUNG,
    "full": _command(
        "full",
        "Disk full, a volume has no space left. Deletes what nobody needs.",
        "disk/full",
        "CRITICAL",
        undo="skip: what was deleted is gone",
    ),
    "leak": _command(
        "leak",
        "Memory leak, the host runs out of memory. Shrinks what has grown.",
        "memory/leak",
        "WARNING",
        idempotent=False,
        hourly=1,
    ),
    "swapping": _command(
        "swapping",
        "Swap saturated, the host pages all the time. Drains the swap.",
        "memory/saturated",
        "SAFE",
        gate="approval_gate: {required: true}\n",
    ),
    "zombies": _command(
        "zombies",
        "Zombie processes pile up, nobody collects them. Collects them.",
        "process/zombie",
        "SAFE",
    ),
}
UNPROVEN: Final = frozenset({"pretend_reap"})  # brings no proving record: it starts in shadow


def key(number: int) -> SigningKey:
    """Make the same key again for the same number."""
    return SigningKey.from_seed(number.to_bytes(32, "big"))


@dataclass(frozen=True, slots=True)
class Signed:
    """What the offline signers of the pretend world signed, and the online keys."""

    dispatch: SigningKey
    log: SigningKey
    root: roots.Root
    root_envelope: Any
    offered: tuple[Any, ...]  # catalogues by rising version; the last one is current
    listed: catalogues.Catalogue
    playbooks: dict[str, bytes]  # digest -> stored bytes
    parsed: tuple[playbook.Playbook, ...]
    proving: tuple[catalogues.ProvingRecord, ...]

    def of(self, name: str) -> playbook.Playbook:
        """Return a playbook by its name."""
        return next(one for one in self.parsed if one.name == name)


@cache
def signed() -> Signed:
    """Make everything once; it is the same for every seed."""
    rooted, signer, dispatch, log = (key(n) for n in (1, 2, 3, 4))
    payload = roots.payload(
        version=1,
        expires_at=START + _LATER,
        roles={
            roots.RoleName.ROOT: ([rooted.public], 1),
            roots.RoleName.SIGNER: ([signer.public], 1),
            roots.RoleName.DISPATCH: ([dispatch.public], 1),
            roots.RoleName.LOG: ([log.public], 1),
            roots.RoleName.APPROVER: ([], 1),
        },
        log_origin=ORIGIN,
    )
    root_envelope = dsse.seal(roots.PAYLOAD_TYPE, payload, [rooted])
    root = roots.first(root_envelope, roots.digest_of(root_envelope), now=START)
    parsed = tuple(parse.load(text.encode(), origin=name) for name, text in _TEXTS.items())
    stored = {one.digest: _TEXTS[name].encode() for name, one in zip(_TEXTS, parsed, strict=True)}
    envelopes = tuple(_catalogue(parsed, version, signer) for version in (1, 2, 3))
    return Signed(
        dispatch=dispatch,
        log=log,
        root=root,
        root_envelope=root_envelope,
        offered=envelopes,
        listed=catalogues.open_catalogue(envelopes[-1], root, now=START),
        playbooks={str(digest): text for digest, text in stored.items()},
        parsed=parsed,
        proving=tuple(
            catalogues.ProvingRecord(
                one.name, one.version, one.digest, (catalogues.Proven("pretend", 40, 40),)
            )
            for one in parsed
            if one.name not in UNPROVEN
        ),
    )


@contextlib.contextmanager
def two_against_hung() -> Iterator[None]:
    """Have a second remedy for a hung service while the block runs."""
    _TEXTS["hung among zombies"] = _CROWDED
    signed.cache_clear()
    try:
        yield
    finally:
        del _TEXTS["hung among zombies"]
        signed.cache_clear()


def _catalogue(parsed: tuple[playbook.Playbook, ...], version: int, signer: SigningKey) -> Any:
    payload = catalogues.payload(
        version=version,
        expires_at=START + _LATER,
        playbooks=[catalogues.Listed(one.name, one.version, one.digest) for one in parsed],
    )
    return dsse.seal(catalogues.PAYLOAD_TYPE, payload, [signer])
