"""Azure through the operator's own az: a closed list of sub-commands.

Statuses are those of instance views (`PowerState/...`, `ProvisioningState/...`) and of App
Service's `availabilityState`. What az does not print as documented counts as `failed`.
"""

from typing import Any, Final

from sentienguard.adapters.remote_programs import programs, target
from sentienguard.playbook import objects
from sentienguard.ports import command_runner, remote_objects

_CALLS: Final = {
    "restart_vm": ("vm", "restart"),
    "restart_webapp": ("webapp", "restart"),
    "scale_set": ("vmss", "scale"),
}


class Azure:
    """A target.Vendor."""

    def __init__(
        self,
        program: str,
        subscription: str,
        directory: str,
        commands: command_runner.CommandRunner,
    ) -> None:
        """Take the operator's program, the subscription, and where its account is."""
        environment = {"AZURE_CONFIG_DIR": directory, "AZURE_CORE_NO_COLOR": "1"}
        self._programs = programs.Programs(commands, environment)
        self._program = program
        self._common = (f"--subscription={subscription}", "--output=json")

    def read(self, name: objects.Name, effort: remote_objects.Effort) -> target.Reading:
        """Ask; see target.Vendor."""
        match name.kind:
            case "azure_vm":
                return _of_machine(self._ask(("vm", "get-instance-view"), name, effort))
            case "azure_webapp":
                return _of_app(self._ask(("webapp", "show"), name, effort))
            case _:
                known = self._ask(("vmss", "show"), name, effort)
                return _of_set(known, self._ask(("vmss", "get-instance-view"), name, effort))

    def do(
        self,
        asked: remote_objects.Asked,
        name: objects.Name,
        number: int | None,
        effort: remote_objects.Effort,
    ) -> str:
        """Act; see target.Vendor."""
        size = () if number is None else (f"--new-capacity={number}",)
        argv = (self._program, *_CALLS[asked.call], *_named(name), *size, *self._common)
        return self._programs.run(argv, effort, acting=True)

    def _ask(
        self, command: tuple[str, str], name: objects.Name, effort: remote_objects.Effort
    ) -> dict[str, Any]:
        argv = (self._program, *command, *_named(name), *self._common)
        return self._programs.json(argv, effort)


def _named(name: objects.Name) -> tuple[str, str]:
    group, own = name.parts
    return (f"--resource-group={group}", f"--name={own}")


def _of_machine(found: dict[str, Any]) -> target.Reading:
    view = found.get("instanceView") or {}
    codes = {str(one.get("code")) for one in view.get("statuses") or ()}
    agent = (view.get("vmAgent") or {}).get("statuses") or ()
    reports = any(one.get("displayStatus") == "Ready" for one in agent)
    if "ProvisioningState/updating" in codes or "PowerState/starting" in codes:
        status = "updating"
    elif codes & {"PowerState/stopped", "PowerState/deallocated", "PowerState/deallocating"}:
        status = "stopped"
    elif "PowerState/running" not in codes:
        status = "failed"
    else:
        status = "ok" if reports else "impaired"
    return target.Reading(str(found.get("vmId")), status, 1, int(status == "ok"))


def _of_app(found: dict[str, Any]) -> target.Reading:
    if found.get("state") != "Running":
        status = "stopped"
    else:
        status = "ok" if found.get("availabilityState") == "Normal" else "degraded"
    return target.Reading(str(found.get("id")), status, 1, int(status != "stopped"))


def _of_set(known: dict[str, Any], view: dict[str, Any]) -> target.Reading:
    wanted = int((known.get("sku") or {}).get("capacity") or 0)
    summary = (view.get("virtualMachine") or {}).get("statusesSummary") or ()
    counts = {str(one.get("code")): int(one.get("count") or 0) for one in summary}
    healthy = counts.get("ProvisioningState/succeeded", 0)
    in_work = {"ProvisioningState/creating", "ProvisioningState/updating"}
    if known.get("provisioningState") == "Updating" or any(counts.get(one) for one in in_work):
        status = "updating"
    else:
        status = "ok" if healthy >= wanted else "degraded"
    return target.Reading(str(known.get("uniqueId")), status, wanted, healthy)
