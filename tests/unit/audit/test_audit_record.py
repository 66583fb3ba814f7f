import json
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.model.ids import IncidentId
from sentienguard.ports import audit_log
from sentienguard.stages.audit import entry, ledger, merkle, record
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogSigners

START = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
INCIDENT = IncidentId("inc_20260212_112600_a8f3b2c1")
LOG, AGENT = SigningKey.from_seed(b"l" * 32), SigningKey.from_seed(b"a" * 32)
NAME = "agent:4f5a3c1e"
OUTPUT = audit_log.BlobRef("ab" * 32, 9, "text/plain")

# The connection pool incident of the founding documents, with its sigma computed: (98-42.3)/8.4.
STORY = [
    ("incident.opened", "cp", 0, {
        "host": "prod-db-01.internal", "tags": {"service": "postgresql", "compliance": "hipaa"},
        "metric": "postgres.connection_pool.utilization", "subject": "", "value": "98",
        "baseline_mean": "42.3", "baseline_stddev": "8.4", "sigma": "6.63", "severity": "critical",
    }),
    ("decision.made", "cp", 1, {
        "playbook": "postgres_connection_pool_reset", "version": "1.4.2", "confidence": "0.96",
        "rationale": "matched by slots, 40 of 40 verified", "route": "ASK",
    }),
    ("approval.requested", "cp", 2, {"approval_id": "apr_1"}),
    ("approval.decided", "user:bob.chen@company.com", 10, {
        "decision": "approved", "role": "Remediation Authority", "ip_address": "203.0.113.42",
    }),
    ("order.intent", "cp", 11, {
        "order_id": "ord_1", "agent": "4f5a3c1e", "playbook": "postgres_connection_pool_reset",
    }),
    ("precheck.done", NAME, 12, {"order_id": "ord_1", "name": "headroom", "status": "success"}),
    ("step.done", NAME, 13, {
        "order_id": "ord_1", "name": "terminate_idle_connections", "status": "success",
        "result": {"terminated": 89}, "duration_ms": 120, "exit_code": 0,
    }),
    ("verify.done", NAME, 14, {
        "order_id": "ord_1", "name": "test_new_connection", "status": "success",
        "duration_ms": 247, "http_status": 200,
    }),
    ("order.finished", NAME, 20, {
        "order_id": "ord_1", "outcome": "SUCCESS", "reason": "all verified",
    }),
    ("order.intent", "cp", 21, {"order_id": "ord_2", "agent": "4f5a3c1e", "dry_run": True}),
    ("order.refused", NAME, 22, {"order_id": "ord_2", "rule": "nonce", "reason": "used before"}),
    ("incident.verified", "cp", 27, {"passed": True}),
    ("incident.closed", "cp", 28, {"outcome": "resolved", "summary": "pool at 9 of 100"}),
]  # fmt: skip


def told(story):
    log = ledger.Ledger("log.example/main", LogSigners.of(LOG), agent_key={NAME: AGENT.public}.get)
    state = entry.Source(NAME)
    found = []
    for number, (kind, source, second, data) in enumerate(story):
        new = audit_log.NewEntry(
            kind=kind,
            at=START + timedelta(seconds=second),
            environment="production",
            source=source,
            actor=source.removeprefix("user:"),
            key=f"{number}",
            incident=INCIDENT,
            data=data,
            blobs=(OUTPUT,) if kind == "step.done" else (),
        )
        said = new
        if source == NAME:
            leaf, state = state.next(new)
            said = audit_log.SignedEntry(leaf, AGENT.sign(leaf))
        admitted = log.admit(said)
        found.append(audit_log.StoredEntry(admitted.index, admitted.stored))
    return log, found


def rendered(story=STORY, **options):
    _, found = told(story)
    return record.render(found, **options)


def test_the_record_has_every_member_of_the_published_structure():
    log, found = told(STORY)
    commitment = record.Commitment(
        checkpoint=log.sign(13),
        cosigned_by=("agent:4f5a3c1e",),
        log_key_id=LOG.id,
        previous_hash=log.leaf_hash(11),
    )
    whole = record.render(found, commitment)
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole
    assert whole["incident_id"] == INCIDENT
    assert whole["timestamp_start"] == "2026-02-12T11:26:00.000Z"
    assert whole["timestamp_end"] == "2026-02-12T11:26:28.000Z"
    assert whole["duration_seconds"] == 28
    context = whole["incident_context"]
    assert (context["host"], context["environment"]) == ("prod-db-01.internal", "production")
    assert context["tags"] == {"service": "postgresql", "compliance": "hipaa"}
    anomaly = context["anomaly"]
    assert anomaly["metric"] == "postgres.connection_pool.utilization"
    assert (anomaly["value"], anomaly["baseline_mean"], anomaly["sigma"]) == (98, 42.3, 6.63)
    assert anomaly["severity"] == "critical"
    decision = whole["decision"]
    assert decision["playbook_selected"] == "postgres_connection_pool_reset"
    assert (decision["playbook_version"], decision["confidence"]) == ("1.4.2", 0.96)
    assert decision["decision_rationale"] == "matched by slots, 40 of 40 verified"
    assert (decision["execution_mode"], decision["approval_required"]) == ("approval", True)
    assert [one["step"] for one in whole["execution_log"]] == [
        "headroom", "terminate_idle_connections",
    ]  # fmt: skip
    assert whole["execution_log"][1]["result"] == {"terminated": 89}
    (verification,) = whole["verification_log"]
    assert (verification["result"], verification["duration_ms"]) == ("success", 247)
    assert verification["http_status"] == 200
    outcome = whole["outcome"]
    assert (outcome["status"], outcome["resolution_time_seconds"]) == ("success", 28)
    assert outcome["verification_passed"] is True
    assert outcome["rollback_triggered"] is False
    assert outcome["human_intervention_required"] is True
    metadata = whole["audit_metadata"]
    assert metadata["hash_chain"] == {
        "current_hash": f"sha256:{merkle.leaf_hash(found[-1].stored).hex()}",
        "previous_hash": f"sha256:{log.leaf_hash(11).hex()}",
    }
    assert metadata["signature"]["algorithm"] == "Ed25519"
    assert metadata["merkle_log"]["tree_size"] == 13
    assert metadata["merkle_log"]["entries"] == list(range(13))
    assert {"soc2_cc6.1", "hipaa_164.312.b", "pci_dss_requirement_10"} <= set(
        metadata["compliance_tags"]
    )


