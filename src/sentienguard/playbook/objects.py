"""Objects beyond a host that a relay agent may be asked to act on: their kinds, their names, acts.

Called by `kinds`, `facts` and `parts` (what may be written), by `stages.execute` (is this value the
name of such an object?) and by the adapters that know one vendor each. An object is named by one
text, which no shell and no address line ever sees: TARGET/KIND/PART..., for example
`shop/deployment/prod/web`. TARGET is what the owner of the relay agent declared in agent.json.

To add a kind: a row in KINDS; its facts in `facts`; its acts in ACTS; an adapter that measures and
does them; rows in docs/reference/playbooks.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sentienguard.model import errors

# Longest names: 63 for a target of ours and a DNS label, 253 for a DNS subdomain of Kubernetes.
_TARGET = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(?:\.{_LABEL}){{0,8}}"
_CLOUD = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9])?"
_UNIT = r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,120}\.service"


class NotAnObject(errors.Rejected):
    """The text names no object of a kind that is known here."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object."""

    name: str
    vendor: str  # kind of target that has such objects
    parts: tuple[tuple[str, str], ...]  # what each part of its name is called, and its pattern
    meaning: str  # for people


@dataclass(frozen=True, slots=True)
class Name:
    """The name of one object, taken apart."""

    target: str
    kind: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        """Put it together again."""
        return "/".join((self.target, self.kind, *self.parts))


def _kind(name: str, vendor: str, meaning: str, /, **parts: str) -> Kind:
    return Kind(name, vendor, tuple(parts.items()), meaning)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind("deployment", "kubernetes", "a Deployment", namespace=_LABEL, name=_SUBDOMAIN),
        _kind("node", "kubernetes", "a Node", name=_SUBDOMAIN),
        _kind(
            *("autoscaler", "kubernetes", "a HorizontalPodAutoscaler"),
            namespace=_LABEL,
            name=_SUBDOMAIN,
        ),
        _kind("ec2_instance", "aws", "an EC2 instance", id=r"i-[0-9a-f]{8,17}"),
        _kind("ec2_group", "aws", "an Auto Scaling group", name=_CLOUD),
        _kind("rds_database", "aws", "an RDS instance", name=r"[a-zA-Z][a-zA-Z0-9-]{0,62}"),
        _kind("lambda_function", "aws", "a Lambda function", name=r"[A-Za-z0-9_-]{1,64}"),
        _kind("ecs_service", "aws", "an ECS service", cluster=_CLOUD, name=_CLOUD),
        _kind("gce_instance", "gcp", "a Compute Engine instance", zone=_LABEL, name=_LABEL),
        _kind("gce_group", "gcp", "a managed instance group", zone=_LABEL, name=_LABEL),
        _kind("gcp_sql", "gcp", "a Cloud SQL instance", name=_LABEL),
        _kind("azure_vm", "azure", "a virtual machine", group=_CLOUD, name=_CLOUD),
        _kind("azure_webapp", "azure", "an App Service app", group=_CLOUD, name=_CLOUD),
        _kind("azure_scale_set", "azure", "a scale set", group=_CLOUD, name=_CLOUD),
        _kind("remote_unit", "ssh", "a systemd service of an agentless host", unit=_UNIT),
    )
}
VENDORS = tuple(sorted({kind.vendor for kind in KINDS.values()}))


@dataclass(frozen=True, slots=True)
class Act:
    """What may be done to an object of one kind."""

    step: str  # kind of step, one of kinds.STEPS
    call: str  # of a step that has several; else empty
    of: str  # kind of object
    meaning: str  # for people
    needs: tuple[str, ...] = ()  # arguments that it must have, fields of the step
    may: tuple[str, ...] = ()  # arguments that it may have
    undoable: bool = False  # the undo `restore` puts back what it changed


