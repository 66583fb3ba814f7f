"""One execution on a pretend host, and the playbooks that tests of the engine run.

Called by tests/unit/execute.
"""

import json

import pytest

from sentienguard.playbook import parse
from sentienguard.ports import execution_journal
from sentienguard.stages.execute import engine, parameters
from sentienguard.stages.execute import ledger as ledgers
from tests.support import execution, pretend_host

HEAD = """
name: remedy
version: "1.0.0"
description: A remedy of the tests.
match: {system: linux, resource: disk, symptom: full}
risk: WARNING
idempotent: true
"""
STOP_CHANGE_START = (
    HEAD
    + """
steps:
  - name: stop_web
    action: service
    operation: stop
    service: web
    rollback: {action: service, operation: restore, service: web}
  - name: change
    action: fs
    operation: set_setting
    file_of: web
    key: safe_mode
    value: "on"
    rollback: {action: fs, operation: restore}
  - name: start_web
    action: service
    operation: start
    service: web
    rollback: {action: service, operation: restore, service: web}
verification:
  - {name: healthy, type: http, url: "http://127.0.0.1/web", expected_status: 200, retry: 5}
"""
)
COMMANDS = (
    HEAD
    + """
steps:
  - {name: one, action: ssh_command, command: /bin/one, timeout: 5s, rollback: /bin/undo_one}
  - {name: two, action: ssh_command, command: /bin/two, rollback: /bin/undo_two}
  - {name: three, action: ssh_command, command: /bin/three, rollback: /bin/undo_three}
verification:
  - {name: space, type: metric, metric: disk_usage, threshold: "< 80%", retry: 2}
"""
)


class Run:
    """One execution on a pretend host."""

    def __init__(self, text, pretend, *, journal=None, **order):
        self.pretend = pretend
        self.remedy = parse.load(text.encode(), origin="test")
        self.journal = journal or pretend_host.Journal()
        self.ledger = pretend.ledger(self.journal)
        self.interrupt = pretend_host.Interrupt()
        self.signed = execution.Centre(now=pretend_host.START).order(self.remedy, **order)
        self.host = pretend.host()
        self.bound = parameters.bind(
            self.remedy.parameters, self.signed.order.parameters, self.host
        )
        self.text = text

    def go(self):
        boot = self.host.commands.boot()
        self.ledger.intend(self.signed, self.text.encode(), self.bound, boot)
        self.report = engine.execute(
            self.signed.order,
            self.remedy,
            self.bound,
            self.host,
            ledger=self.ledger,
            interrupt=self.interrupt,
        )
        return self.report

    def statuses(self, phase):
        return [(one.name, one.status.value) for one in self.report.records if one.phase is phase]

    def events(self):
        return [json.loads(one["leaf"]) for one in self.ledger.memory.events]


def healthy_when_running(pretend):
    pretend.contents["/etc/web.conf"] = b"port = 1\nsafe_mode = off\n"
    pretend.alive["web"] = True

    def status():
        if not pretend.alive["web"]:
            return 0
        return 200 if b"safe_mode = on" in pretend.contents["/etc/web.conf"] else 503

    pretend.answers["http://127.0.0.1/web"] = status


def crashed_at(text, pretend, writes):
    """Run until the journal's write with that number, as if the process had died there."""
    run = Run(text, pretend, journal=pretend_host.Journal(fail_at=writes))
    with pytest.raises(execution_journal.JournalBroken):
        run.go()
    run.journal.fail_at = None
    run.ledger = ledgers.Ledger(run.journal, run.ledger._source, pretend.clock)
    return run
