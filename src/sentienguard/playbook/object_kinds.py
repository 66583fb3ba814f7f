"""Kinds of steps that a relay agent does to one object beyond its host.

Called by `kinds`, which lists them among all steps, and by `lint` and admission through
`unrunnable`. What may be done to which kind of object is `objects.ACTS`; here is how a step writes
it. The fields of the first product descriptions (resource, selector, a command line) are still
read, so that old drafts load; a step that has one of them runs nowhere.
"""

from sentienguard.model.playbook import Action, Risk
from sentienguard.playbook import objects
from sentienguard.playbook.kind import FieldSpec, Kind, Operation, Shape

_INSTEAD = "name one object of a declared target: object: {param: NAME} of type object"
_DRAFTED = frozenset({"argv", "command", "resource", "name", "selector", "namespace"})
_STATUSES = ("crash_loop", "oom_killed", "image_pull")
OBJECT = FieldSpec("object", Shape.OBJECT, "object of a target that the relay's owner declared")
UNIT_CALL = FieldSpec("call", Shape.CHOICE, "what to do to the object", choices=("restart_unit",))
_ARGUMENTS = {
    spec.name: spec
    for spec in (
        FieldSpec("status", Shape.CHOICE, "only pods in this state", choices=_STATUSES),
        FieldSpec("by_percent", Shape.INTEGER, "so much more than it has", minimum=1, maximum=100),
        FieldSpec("at_most", Shape.INTEGER, "never beyond", minimum=1, maximum=100_000),
        FieldSpec("at_most_bytes", Shape.SIZE, "never beyond"),
        FieldSpec("keep_percent", Shape.INTEGER, "in service meanwhile", minimum=50, maximum=100),
    )
}


def _kubectl(verb: str, meaning: str, *extra: FieldSpec, risk: Risk = Risk.WARNING) -> Kind:
    fields = (
        OBJECT,
        *extra,
        FieldSpec("resource", Shape.WORD, "drafts: kind of object, for example pod"),
        FieldSpec("name", Shape.WORD, "drafts: name of the object", written="object_name"),
        FieldSpec("selector", Shape.TEXT, "drafts: label or status selector"),
        FieldSpec("namespace", Shape.WORD, "drafts: its namespace"),
    )
    operation = Operation("", meaning, fields, risk, privilege="kubernetes")
    name = f"kubectl_{verb}"
    return Kind(name, meaning, (operation,), instead=_INSTEAD, objects_only=True)


def _cloud(name: str, vendor: str) -> Kind:
    acts = [one for one in objects.ACTS if one.step == name]
    arguments = sorted({argument for one in acts for argument in one.needs})
    fields = (
        OBJECT,
        FieldSpec(
            *("call", Shape.CHOICE, "what is asked of the object"),
            choices=tuple(one.call for one in acts),
        ),
        *(_ARGUMENTS[argument] for argument in arguments),
        FieldSpec("argv", Shape.ARGV, "drafts: a command line"),
    )
    operation = Operation("", f"call {vendor}", fields, Risk.CRITICAL, privilege="cloud")
    meaning = f"one call of {vendor} about one object"
    return Kind(name, meaning, (operation,), shorthand="argv", instead=_INSTEAD, objects_only=True)


STEPS = (
    _kubectl("delete", "delete failing pods", _ARGUMENTS["status"], _ARGUMENTS["at_most"]),
    _kubectl("rollout_restart", "restart the pods of a workload"),
    _kubectl("rollout_undo", "go back to the revision before", risk=Risk.CRITICAL),
    _kubectl(
        "scale",
        "set the number of replicas",
        FieldSpec("replicas", Shape.INTEGER, "how many", required=True, maximum=1_000),
    ),
    _kubectl(
        "set_limits",
        "raise the memory limit of what was killed for want of memory",
        _ARGUMENTS["by_percent"],
        _ARGUMENTS["at_most_bytes"],
    ),
    _kubectl("cordon", "put no further pods on a node"),
    _kubectl("uncordon", "put pods on a node again"),
    _kubectl(
        "set_autoscale",
        "raise the most replicas that an autoscaler may set",
        _ARGUMENTS["by_percent"],
        _ARGUMENTS["at_most"],
    ),
    _cloud("aws_cli", "AWS"),
    _cloud("gcloud", "Google Cloud"),
    _cloud("az_cli", "Azure"),
    Kind(
        "object",
        "an object of a relay's target",
        (Operation("restore", "put back what the step found", (), undo_only=True),),
    ),
)


def unrunnable(action: Action, kind: Kind) -> str | None:
    """Say why a step of a kind for objects can be read and not be run; None: it can be run."""
    if not kind.objects_only:
        return None
    if "object" not in action.fields:
        return f"this release cannot run {action.kind} without a declared object"
    if more := sorted(_DRAFTED & action.fields.keys()):
        return f"this release cannot run {action.kind} with {', '.join(more)} beside an object"
    return None