ACTS: tuple[Act, ...] = (
    Act(
        *("kubectl_delete", "", "deployment"),
        "delete its pods that are in one bad state, so that new ones take their place",
        ("status", "at_most"),
    ),
    Act("kubectl_rollout_restart", "", "deployment", "replace its pods, a few at a time"),
    Act(
        *("kubectl_rollout_undo", "", "deployment"),
        "give it the pod template of the revision before",
        undoable=True,
    ),
    Act(
        *("kubectl_scale", "", "deployment"),
        "set the number of its replicas",
        ("replicas",),
        undoable=True,
    ),
    Act(
        *("kubectl_set_limits", "", "deployment"),
        "raise the memory limit of its containers that were killed for want of memory",
        ("by_percent", "at_most_bytes"),
        undoable=True,
    ),
    Act("kubectl_cordon", "", "node", "put no further pods on it", undoable=True),
    Act("kubectl_uncordon", "", "node", "put pods on it again", undoable=True),
    Act(
        *("kubectl_set_autoscale", "", "autoscaler"),
        "raise the most replicas it may set",
        ("by_percent", "at_most"),
        undoable=True,
    ),
    Act("aws_cli", "reboot_instance", "ec2_instance", "reboot it"),
    Act(
        *("aws_cli", "refresh_instances", "ec2_group"),
        "replace its instances, keeping most of them in service",
        ("keep_percent",),
    ),
    Act(
        *("aws_cli", "raise_storage", "rds_database"),
        "raise its allocated storage; it never shrinks again",
        ("by_percent", "at_most"),
    ),
    Act(
        *("aws_cli", "raise_concurrency", "lambda_function"),
        "raise its reserved concurrency",
        ("by_percent", "at_most"),
        undoable=True,
    ),
    Act("aws_cli", "redeploy_service", "ecs_service", "start a new deployment of the same task"),
    Act("gcloud", "reset_instance", "gce_instance", "reset it"),
    Act(
        *("gcloud", "resize_group", "gce_group"),
        "raise the number of its instances",
        ("by_percent", "at_most"),
        undoable=True,
    ),
    Act("gcloud", "restart_sql", "gcp_sql", "restart it"),
    Act("az_cli", "restart_vm", "azure_vm", "restart it"),
    Act("az_cli", "restart_webapp", "azure_webapp", "restart it"),
    Act(
        *("az_cli", "scale_set", "azure_scale_set"),
        "raise the number of its instances",
        ("by_percent", "at_most"),
        undoable=True,
    ),
    Act("ssh_command", "restart_unit", "remote_unit", "restart it over SSH"),
)
# What an alert's own rule may declare of an object that no agent measures; `metrics` of playbooks.
SYMPTOMS = frozenset(
    {
        *("kubernetes.pod_crash_loop", "kubernetes.crash_loop", "kubernetes.bad_release"),
        *("kubernetes.image_pull", "kubernetes.stuck_rollout", "kubernetes.oom_killed"),
        *("kubernetes.node_pressure", "kubernetes.autoscaler_at_max"),
        *("aws.instance_impaired", "aws.group_degraded", "aws.database_full"),
        *("aws.function_throttled", "aws.service_degraded"),
        *("gcp.instance_impaired", "gcp.group_degraded", "gcp.sql_impaired"),
        *("azure.vm_impaired", "azure.webapp_degraded", "azure.scale_set_degraded"),
        "ssh.unit_failed",
    }
)
ARGUMENTS = frozenset({name for act in ACTS for name in (*act.needs, *act.may)})


def read(text: str) -> Name:
    """Take the name of an object apart. Raises NotAnObject."""
    target, *rest = text.split("/")
    kind = KINDS.get(rest[0]) if rest else None
    if kind is None or re.fullmatch(_TARGET, target) is None:
        raise NotAnObject(
            f"{text[:80]!r} names no object; expected TARGET/KIND/NAME such as "
            f"shop/deployment/prod/web, KIND one of {', '.join(KINDS)}"
        )
    parts = tuple(rest[1:])
    whole = len(parts) == len(kind.parts) and all(
        re.fullmatch(pattern, part, re.ASCII)
        for part, (_, pattern) in zip(parts, kind.parts, strict=True)
    )
    if not whole:
        form = "/".join(("TARGET", kind.name, *(name.upper() for name, _ in kind.parts)))
        raise NotAnObject(f"{text[:80]!r} names no {kind.name}; expected {form}")
    return Name(target, kind.name, parts)


def act(step: str, call: str, of: str) -> Act | None:
    """Find an act; None: a step of this kind does no such thing to such an object."""
    return next((one for one in ACTS if (one.step, one.call, one.of) == (step, call, of)), None)


def steps() -> tuple[str, ...]:
    """Return the kinds of steps that act on objects, each once."""
    return tuple(dict.fromkeys(one.step for one in ACTS))


def raised(old: int, by_percent: int, at_most: int) -> int | None:
    """Return a number raised by some percent, by one at least; None: it is at its bound already."""
    if not 0 < old < at_most:
        return None
    return min(at_most, max(old + 1, old + old * by_percent // 100))
