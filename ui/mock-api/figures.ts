// What the pretend control plane answers on how it goes: trends, calibration, evidence, settings,
// versions of playbooks, a replay.
import type * as api from "../src/api/types.ts";

const DAY_MS = 86_400_000;

export function trendsAt(now: number, days: number): api.Trends {
  const part = (start: number, end: number, n: number): api.Span => ({
    starts_at: new Date(start).toISOString(),
    ends_at: new Date(end).toISOString(),
    closed: 6 + (n % 4), resolved: 5, unattended: 3 + (n % 3), ran: 6, rolled_back: n % 2, harmed: n % 7 === 6 ? 1 : 0,
    mean_seconds_to_resolve: 140 - n * 2, median_seconds_to_resolve: 95 - n,
    recovered: 6, mean_seconds_to_recover: 200 - n * 2,
    by_people: n % 3 === 2 ? 1 : 0, mean_seconds_by_people: n % 3 === 2 ? 3600 + n * 60 : null,
    median_seconds_by_people: n % 3 === 2 ? 3600 + n * 60 : null,
  });
  const count = Math.min(days, 30);
  const start = now - days * DAY_MS;
  const width = (days * DAY_MS) / count;
  return {
    days,
    now: { ...part(start, now, 8), closed: 210, resolved: 171, recovered: 186, by_people: 15, unattended: 140, ran: 190, rolled_back: 9, harmed: 1 },
    before: { ...part(start - days * DAY_MS, start, 1), closed: 188, resolved: 140, by_people: 4, mean_seconds_by_people: 5400, unattended: 96, ran: 160, rolled_back: 14, harmed: 2 },
    spans: Array.from({ length: count }, (_, n) => part(start + n * width, start + (n + 1) * width, n)),
  };
}

export function calibrationOf(days: number, playbook: string | null): api.Calibration {
  const edges = [0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1];
  const seen: Record<number, [number, number]> = { 0.7: [12, 9], 0.8: [40, 29], 0.9: [64, 59], 0.95: [71, 69] };
  return {
    days, playbook, count: 187, resolved: 166, error: 0.034, brier: 0.081, truncated: false,
    bands: edges.slice(1).map((end, at) => {
      const start = edges[at] ?? 0;
      const [count, resolved] = seen[start] ?? [0, 0];
      return count === 0
        ? { start, end, count, resolved, said: null, seen: null, low: null, high: null, off: false }
        : {
            start, end, count, resolved, said: (start + end) / 2, seen: resolved / count,
            low: Math.max(0, resolved / count - 0.1), high: Math.min(1, resolved / count + 0.07), off: start === 0.8,
          };
    }),
    playbooks: [
      { playbook: "disk_cleanup_prod_db", count: 120, resolved: 115, said: 0.95, seen: 0.958, low: 0.91, high: 0.98 },
      { playbook: "service_restart", count: 67, resolved: 51, said: 0.86, seen: 0.761, low: 0.65, high: 0.85 },
    ],
  };
}

export function packageAt(now: number, state: api.EvidencePackage["state"], more: Partial<api.EvidencePackage> = {}): api.EvidencePackage {
  const done = state === "done";
  return {
    id: `evd_20260401_${state}`, framework: "soc2", from: "2026-01-01", to: "2026-03-31", by: "ana@example.com",
    asked_at: new Date(now - 3_600_000).toISOString(), state, doing: state === "working" ? "proofs" : "", done: 40, of: 100,
    rows: done ? 18_204 : 0, manifest_sha256: done ? "5f".repeat(32) : "", archive_sha256: done ? "a7".repeat(32) : "",
    archive_bytes: done ? 7_340_032 : 0, detail: "", ...more,
  };
}

export const SETTINGS: api.Settings = {
  version: "0.1.0", file: "sentienguard.yaml",
  items: [
    { name: "people_port", sentence: "Port of the listener for people; 0 takes a free one.", value: 7443, default: 7443, changed: false },
    { name: "sensitivity", sentence: "Sigma at which a deviation counts: low 5, medium 3, high 2.", value: "high", default: "medium", changed: true },
    { name: "public_url", sentence: "Address under which people reach the dashboard.", value: "", default: "", changed: false },
  ],
};

export function versionsOf(one: api.Playbook, yaml: string): api.PlaybookVersion[] {
  return [
    {
      version: one.version, digest: one.digest, revoked: false, in_force: true, yaml,
      shipped_case: true, tried: [],
      proven: [{ drill: "disk-full", runs: 20, verified: 20 }],
      places: [{ environment: "production", verified: 12, rolled_back: 1, harmed: 0, dry_runs: 3, other: 2 }],
    },
    {
      version: "0.9.0", digest: `sha256:${"0d".repeat(32)}`, revoked: true, in_force: false, proven: [], places: [],
      shipped_case: false, tried: [{ at: "2026-02-01T09:00:00Z", by: "rita@local", release: "1.0.0", held: 8, failed: 1 }],
      yaml: yaml.replace(one.version, "0.9.0").replace("timeout: 60s", "timeout: 300s"),
    },
  ];
}

export function replayOf(story: api.Story, other: boolean): api.Replay {
  const decision = story.decision;
  if (decision === null) throw new Error("nothing was decided");
  return {
    incident: story.incident.id, identical: true, recorded: "sha256:aa", replayed: "sha256:aa", decision,
    differences: [], changes: [], notes: [],
    what_if: other
      ? {
          recorded_route: decision.route, under_route: "ESCALATE", decision: { ...decision, route: "ESCALATE" },
          settings: [{ setting: "fleet_budget.fleet_starts_per_hour", recorded: "20", under: "0" }],
          rules: [
            {
              rule: "risk", recorded_route: "RUN", recorded_reason: "its risk is SAFE", under_route: "RUN",
              under_reason: "its risk is SAFE", changed: false, deciding: false,
            },
            {
              rule: "fleet_budget", recorded_route: "RUN", recorded_reason: "1 of 20 starts", under_route: "ESCALATE",
              under_reason: "1 of 0 starts in the fleet in an hour", changed: true, deciding: true,
            },
          ],
        }
      : null,
  };
}
