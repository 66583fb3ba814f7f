"""The remedies that run while processes are killed: bundled ones, made quick, and one that counts.

Called by tests.support.kill_fleet. Quickened: shorter pauses between looks, more starts permitted
in an hour; the steps are the bundled ones. `tally` appends a line for each of its steps and is not
idempotent, so a person is asked first, and a step that runs twice shows as two equal lines.
"""

from collections.abc import Mapping
from pathlib import Path

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
BUNDLED = ("disk_cleanup_rotated_logs", "service_restart_hung", "service_safe_mode")
TALLY = "tally"
_QUICKER = {
    "retry: 5\n": "retry: 8\n",
    "retry: 3\n": "retry: 6\n",
    "retry_delay: 2s": "retry_delay: 250ms",
    "min_uptime: 3s": "min_uptime: 1s",
    "max_per_hour: 6\n": "max_per_hour: 60\n",
    "max_per_hour: 12\n": "max_per_hour: 60\n",
}
_TALLY = """\
name: tally
version: "1.0.0"
description: >
  Service down: the service of a tally is not running. Writes a line for each step that ran, then
  starts the service again. Running it twice leaves twice as many lines.
match: {{system: any, resource: service, symptom: down}}
metrics: [service.up]
risk: WARNING
idempotent: false
estimated_duration: 5s
max_per_hour: 60
needs: ["service:@service", "run:{program}"]
parameters:
  service:
    type: service
    description: the service that is not running
guard: service_status == stopped
pre_execution_checks:
  - name: nothing_else_runs
    type: concurrency_check
    scope: host
    fail_action: wait
    max_wait_seconds: 60
steps:
  - name: first_line
    action: ssh_command
    argv: [{program}, line, {{param: service}}]
    timeout: 20s
    rollback:
      action: ssh_command
      argv: [{program}, undone, {{param: service}}]
  - name: second_line
    action: ssh_command
    argv: [{program}, line, {{param: service}}]
    timeout: 20s
    rollback:
      action: ssh_command
      argv: [{program}, undone, {{param: service}}]
  - name: bring_it_up
    action: ssh_command
    argv: [{program}, up, {{param: service}}]
    timeout: 20s
    rollback: {{skip: a service that runs is what was wanted}}
verification:
  - name: it_runs
    type: condition
    condition: service_status == running
    retry: 6
    retry_delay: 250ms
"""
# One write of one short line: whole or not at all, and two of them never mix.
_PROGRAM = """\
#!/bin/sh
echo "$1 $SENTIENGUARD_ORDER" >> "{directory}/$2/lines"
case "$1" in
  line) sleep 0.4 ;;
  up) cp "{directory}/$2/alive" "{directory}/$2/service.pid" ;;
esac
"""


def all_of(tally: Path) -> Mapping[str, bytes]:
    """Return the bytes of every playbook; `tally` is the directory that lines are counted in."""
    found = {name: quickened(name) for name in BUNDLED}
    return {**found, TALLY: _TALLY.format(program=tally / "count").encode()}


def quickened(name: str) -> bytes:
    """Return a bundled playbook with shorter pauses."""
    text = (PLAYBOOKS / name / "playbook.yaml").read_text()
    for slow, quick in _QUICKER.items():
        text = text.replace(slow, quick)
    return text.encode()


def write_program(tally: Path) -> None:
    """Write the program that the steps of `tally` run."""
    tally.mkdir(parents=True)
    program = tally / "count"
    program.write_text(_PROGRAM.format(directory=tally))
    program.chmod(0o700)
