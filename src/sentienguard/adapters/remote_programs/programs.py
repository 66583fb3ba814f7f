"""Run one program for a target and understand what it printed. Never through a shell.

Whoever only looked and failed did nothing. A program that was to act and ended with an error may
have acted before: that is never called a refusal, or its effect would count as none.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.ports import command_runner, remote_objects

ENV: Final = "/usr/bin/env"  # the executor's programs have no environment but what argv says
MEASURE_S: Final = 45.0  # gcloud and az take some seconds to begin
_SAID: Final = 300  # characters of what a program said that a message keeps
_MISSING: Final = ("was not found", "NotFound", "NOT_FOUND", "does not exist", "could not be found")


class Gone(remote_objects.UnknownObject):
    """The vendor knows no such object."""


class Never:
    """An interrupt for what only looks: nobody stops it."""

    def requested(self) -> str | None:
        """Return nobody."""
        return None

    def wait(self, seconds: float) -> bool:
        """Wait for nothing."""
        del seconds
        return False


LOOKING: Final = remote_objects.Effort(MEASURE_S, "relay:look", Never())


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one target."""

    commands: command_runner.CommandRunner
    environment: Mapping[str, str]  # of each of them

    def run(
        self, argv: Sequence[str], effort: remote_objects.Effort, *, acting: bool = False
    ) -> str:
        """Return what it printed. Raises Gone, Refused, Unreachable; acting, the last alone.

        Refused also where it cannot be started at all.
        """
        result = self.result(argv, effort)
        if result.exit_code == 0:
            return result.stdout
        said = " ".join((result.stderr or result.stdout).split())[-_SAID:]
        message = f"{argv[0]} ended with status {result.exit_code}: {said!a}"
        if acting:
            raise remote_objects.Unreachable(f"{message}; whether it acted is not known")
        if any(word in said for word in _MISSING):
            raise Gone(message)
        raise remote_objects.Refused(message)

    def result(
        self, argv: Sequence[str], effort: remote_objects.Effort
    ) -> command_runner.CommandResult:
        """Run it to its end, whatever its status. Raises UnknownObject, Unreachable."""
        given = [f"{name}={value}" for name, value in sorted(self.environment.items())]
        whole = [ENV, *given, *argv] if given else list(argv)
        try:
            result = self.commands.run(
                whole, limit=effort.limit_s, mark=effort.mark, interrupt=effort.interrupt
            )
        except command_runner.CommandNotRunnable as error:
            raise remote_objects.Refused(str(error)) from error
        if result.ending is not command_runner.Ending.EXITED:
            raise remote_objects.Unreachable(f"{argv[0]} was ended: {result.ending}")
        return result

    def json(
        self, argv: Sequence[str], effort: remote_objects.Effort, *, acting: bool = False
    ) -> dict[str, Any]:
        """Return the object that it printed as JSON. Raises as `run`."""
        printed = self.run(argv, effort, acting=acting)
        try:
            found = json.loads(printed)
        except (ValueError, RecursionError) as error:
            raise remote_objects.Unreachable(f"{argv[0]} printed no JSON") from error
        if not isinstance(found, dict):
            raise remote_objects.Unreachable(f"{argv[0]} printed no JSON object")
        return found
