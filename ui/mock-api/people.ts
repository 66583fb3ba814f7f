// Accounts, roles, tokens and what was odd about people's access, as the mock tells them.
import type * as api from "../src/api/types.ts";

const DAY = 86_400_000;
const SEES = ["view"];
const OPERATES = [...SEES, "decide_approval", "run_playbook", "stop_execution", "freeze", "silence", "handle_incident", "run_drill"];
const ALL = [...OPERATES, "view_users", "manage_users", "change_settings", "edit_playbooks", "export_evidence"];

export const ROLES: { items: api.Role[]; permissions: string[] } = {
  items: [
    { role: "observer", meaning: "sees incidents, hosts, readings, playbooks and the log", permissions: SEES, most_days: null },
    { role: "remediation_authority", meaning: "answers questions, runs and stops remedies, freezes, silences", permissions: OPERATES, most_days: null },
    { role: "administrator", meaning: "does all of it, edits playbooks, manages accounts, tokens and settings", permissions: ALL, most_days: null },
    { role: "auditor", meaning: "sees all of it and who may do what, takes evidence away, changes nothing; for at most 30 days", permissions: ["view", "view_users", "export_evidence"], most_days: 30 },
  ],
  permissions: ALL,
};

export function usersAt(now: number): api.User[] {
  return [
    { name: "ana@example.com", roles: { "*": "administrator" }, ends: {} },
    { name: "ben@example.com", roles: { production: "remediation_authority", staging: "administrator" }, ends: {} },
    { name: "eva@audit.example", roles: { "*": "auditor" }, ends: { "*": new Date(now + 12 * DAY).toISOString() } },
  ];
}

export function readTokensAt(now: number): api.ReadToken[] {
  return [
    { id: "rot_1", name: "grafana", environment: "production", made_by: "ana@example.com", made_at: new Date(now - 9 * DAY).toISOString(), expires_at: new Date(now + 81 * DAY).toISOString(), revoked_at: null },
  ];
}

export function findingsAt(now: number): api.AccessFinding[] {
  return [
    { index: 7, at: new Date(now - 2 * DAY).toISOString(), finding: "quick_answer", user: "ben@example.com", incident: "", address: "192.0.2.14", detail: "answered 2 s after the question was asked" },
  ];
}

export function accountAt(now: number, name: string): api.Account {
  return {
    name, passkeys_at: "https://guard.example.com", recovery_codes_left: 8, second_factor: "optional",
    factors: [{ id: "fac_1", way: "webauthn", label: "blue key", made_at: new Date(now - 40 * DAY).toISOString(), approver_key: "passkey guard.example.com AAAA BBBB" }],
    logins: [
      { id: "log_1", address: "192.0.2.14", opened_at: new Date(now - 3_600_000).toISOString(), ends_at: new Date(now + 39_600_000).toISOString(), strong_at: new Date(now - 3_500_000).toISOString(), this: true },
      { id: "log_2", address: "198.51.100.7", opened_at: new Date(now - 30_000_000).toISOString(), ends_at: new Date(now + 9_600_000).toISOString(), strong_at: null, this: false },
    ],
  };
}
