"""Audit logs for tests and benchmarks of evidence: made in memory, the same each time.

A log tells incidents one after another, as two hosts and three people live them, with every kind of
entry in it and with text that somebody outside could have written.
"""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sentienguard.model.ids import IncidentId
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, entry, ledger
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogSigners

ORIGIN = "evidence.example/log"
LOG = SigningKey.from_seed(b"evidence log key, worth nothing.")
HOSTS = {
    f"agent:host-{number}": SigningKey.from_seed(bytes([number]) * 32) for number in range(1, 3)
}
BEGAN = datetime(2026, 2, 1, 0, 0, tzinfo=UTC)
HOSTILE = '=cmd|"/C calc"!A0, line\nbreak \\ | = \u2028 \N{GRINNING FACE}'
PEOPLE = ("ada", "+bob", "=carol")

# One incident after another: who says what. The first letter names the source: centre or host.
STORY = (
    ("c", "incident.opened", {"host": "web", "metric": "system.cpu_percent", "value": "94.8",
                              "sigma": "6.6", "severity": "critical", "reason": HOSTILE}),
    ("c", "evidence.taken", {"recent": 40, "log_lines": 3}),
    ("c", "decision.made", {"playbook": "clear-disk", "version": "1.2.0", "route": "ASK",
                            "confidence": "0.91", "rationale": HOSTILE}),
    ("c", "advice.given", {"given": True, "hypothesis": HOSTILE, "choice": "none_of_these"}),
    ("c", "answer.pointed", {"model": HOSTILE, "given": False, "absent": HOSTILE, "entries": []}),
    ("c", "approval.requested", {"approval_id": "apr_1"}),
    ("c", "approval.decided", {"approval_id": "apr_1", "decision": "approved", "role": "admin"}),
    ("c", "order.intent", {"order_id": "ord_1", "playbook": "clear-disk", "version": "1.2.0"}),
    ("c", "order.delivered", {"order_id": "ord_1"}),
    ("h", "order.admitted", {"order_id": "ord_1"}),
    ("h", "precheck.done", {"order_id": "ord_1", "name": "headroom", "status": "passed"}),
    ("h", "step.done", {"order_id": "ord_1", "name": "clear", "status": "done", "exit_code": 0}),
    ("h", "verify.done", {"order_id": "ord_1", "name": "usage", "status": "failed"}),
    ("h", "undo.done", {"order_id": "ord_1", "name": "clear", "status": "undone"}),
    ("h", "order.finished", {"order_id": "ord_1", "outcome": "rolled_back", "reason": HOSTILE}),
    ("c", "incident.verified", {"passed": False, "detail": "usage 94.9"}),
    ("c", "incident.closed", {"outcome": "rolled_back", "summary": HOSTILE}),
)  # fmt: skip
BESIDE = (
    ("c", "user.login", {"ip_address": "192.0.2.7"}),
    ("c", "access.denied", {"role": "observer", "action": "freeze", "what": HOSTILE,
                            "ip_address": "192.0.2.8"}),
    ("c", "user.added", {"user": "bob"}),
    ("c", "user.stepped_up", {"way": "totp", "ip_address": "192.0.2.7"}),
    ("c", "session.ended", {"user": "bob", "because": "reuse"}),
    ("c", "access.finding", {"user": "bob", "finding": "quick_answer"}),
    ("c", "emergency.asked", {"user": "bob", "purpose": "run_playbook", "reason": HOSTILE}),
    ("c", "emergency.agreed", {"user": "bob", "purpose": "run_playbook", "reason": HOSTILE}),
    ("c", "emergency.ended", {"user": "bob", "because": "time"}),
    ("c", "approval.agreed", {"approvers": "ann", "needed": 2}),
    ("c", "user.factor_added", {"user": "bob", "way": "totp", "label": HOSTILE}),
    ("c", "user.factor_removed", {"user": "bob", "way": "totp"}),
    ("c", "user.erased", {"user": "bob", "reason": HOSTILE}),
    ("c", "people.opened", {"people": 3}),
    ("c", "blob.erased", {"entry": 7, "sha256": "0" * 64, "reason": HOSTILE}),
    ("c", "user.roles_set", {"user": "bob", "roles": {"production": "observer"}}),
    ("c", "token.made", {"name": "ci"}),
    ("c", "token.revoked", {"name": "ci"}),
    ("c", "token.secrets_set", {"name": "ci"}),
    ("c", "chat.linked", {"account": "rita@local"}),
    ("c", "chat.unlinked", {"account": "rita@local"}),
    ("c", "silence.added", {"reason": HOSTILE}),
    ("c", "freeze.set", {"reason": "test"}),
    ("c", "freeze.cleared", {}),
    ("c", "order.stop", {"order_id": "ord_1"}),
    ("c", "drill.injected", {"drill": "disk"}),
    ("c", "playbook.draft_made", {"name": "disk_cleanup"}),
    ("c", "playbook.draft_changed", {"name": "disk_cleanup", "revision": 2}),
    ("c", "playbook.draft_proven", {"name": "disk_cleanup", "held": 9, "failed": 0}),
    ("c", "playbook.draft_dropped", {"name": "disk_cleanup"}),
    ("c", "playbook.taken_over", {"name": "disk_cleanup", "version": "1.1.0"}),
    ("c", "evidence.built", {"framework": "soc2"}),
    ("h", "order.refused", {"order_id": "ord_2", "rule": "fresh_nonce", "reason": HOSTILE}),
    ("h", "agent.alarm", {"what": "clock went back"}),
    ("h", "playbook.tried", {"command": "rm -rf /", "user": "mallory"}),
)  # fmt: skip