def test_who_approved_in_which_role_from_where_and_how_fast():
    whole = rendered()
    assert whole["approved_by"] == "bob.chen@company.com"
    assert whole["role"] == "Remediation Authority"
    assert whole["ip_address"] == "203.0.113.42"
    assert whole["approval_latency_seconds"] == 8


def test_every_execution_is_listed_with_what_became_of_it():
    first, second = rendered()["executions"]
    assert (first["execution_id"], first["result"], first["duration"]) == ("ord_1", "success", 9)
    assert first["timestamp"] == "2026-02-12T11:26:11.000Z"
    assert (second["result"], second["reason"]) == ("refused", "used before")
    assert second["dry_run"] is True


def test_what_is_not_configured_is_not_claimed():
    lock = rendered()["audit_metadata"]["s3_object_lock"]
    assert (lock["mode"], lock["retain_until"]) == ("NONE", None)
    kept = rendered(commitment=record.Commitment(lock_mode="COMPLIANCE", retain_until="2032-02-12"))
    lock = kept["audit_metadata"]["s3_object_lock"]
    assert (lock["mode"], lock["retain_until"]) == ("COMPLIANCE", "2032-02-12")


def test_an_incident_that_has_just_opened_has_a_record_of_what_is_known():
    whole = rendered(STORY[:1])
    assert whole["timestamp_end"] is None
    assert whole["outcome"]["status"] is None
    assert whole["outcome"]["verification_passed"] is None
    assert whole["decision"]["playbook_selected"] is None
    assert whole["approved_by"] is None
    assert whole["executions"] == whole["execution_log"] == []


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("undo.done", {"name": "undo", "status": "success"}, {"rollback_triggered": True}),
        ("order.finished", {"order_id": "ord_1", "outcome": "PARTIALLY_ROLLED_BACK",
                            "left_behind": ["restart"]},
         {"rollback_triggered": True, "left_behind": ["restart"]}),
        ("verify.done", {"name": "health", "status": "failed"}, {"verification_passed": False}),
    ],
)  # fmt: skip
def test_a_remedy_that_failed_says_so(kind, data, expected):
    outcome = rendered([*STORY[:5], (kind, NAME, 15, data)])["outcome"]
    assert expected.items() <= outcome.items()


def test_a_denied_approval_names_who_denied_and_nobody_who_approved():
    denied = ("approval.decided", "user:ann", 9, {"decision": "denied"})
    whole = rendered([*STORY[:3], denied])
    assert (whole["approved_by"], whole["decided_by"]) == (None, "ann")
    assert (whole["approval_decision"], whole["approval_latency_seconds"]) == ("denied", 7)


def test_outputs_are_shown_in_full_where_they_are_given_and_by_digest_otherwise():
    (shown,) = rendered()["execution_log"][1]["outputs"]
    assert shown == {"sha256": OUTPUT.sha256, "len": 9, "type": "text/plain"}
    (shown,) = rendered(blobs={OUTPUT.sha256: "89 closed"})["execution_log"][1]["outputs"]
    assert shown["text"] == "89 closed"


def test_text_that_only_looks_like_a_number_stays_text():
    opened = (
        "incident.opened",
        "cp",
        0,
        {"value": "1e999", "sigma": "12a", "baseline_mean": "-0.5"},
    )
    anomaly = rendered([opened])["incident_context"]["anomaly"]
    assert (anomaly["value"], anomaly["sigma"], anomaly["baseline_mean"]) == ("1e999", "12a", -0.5)


def test_what_was_recorded_as_empty_is_null():
    opened = ("incident.opened", "cp", 0, {"sigma": "", "subject": "7", "value": "7"})
    decided = ("decision.made", "cp", 1, {"playbook": "", "confidence": "", "route": "ESCALATE"})
    whole = rendered([opened, decided])
    anomaly = whole["incident_context"]["anomaly"]
    assert (anomaly["sigma"], anomaly["subject"], anomaly["value"]) == (None, "7", 7)
    assert whole["decision"]["playbook_selected"] is whole["decision"]["confidence"] is None
    assert whole["decision"]["execution_mode"] == "escalated"


def test_no_entries_are_no_incident():
    with pytest.raises(audit_log.NoSuchEntry):
        record.render([])


def test_a_host_that_no_order_went_to_is_not_heard_in_the_record():
    elsewhere = [
        (kind, source, second, {**data, "agent": "another"} if kind == "order.intent" else data)
        for kind, source, second, data in STORY
    ]
    whole = rendered(elsewhere)
    assert not whole["execution_log"]
    assert not whole["verification_log"]
    assert [one["result"] for one in whole["executions"]] == [None, None]
