"""What a bed is."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sentienguard.agent import controls
from sentienguard.agent import settings as agent_settings
from sentienguard.cli.drills import definition
from sentienguard.model import errors

SCRIPT_S = 60.0  # for one script
MOST_OUTPUT = 64 << 10  # bytes of a script's output that are read
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CannotMake(errors.Unavailable):
    """This machine does not allow such a bed, or it did not come up; the message says why."""


class ScriptFailed(errors.Broken):
    """A script of a drill ended with a status that it must not have."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a script ended."""

    status: int
    output: str  # standard output and error, its first 64 KiB

    @property
    def good(self) -> bool:
        """Tell whether its status was 0."""
        return self.status == 0


class Bed(Protocol):
    """One place to break things in. Made anew for each run; use as a context."""

    kind: str  # as in definition.BEDS

    @property
    def agent(self) -> Path:
        """Return the agent's directory as this machine sees it."""

    @property
    def here(self) -> str:
        """Return the bed's directory as its processes see it, $HERE of scripts."""

    def run(self, script: str, *, limit_s: float = SCRIPT_S) -> Ran:
        """Run a shell script there. Raises ScriptFailed where it does not end in time."""

    def start_agent(self, role: str | None) -> None:
        """Start the agent that was enrolled there, or one of its two processes."""

    def declared(self) -> "Declared":
        """Return what agent.json has to say of this bed."""

    def log(self) -> str:
        """Return the end of what the agent said."""

    def take_down(self) -> None:
        """End everything there and remove it. Once or more."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What the agent of a bed is told."""

    volumes: tuple[agent_settings.Volume, ...]
    services: Mapping[str, agent_settings.Service]
    software: tuple[agent_settings.Software, ...]
    databases: Mapping[str, agent_settings.Database]
    controls: controls.Controls
    confined: bool  # true: it may look at and touch nothing else


def variables(
    *, here: str, beside: str, library: str, python: str, ports: Mapping[str, int]
) -> dict[str, str]:
    """Return the environment of every script."""
    return {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        "HOME": here,
        "HERE": here,
        "DRILL": beside,
        "LIB": library,
        "PYTHON": python,
        **{f"PORT_{name.upper()}": str(port) for name, port in ports.items()},
    }


def with_functions(script: str) -> str:
    """Put the shared shell functions before a script."""
    return f'. "$LIB/functions.sh"\n{script}'


def filled(text: str, values: Mapping[str, str]) -> str:
    """Replace $NAME of our variables, the longest names first."""
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"${name}", values[name])
    return text


def declare(
    drill: definition.Definition, values: Mapping[str, str], *, budgets: bool, confined: bool
) -> Declared:
    """Return what agent.json has to say of this drill on a bed with these variables.

    Raises CannotMake where it would not take the controls.
    """
    here = values["HERE"]

    def maybe(text: str) -> str | None:
        return filled(text, values) or None

    return Declared(
        volumes=tuple(
            agent_settings.Volume(f"{here}/{name}", one.size if budgets else None)
            for name, one in drill.volumes.items()
        ),
        services={
            name: agent_settings.Service(
                name=name,
                start=tuple(filled(word, values) for word in one.start),
                pid_file=filled(one.pid_file, values) or f"{here}/{name}.pid",
                health_url=maybe(one.health),
                log_file=maybe(one.log),
                config_file=maybe(one.config),
            )
            for name, one in drill.services.items()
        },
        software=tuple(
            agent_settings.Software(
                kind=one.get("kind", ""),
                name=one.get("name", one.get("kind", "")),
                address=filled(one.get("address", ""), values),
                user=one.get("user", ""),
                password_file=maybe(one.get("password_file", "")),
            )
            for one in drill.software
        ),
        databases={
            name: agent_settings.Database(
                kind=one.get("kind", ""),
                address=filled(one.get("address", ""), values),
                user=one.get("user", ""),
                password_file=maybe(one.get("password_file", "")),
                database=one.get("database", ""),
            )
            for name, one in drill.databases.items()
        },
        controls=_controls(drill, values),
        confined=confined,
    )


def _controls(drill: definition.Definition, values: Mapping[str, str]) -> controls.Controls:
    quoted = {name: json.dumps(value)[1:-1] for name, value in values.items()}
    try:
        return controls.parse(json.loads(filled(drill.controls, quoted)))
    except (controls.Wrong, ValueError) as cause:
        raise CannotMake(f"{drill.name}: {cause}") from cause


def start_services(drill: definition.Definition, declared: Declared) -> str:
    """Return the script that starts the declared services, each in a session of its own."""
    lines = []
    for name, one in declared.services.items():
        argv = " ".join(_quoted(word) for word in one.start)
        output = _quoted(one.log_file or "/dev/null")
        if drill.services[name].forks:
            lines.append(f"{argv} </dev/null >>{output} 2>&1")
        else:
            pid = _quoted(one.pid_file)
            lines.append(
                f'setsid sh -c \'echo $$ >"$0"; exec "$@"\' {pid} {argv} '
                f"</dev/null >>{output} 2>&1 &"
            )
            lines.append(f"for _ in $(seq 100); do [ -s {pid} ] && break; sleep 0.05; done")
        if one.health_url:
            lines.append(f"wait_for 10 answers {_quoted(one.health_url)}")
    return "\n".join(lines)


def execute(argv: Sequence[str], env: Mapping[str, str], cwd: Path, limit_s: float) -> Ran:
    """Run a program whose children may outlive it, and return what it said.

    Its output goes to a file and not to a pipe, which a child would keep open. Raises ScriptFailed.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603  # argv written by the bed, no shell of ours
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired as cause:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise ScriptFailed(f"a script did not end within {limit_s:.0f} s") from cause
        output.seek(0)
        return Ran(status, output.read(MOST_OUTPUT).decode("utf-8", "replace"))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