def log_of(
    count: int, *, step: timedelta = timedelta(minutes=1), cosigned: int | None = None
) -> audit_log.StoredLog:
    """Return a log of `count` entries, `step` apart; witnesses co-sign it at size `cosigned`."""
    keys = {name: key.public for name, key in HOSTS.items()}
    rules = ledger.Ledger(ORIGIN, LogSigners.of(LOG), agent_key=keys.get)
    states = {name: entry.Source(name) for name in HOSTS}
    records: list[bytes | audit_log.Damage] = []
    notes = []
    for number, (source, kind, data, incident) in enumerate(itertools.islice(_told(), count)):
        new = audit_log.NewEntry(
            kind=kind, at=BEGAN + number * step, environment="production" if incident else "",
            source=source, actor=PEOPLE[number % 3] if source == "cp" else "executor",
            key=f"{kind}/{number}", incident=IncidentId(incident) if incident else None, data=data,
        )  # fmt: skip
        if source == "cp":
            admitted = rules.admit(new)
        else:
            leaf, states[source] = states[source].next(new)
            admitted = rules.admit(audit_log.SignedEntry(leaf, HOSTS[source].sign(leaf)))
        assert admitted.stored is not None
        records.append(admitted.stored)
        if number + 1 == cosigned:
            note = rules.sign(cosigned)
            at_s = int(new.at.timestamp())
            for name, key in HOSTS.items():
                note = checkpoint.cosign(note, name, key, at_s)
            notes.append(note)
    return audit_log.StoredLog(
        verifier_keys=rules.verifier_keys,
        records=records,
        checkpoint=rules.sign(len(records)),
        cosigned=tuple(notes),
    )


def _told() -> Iterator[tuple[str, str, dict[str, object], str]]:
    yield "cp", "log.started", {"version": "test"}, ""
    for name, key in HOSTS.items():
        agent = name.removeprefix("agent:")
        yield "cp", "agent.enrolled", {"agent": agent, "executor_key": key.public.text}, ""
    names = list(HOSTS)
    for number in itertools.count():
        host = names[number % len(names)]
        incident = f"inc_20260201_000000_{number:08x}"
        for who, kind, data in STORY:
            yield "cp" if who == "c" else host, kind, dict(data), incident
        who, kind, data = BESIDE[number % len(BESIDE)]
        yield "cp" if who == "c" else host, kind, dict(data), ""
