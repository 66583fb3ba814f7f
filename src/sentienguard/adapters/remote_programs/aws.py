"""AWS through our own helper, a process for each call: it alone loads boto3.

The executor hands over one JSON request as argv and reads one JSON answer. The helper looks for
credentials where boto3 does, in the files that agent.json names; none passes through the executor.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sentienguard.adapters.remote_programs import programs, target
from sentienguard.playbook import objects
from sentienguard.ports import command_runner, remote_objects

HELPER: Final = str(Path(__file__).with_name("aws_helper.py"))


@dataclass(frozen=True, slots=True)
class Account:
    """Where the helper asks, and whose name it asks in."""

    region: str
    profile: str | None
    config_file: str | None
    credentials_file: str | None
    endpoint: str | None  # None: AWS' own


class Aws:
    """A target.Vendor."""

    def __init__(self, account: Account, commands: command_runner.CommandRunner) -> None:
        """Take the account."""
        self._account = account
        self._programs = programs.Programs(commands, {})

    def read(self, name: objects.Name, effort: remote_objects.Effort) -> target.Reading:
        """Ask; see target.Vendor."""
        found = self._ask({"kind": name.kind, "parts": list(name.parts)}, effort)
        return target.Reading(
            str(found["identity"]),
            str(found["status"]),
            int(found["capacity"]),
            int(found["healthy"]),
        )

    def do(
        self,
        asked: remote_objects.Asked,
        name: objects.Name,
        number: int | None,
        effort: remote_objects.Effort,
    ) -> str:
        """Act; see target.Vendor."""
        if number is None:
            number = int(asked.arguments.get("keep_percent", 0))
        parts = list(name.parts)
        request = {"kind": name.kind, "parts": parts, "call": asked.call, "number": number}
        return str(self._ask(request, effort)["done"])

    def _ask(self, request: dict[str, Any], effort: remote_objects.Effort) -> dict[str, Any]:
        account = self._account
        whole = {
            **request,
            "region": account.region,
            "profile": account.profile,
            "config_file": account.config_file,
            "credentials_file": account.credentials_file,
            "endpoint": account.endpoint,
            "limit_s": int(max(1, effort.limit_s)),
        }
        argv = (sys.executable, "-I", HELPER, json.dumps(whole))
        answer = self._programs.json(argv, effort, acting="call" in request)
        said = str(answer.get("error", ""))
        match answer.get("because"):
            case None:
                return answer
            case "missing":
                raise programs.Gone(said)
            case "refused":
                raise remote_objects.Refused(said)
            case _:
                raise remote_objects.Unreachable(said)
