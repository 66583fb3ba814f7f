// Accounts, roles, tokens and what was odd about people's access, as the mock tells them.
import { type Answer, ok, problem } from "./answers.ts";
import type { World } from "./world.ts";
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

const PSEUDONYM = "person_5f0c2d7a41e9b3860d1c9a7e5b24f683";

/** Forget somebody, as the server does: nobody themselves. */
export function forget(world: World, name: string): Answer {
  if (name === world.me.name) {
    return problem(422, "Not erased", "nobody erases themselves; another administrator does");
  }
  world.forgotten.add(name);
  return ok({ pseudonym: PSEUDONYM, changed: 17 } satisfies api.PersonErased);
}

/** Ben alone is known by a pseudonym. */
export function whose(world: World, who: string): api.Whose {
  const [ben] = world.users().filter(({ name }) => name.startsWith("ben@"));
  if (ben !== undefined && [ben.name, PSEUDONYM].includes(who)) {
    return { name: ben.name, pseudonym: PSEUDONYM, as_stranger: who === PSEUDONYM ? "" : "stranger_77aa" };
  }
  return { name: "", pseudonym: "", as_stranger: "stranger_41cd" };
}
