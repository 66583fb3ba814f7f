"""Who may call what: the second opinion on every operation of the people's API.

`RULES` is written by hand, from what each operation is for, and never from the code that it judges.
An operation without a row fails tests/integration/controlplane/test_controlplane_access_matrix.py.
To add one: say which permission it takes and of where, and a body that is complete, so that a
refusal can only be about who asks.

    somewhere    whoever has the permission in any environment
    everywhere   whoever has it in all of them
    thing        whoever has it in the environment of the thing that the path or body names
    own          any person with a login: it is about themselves
    anybody      any valid token, a machine's too
    public       no token
    elsewhere    a token of another kind opens it: webhooks and telemetry
"""

from dataclasses import dataclass
from typing import Any

# What each role is for, said again: see the roles in docs/how-to/people-and-roles.md.
OPERATES = {"view", "decide_approval", "run_playbook", "stop_execution", "freeze", "silence",
            "handle_incident", "run_drill"}  # fmt: skip
MAY = {
    "": set(),
    "observer": {"view"},
    "remediation_authority": OPERATES,
    "administrator": OPERATES | {"view_users", "manage_users", "change_settings",
                                 "export_evidence", "break_glass", "edit_playbooks"},
    "auditor": {"view", "view_users", "export_evidence"},
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """Who may call one operation."""

    where: str
    permission: str = "view"
    body: Any = None
    form: Any = None
    query: Any = None


VIEW, OWN, ANYBODY = Rule("somewhere"), Rule("own"), Rule("anybody")
PUBLIC, ELSEWHERE = Rule("public"), Rule("elsewhere")
USERS = Rule("everywhere", "manage_users")
EVIDENCE = Rule("everywhere", "export_evidence")
DRAFTS = Rule("everywhere", "edit_playbooks")
NOTE, REASON = {"note": "x"}, {"reason": "x"}
PROOF = {"password": "correct horse battery staple"}
WINDOW = {"matchers": [{"label": "environment", "comparison": "=", "value": "{environment}"}],
          "minutes": 5, "reason": "x", "comment": "x"}  # fmt: skip
PREVIEW = {"matchers": WINDOW["matchers"]}
PERSON = {"name": "new@local", "password": "correct horse battery", "roles": {}}
PERIOD = {"framework": "soc2", "from": "2026-01-01", "to": "2026-01-02"}
QUERY = {"query": "up", "start": "0", "end": "60", "step": "60", "match[]": "up"}
STRETCH = {"host": "{host}", "metric": "system.cpu_percent", "subject": "", "times_ms": [],
           "values": []}  # fmt: skip


def care(body: Any) -> Rule:
    """Return the rule of what people do with an incident."""
    return Rule("thing", "handle_incident", body)


RULES = {
    "GET /api/v1/account": OWN,
    "DELETE /api/v1/account/factors/{factor_id}": OWN,
    "DELETE /api/v1/account/logins": OWN,
    "DELETE /api/v1/account/logins/{login_id}": OWN,
    "POST /api/v1/account/passkeys": Rule("own", body=PROOF),
    "POST /api/v1/account/passkeys/confirm": Rule("own", body={
        "ticket": "x", "client_data": "", "attestation": "", "label": "x"}),
    "POST /api/v1/account/recovery-codes": OWN,
    "POST /api/v1/account/totp": Rule("own", body=PROOF),
    "POST /api/v1/account/totp/confirm": Rule("own", body={
        "ticket": "x", "code": "1", "label": "x"}),
    "GET /api/v1/alerts": VIEW,
    "GET /api/v1/approvals": VIEW,
    "GET /api/v1/approvals/{approval_id}": Rule("thing"),
    "POST /api/v1/approvals/{approval_id}/approve": Rule("thing", "decide_approval", NOTE),
    "GET /api/v1/approvals/{approval_id}/to-sign": Rule("thing", "decide_approval"),
    "POST /api/v1/approvals/{approval_id}/deny": Rule("thing", "decide_approval", NOTE),
    "POST /api/v1/ask": Rule("somewhere", body={"text": "what happened?"}),
    "GET /api/v1/audit/checkpoint": VIEW,
    "GET /api/v1/audit/entries": VIEW,
    "GET /api/v1/audit/exposure": VIEW,
    "GET /api/v1/audit/proof/{index}": VIEW,
    "POST /api/v1/audit/verify": VIEW,
    # These know their browser by a cookie, and the command line by code and verifier.
    "GET /api/v1/auth/command-line": PUBLIC,
    "GET /api/v1/auth/command-line/confirm": PUBLIC,
    "POST /api/v1/auth/command-line/confirm": PUBLIC,
    "POST /api/v1/auth/command-line/session": PUBLIC,
    "POST /api/v1/auth/login": PUBLIC,
    "POST /api/v1/auth/login/second": PUBLIC,
    "POST /api/v1/auth/logout": OWN,
    "GET /api/v1/auth/me": ANYBODY,
    "GET /api/v1/auth/provider": PUBLIC,
    "GET /api/v1/auth/provider/callback": PUBLIC,
    "POST /api/v1/auth/refresh": PUBLIC,
    "POST /api/v1/auth/step-up": OWN,
    "POST /api/v1/auth/step-up/second": Rule("own", body={"ticket": "x", "code": "1"}),
    "GET /api/v1/backtests": Rule("everywhere"),
    "POST /api/v1/backtests": Rule("everywhere", "change_settings", {"days": 1}),
    "GET /api/v1/backtests/{backtest_id}": Rule("everywhere"),
    "DELETE /api/v1/backtests/{backtest_id}": Rule("everywhere", "change_settings"),
    "GET /api/v1/auth/ways": PUBLIC,
    "GET /api/v1/break-glass": VIEW,
    # Whoever may break glass anywhere may ask for any place; a second person of that place agrees.
    "POST /api/v1/break-glass": Rule("somewhere", "break_glass", {
        "environment": "dev", "purpose": "freeze", "reason": "a reason", "minutes": 5}),
    "POST /api/v1/break-glass/{emergency_id}/agree": Rule("thing", "break_glass"),
    "POST /api/v1/break-glass/{emergency_id}/end": Rule("thing", "freeze"),
    "GET /api/v1/calibration": VIEW,
    "GET /api/v1/changes": VIEW,
    "POST /api/v1/changes": ELSEWHERE,
    "GET /api/v1/chat-identities": USERS,
    "PUT /api/v1/chat-identities": Rule("everywhere", "manage_users", {
        "service": "slack", "team": "T1", "person": "U1", "account": "victim@local"}),
    "DELETE /api/v1/chat-identities/{service}/{team}/{person}": USERS,
    "GET /api/v1/drills": VIEW,
    "POST /api/v1/drills/{name}/runs": Rule("everywhere", "run_drill"),
    "DELETE /api/v1/drills/runs/{run_id}": Rule("everywhere", "run_drill"),
    "GET /api/v1/evidence": EVIDENCE,
    "POST /api/v1/evidence": Rule("everywhere", "export_evidence", PERIOD),
    "GET /api/v1/evidence/entries": EVIDENCE,
    "GET /api/v1/evidence/{package_id}": EVIDENCE,
    "GET /api/v1/evidence/{package_id}/download": EVIDENCE,
    "GET /api/v1/findings": Rule("everywhere", "view_users"),
    "GET /api/v1/freeze": VIEW,
    "PUT /api/v1/freeze": Rule("somewhere", "freeze", REASON),
    "DELETE /api/v1/freeze": Rule("everywhere", "freeze"),
    "POST /api/v1/history": Rule("thing", "change_settings", STRETCH),
    "POST /api/v1/history/learn": Rule("thing", "change_settings", {"host": "{host}"}),
    "GET /api/v1/hosts": VIEW,
    "GET /api/v1/hosts/{agent_id}": Rule("thing"),
    "GET /api/v1/hosts/{agent_id}/baselines": Rule("thing"),
    "GET /api/v1/hosts/{agent_id}/outside": Rule("thing"),
    "GET /api/v1/hosts/{agent_id}/outside/readings": Rule(
        "thing", query={"metric": "up", "label": "job=node"}
    ),
    "GET /api/v1/hosts/{agent_id}/playbooks": Rule("thing"),
    "POST /api/v1/hosts/{agent_id}/release": Rule("thing", "manage_users", REASON),
    "POST /api/v1/hosts/{agent_id}/strike-off": Rule("thing", "manage_users", REASON),
    "GET /api/v1/hosts/{agent_id}/series": Rule("thing", query={"metric": "system.cpu_percent"}),
    "GET /api/v1/incidents": VIEW,
    "GET /api/v1/incidents/{incident_id}": Rule("thing"),
    "POST /api/v1/incidents/{incident_id}/acknowledge": care(NOTE),
    "POST /api/v1/incidents/{incident_id}/assign": care({"to": None}),
    "POST /api/v1/incidents/{incident_id}/close": care(REASON),
    "POST /api/v1/incidents/{incident_id}/notes": care({"text": "x"}),
    "GET /api/v1/incidents/{incident_id}/advice": Rule("thing"),
    "GET /api/v1/incidents/{incident_id}/diagnosis": Rule("thing"),
    "GET /api/v1/incidents/{incident_id}/postmortem": Rule("thing"),
    "GET /api/v1/incidents/{incident_id}/snapshot": Rule("thing"),
    "GET /api/v1/notices": Rule("everywhere", "change_settings"),
    "GET /api/v1/notices/channels": Rule("everywhere", "change_settings"),
    "POST /api/v1/notices/channels/{name}/test": Rule("everywhere", "change_settings"),
    "GET /api/v1/incidents/{incident_id}/alike": Rule("thing"),
    "GET /api/v1/incidents/{incident_id}/record": Rule("thing"),
    "POST /api/v1/incidents/{incident_id}/reopen": care(REASON),
    "GET /api/v1/incidents/{incident_id}/replay": Rule("thing"),
    "POST /api/v1/incidents/{incident_id}/replay": Rule("thing", body={"policy": {}}),
    "POST /api/v1/incidents/{incident_id}/stop": Rule("thing", "stop_execution", NOTE),
    "GET /api/v1/label/{name}/values": VIEW,
    "GET /api/v1/labels": VIEW,
    "POST /api/v1/labels": VIEW,
    "GET /api/v1/live": VIEW,
    "GET /api/v1/maintenance": VIEW,
    "POST /api/v1/maintenance": Rule("thing", "silence", WINDOW),
    "POST /api/v1/maintenance/preview": Rule("somewhere", body=PREVIEW),
    "GET /api/v1/maintenance/{window_id}": Rule("thing"),
    "DELETE /api/v1/maintenance/{window_id}": Rule("thing", "silence"),
    "GET /api/v1/outside-logs": VIEW,
    "GET /api/v1/overview": VIEW,
    "GET /api/v1/overview/trends": VIEW,
    # Nobody below an administrator, whatever they may do elsewhere.
    "GET /api/v1/playbook-drafts": DRAFTS,
    "POST /api/v1/playbook-drafts": Rule("everywhere", "edit_playbooks", {"name": "matrix_none"}),
    "GET /api/v1/playbook-drafts/{draft_id}": DRAFTS,
    "PUT /api/v1/playbook-drafts/{draft_id}": Rule("everywhere", "edit_playbooks", {
        "yaml": "x", "case": "", "revision": 1}),
    "DELETE /api/v1/playbook-drafts/{draft_id}": DRAFTS,
    "POST /api/v1/playbook-drafts/{draft_id}/proof": DRAFTS,
    "DELETE /api/v1/playbook-drafts/{draft_id}/proof": DRAFTS,
    "GET /api/v1/playbook-drafts/{draft_id}/unsigned": DRAFTS,
    "POST /api/v1/playbook-drafts/{draft_id}/signed": Rule("everywhere", "edit_playbooks", {}),
    "GET /api/v1/playbooks": VIEW,
    "GET /api/v1/playbooks/{name}": VIEW,
    "GET /api/v1/playbooks/{name}/incidents": VIEW,
    "GET /api/v1/playbooks/{name}/versions": VIEW,
    "POST /api/v1/playbooks/{name}/runs": Rule("thing", "run_playbook", {"host": "{host}"}),
    "GET /api/v1/query": Rule("somewhere", query=QUERY),
    "POST /api/v1/query": Rule("somewhere", form=QUERY),
    "GET /api/v1/query_range": Rule("somewhere", query=QUERY),
    "POST /api/v1/query_range": Rule("somewhere", form=QUERY),
    "GET /api/v1/read-tokens": USERS,
    "POST /api/v1/read-tokens": Rule("everywhere", "manage_users", {
        "name": "grafana", "environment": "{environment}"}),
    "DELETE /api/v1/read-tokens/{token_id}": USERS,
    "GET /api/v1/roles": ANYBODY,
    "GET /api/v1/senders": VIEW,
    "GET /api/v1/series": Rule("somewhere", query=QUERY),
    "POST /api/v1/series": Rule("somewhere", form=QUERY),
    "GET /api/v1/keys": Rule("everywhere", "change_settings"),
    "GET /api/v1/settings": Rule("everywhere", "change_settings"),
    "GET /api/v1/silences": VIEW,
    "POST /api/v1/silences": Rule("thing", "silence", WINDOW),
    "POST /api/v1/silences/preview": Rule("somewhere", body=PREVIEW),
    "GET /api/v1/silences/{window_id}": Rule("thing"),
    "DELETE /api/v1/silences/{window_id}": Rule("thing", "silence"),
    "GET /api/v1/status/buildinfo": VIEW,
    "POST /api/v1/tokens": Rule("everywhere", "manage_users", {"environment": "{environment}"}),
    "GET /api/v1/topology": VIEW,
    "GET /api/v1/users": Rule("somewhere", "view_users"),
    "POST /api/v1/users": Rule("everywhere", "manage_users", PERSON),
    "DELETE /api/v1/users/{name}/factors": USERS,
    "DELETE /api/v1/users/{name}/logins": USERS,
    "POST /api/v1/users/{name}/erase": Rule("everywhere", "manage_users", REASON),
    "GET /api/v1/people": EVIDENCE,
    "GET /api/v1/people/{who}": Rule("everywhere", "view_users"),
    "POST /api/v1/audit/entries/{index}/blobs/{sha256}/erase": Rule(
        "everywhere", "manage_users", REASON),
    "PUT /api/v1/users/{name}/roles": Rule("everywhere", "manage_users", {"roles": {}}),
    "GET /api/v1/webhook-tokens": USERS,
    "POST /api/v1/webhook-tokens": Rule("everywhere", "manage_users", {
        "purpose": "grafana", "environment": "{environment}"}),
    "DELETE /api/v1/webhook-tokens/{token_id}": USERS,
    "PUT /api/v1/webhook-tokens/{token_id}/signing-secrets": Rule(
        "everywhere", "manage_users", {"secrets": []}),
    "POST /api/v1/webhooks/alertmanager": ELSEWHERE,
    "POST /api/v1/webhooks/cloudevents": ELSEWHERE,
    "POST /api/v1/webhooks/datadog": ELSEWHERE,
    "POST /api/v1/webhooks/eventbridge": ELSEWHERE,
    "POST /api/v1/webhooks/eventgrid": ELSEWHERE,
    "POST /api/v1/webhooks/grafana": ELSEWHERE,
    "POST /api/v1/webhooks/pagerduty": ELSEWHERE,
    "POST /api/v1/webhooks/pubsub": ELSEWHERE,
    "POST /api/v1/write": ELSEWHERE,
    "POST /v1/logs": ELSEWHERE,
    "POST /v1/metrics": ELSEWHERE,
    "POST /v1/traces": ELSEWHERE,
}  # fmt: skip


def allows(rule: Rule, role: str, granted: str, thing: str) -> bool:
    """Tell whether a person with one role in one place (or in * all) may, by the rule."""
    if rule.where in {"own", "anybody", "public"}:
        return True
    if rule.permission not in MAY[role]:
        return False
    return {
        "somewhere": True,
        "everywhere": granted == "*",
        "thing": granted in {"*", thing},
        "elsewhere": False,
    }[rule.where]
