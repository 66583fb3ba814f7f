"""ansible-rulebook as a process: its webhook source, one rule, one playbook that touches a file.

Called by benchmarks.rulebook. The setup is the shortest that its documentation shows for
Alertmanager: the webhook source, `run_playbook`, an inventory with this machine as a local host,
facts not gathered. What the playbook touches is named after the alert's `instance`.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

STARTS_WITHIN_S = 60.0
RULEBOOK = """
- name: alerts
  hosts: all
  sources:
    - eda.builtin.webhook:
        host: 127.0.0.1
        port: {port}
  rules:
    - name: touch
      condition: event.payload.alerts is defined
      action:
        run_playbook:
          name: {playbook}
"""
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - command: "touch {out}/{{{{ ansible_eda.event.payload.alerts[0].labels.instance }}}}"
"""


@dataclass
class Rulebook:
    """A running ansible-rulebook."""

    program: Path
    place: Path
    port: int
    process: "subprocess.Popen[bytes]"

    def send(self, body: Mapping[str, Any]) -> bool:
        """Send one webhook; true where it was acknowledged."""
        address = f"http://127.0.0.1:{self.port}/endpoint"
        return httpx.post(address, json=dict(body), timeout=30, trust_env=False).is_success

    def started(self, name: str) -> float | None:
        """Return when the playbook of this alert touched its file; None: not yet."""
        try:
            return (self.place / "out" / name).stat().st_mtime_ns / 1e9
        except FileNotFoundError:
            return None

    def touched(self) -> set[str]:
        """Return the names of all alerts that a playbook ran for."""
        return {file.name for file in (self.place / "out").iterdir()}

    def kill(self) -> None:
        """Kill the process as a power cut would; a playbook that it started may go on."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        """Start it again on the same port."""
        self.process = _start(self.program, self.place)
        _wait_open(self.port, self.process)


def find(option: str) -> Path | None:
    """Return the program: the one that was named, or the one on PATH."""
    found = option or shutil.which("ansible-rulebook")
    return Path(found) if found else None


def versions(program: Path) -> str:
    """Return what it says of itself and of what it runs on."""
    said = subprocess.run(
        [str(program), "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=_environment(program),
        timeout=STARTS_WITHIN_S,
    ).stdout
    wanted = ("ansible-rulebook", "Drools_jpy", "Java version", "Ansible core", "Python version")
    return "; ".join(line.strip() for line in said.splitlines() if line.strip().startswith(wanted))


@contextlib.contextmanager
def running(program: Path, place: Path) -> Iterator[Rulebook]:
    """Run it for as long as the block lasts, in a directory of its own."""
    port = _free_port()
    (place / "out").mkdir(parents=True)
    (place / "rulebook.yml").write_text(RULEBOOK.format(port=port, playbook="touch.yml"))
    (place / "touch.yml").write_text(PLAYBOOK.format(out=place / "out"))
    python = program.parent / "python3"
    local = f"localhost ansible_connection=local ansible_python_interpreter={python}\n"
    (place / "inventory").write_text(local)
    rival = Rulebook(program, place, port, _start(program, place))
    try:
        _wait_open(port, rival.process)
        yield rival
    finally:
        rival.kill()


def _start(program: Path, place: Path) -> "subprocess.Popen[bytes]":
    with (place / "log").open("ab") as log:
        return subprocess.Popen(
            [str(program), "-r", "rulebook.yml", "-i", "inventory"],
            cwd=place,
            env=_environment(program),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _environment(program: Path) -> dict[str, str]:
    """Return its environment: its own ansible-playbook first, and the Java that it needs."""
    java = shutil.which("java")
    if java is None:
        raise RuntimeError("ansible-rulebook needs Java: apt-get install openjdk-17-jre-headless")
    home = Path(java).resolve().parents[1]
    path = f"{program.parent}:{os.environ['PATH']}"
    return {**os.environ, "JAVA_HOME": str(home), "PATH": path}


def _wait_open(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"ansible-rulebook ended with status {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"ansible-rulebook did not listen within {STARTS_WITHIN_S:g} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
