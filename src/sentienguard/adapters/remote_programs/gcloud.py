"""Google Cloud through the operator's own gcloud: a closed list of sub-commands.

Statuses are those of the Compute Engine and Cloud SQL APIs. What gcloud does not print as
documented counts as `failed`, for which no playbook is.
"""

from typing import Any, Final

from sentienguard.adapters.remote_programs import programs, target
from sentienguard.playbook import objects
from sentienguard.ports import command_runner, remote_objects

_INSTANCE: Final = {
    "RUNNING": "ok",
    "REPAIRING": "impaired",
    **dict.fromkeys(("TERMINATED", "STOPPED", "SUSPENDED"), "stopped"),
    **dict.fromkeys(("PROVISIONING", "STAGING", "STOPPING", "SUSPENDING"), "updating"),
}
_SQL: Final = {
    "RUNNABLE": "ok",
    "FAILED": "impaired",
    "UNKNOWN_STATE": "impaired",
    "SUSPENDED": "stopped",
    "STOPPED": "stopped",
    "MAINTENANCE": "updating",
    "PENDING_CREATE": "updating",
}
_IN_WORK: Final = ("creating", "recreating", "refreshing", "restarting", "starting", "verifying")


class Gcloud:
    """A target.Vendor."""

    def __init__(
        self, program: str, project: str, directory: str, commands: command_runner.CommandRunner
    ) -> None:
        """Take the operator's program, the project, and where its account is."""
        environment = {"CLOUDSDK_CONFIG": directory, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
        self._programs = programs.Programs(commands, environment)
        self._program = program
        self._common = (f"--project={project}", "--format=json")

    def read(self, name: objects.Name, effort: remote_objects.Effort) -> target.Reading:
        """Ask; see target.Vendor."""
        argv = (self._program, *_group(name), "describe", *_named(name), *self._common)
        found = self._programs.json(argv, effort)
        match name.kind:
            case "gce_instance":
                status = _INSTANCE.get(str(found.get("status")), "failed")
                return target.Reading(str(found.get("id")), status, 1, int(status == "ok"))
            case "gce_group":
                return _of_group(found)
            case _:
                never = (found.get("settings") or {}).get("activationPolicy") == "NEVER"
                status = "stopped" if never else _SQL.get(str(found.get("state")), "failed")
                identity = f"{found.get('connectionName')} {found.get('createTime')}"
                return target.Reading(identity, status, 1, int(status == "ok"))

    def do(
        self,
        asked: remote_objects.Asked,
        name: objects.Name,
        number: int | None,
        effort: remote_objects.Effort,
    ) -> str:
        """Act; see target.Vendor."""
        verb = {"reset_instance": "reset", "resize_group": "resize", "restart_sql": "restart"}
        size = () if number is None else (f"--size={number}",)
        argv = (self._program, *_group(name), verb[asked.call], *_named(name), *size)
        return self._programs.run((*argv, *self._common), effort, acting=True)


def _group(name: objects.Name) -> tuple[str, ...]:
    return {
        "gce_instance": ("compute", "instances"),
        "gce_group": ("compute", "instance-groups", "managed"),
        "gcp_sql": ("sql", "instances"),
    }[name.kind]


def _named(name: objects.Name) -> tuple[str, ...]:
    if name.kind == "gcp_sql":
        return (name.parts[0],)
    zone, own = name.parts
    return (own, f"--zone={zone}")


def _of_group(found: dict[str, Any]) -> target.Reading:
    wanted = int(found.get("targetSize") or 0)
    actions = found.get("currentActions") or {}
    healthy = int(actions.get("none") or 0)
    if any(int(actions.get(one) or 0) for one in _IN_WORK):
        status = "updating"
    else:
        status = "ok" if healthy >= wanted else "degraded"
    return target.Reading(str(found.get("id")), status, wanted, healthy)
