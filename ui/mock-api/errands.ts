// Drills, backtests, notices, answers and what may run on a host, as the mock tells them.
import type * as api from "../src/api/types.ts";

const iso = (at: number) => new Date(at).toISOString();

export function drillsAt(now: number): api.DrillList {
  const check = (name: string, passed: boolean, detail: string) => ({ name, passed, detail });
  const last = (more: Partial<NonNullable<api.Drill["last"]>>): NonNullable<api.Drill["last"]> => ({
    passed: true, bed: "node", ended: "resolved", playbook: "disk_cleanup_prod_db", unattended: true,
    noticed_s: 1.1, seconds: 9.3, harmed: [], checks: [check("outcome", true, "resolved")], trouble: "",
    started: iso(now - 7_200_000), ...more,
  });
  return {
    items: [
      { name: "backups-fill-volume", kind: "fault", beds: ["node", "sandbox"], expected: "resolved by disk_cleanup_prod_db",
        description: "Old backups have filled the volume of a database.", last: last({ seconds: 12.6 }) },
      { name: "core-dumps-fill-root-disk", kind: "fault", beds: ["node"], expected: "resolved by core_dump_cleanup",
        description: "A program that keeps crashing has filled the root disk with core dumps.",
        last: last({ passed: false, ended: "escalated", seconds: null, unattended: false,
          checks: [check("outcome", false, "escalated: nothing to remove"), check("the newest three", true, "unchanged")] }) },
      { name: "long-batch-computes", kind: "decoy", beds: ["node"], expected: "left alone",
        description: "A batch uses all processors, as it does every night.", last: last({ ended: null, playbook: null, seconds: null }) },
      { name: "nginx-crashed", kind: "fault", beds: ["node"], expected: "resolved by service_restart",
        description: "nginx was killed and nothing restarts it.", last: last({ seconds: 4.2 }) },
      { name: "redis-crashed", kind: "fault", beds: ["node"], expected: "resolved by service_restart",
        description: "Redis was killed; its snapshot is intact.",
        last: last({ passed: false, trouble: "no bed could be made: redis-server is not installed", ended: null, seconds: null }) },
      { name: "rotated-logs-fill-volume", kind: "fault", beds: ["node", "sandbox"], expected: "resolved by disk_cleanup_prod_db",
        description: "Rotated logs have filled a volume.", last: null },
    ],
    totals: {
      drills: 5, passed: 3, not_run: 1, faults: 4, decoys: 1, unattended: 2, unattended_of: 3, harmful: 0,
      decoys_right: 1, rollbacks: 1, rollbacks_restored: 1, wrong_playbook: 0, escalations: 0, escalations_right: 0,
      noticed_median_s: 1.1, fixed_median_s: 9.3, fixed_p90_s: 12.6,
    },
    totals_at: iso(now - 7_000_000),
    allowed: true,
    runs: [
      drillRun(now, "nginx-crashed", { state: "working", doing: "fixed: the service answers again" }),
      drillRun(now - 600_000, "backups-fill-volume", { state: "done", passed: true, seconds: 12.6, ended_at: iso(now - 580_000) }),
    ],
  };
}

export function drillRun(at: number, drill: string, more: Partial<api.DrillRun> = {}): api.DrillRun {
  return {
    id: `drl_${at}`, drill, state: "waiting", by: "ana@example.com", asked_at: iso(at), ended_at: null, doing: "",
    detail: "", passed: null, seconds: null, checks: [], ...more,
  };
}

export function backtestAt(at: number, number: number, more: Partial<api.Backtest> = {}): api.Backtest {
  return {
    id: `btt_${number}`, state: "waiting", by: "ana@example.com", asked_at: iso(at), ended_at: null, days: 7,
    environment: "production", sensitivity: "medium", minutes: 30, doing: "", done: 0, of: 0, detail: "", ...more,
  };
}

export function backtestsAt(now: number): api.Backtest[] {
  return [
    backtestAt(now - 40_000, 3, { state: "working", doing: "asking for history", done: 9, of: 28 }),
    backtestAt(now - 86_400_000, 2, { state: "done", ended_at: iso(now - 86_300_000), days: 14 }),
    backtestAt(now - 90_000_000, 1, { state: "failed", ended_at: iso(now - 89_990_000),
      detail: "sentienguard: https://prometheus.example.com does not answer: connection refused" }),
  ];
}

export function reportAt(now: number, days: number): api.BacktestReport {
  const incident = (ago: number, host: string, more: Partial<api.BacktestReport["incidents"][number]>) => ({
    host, metric: "system.disk_usage_percent", subject: "/var", value: 93.2, severity: "warning",
    reason: "full in 3 hours at this pace", opened_at: iso(now - ago * 3_600_000), minutes: 84, playbook: "disk_cleanup_prod_db",
    route_first_day: "DRY_RUN" as const, route_earned: "RUN" as const, alerts: "same symptom", alert_names: ["NodeFilesystemAlmostFull"],
    ...more,
  });
  return {
    from: iso(now - days * 86_400_000), to: iso(now), days, step_s: 60,
    totals: {
      hosts: 24, host_days: 331.5, incidents: 5, per_host_week: 0.11, routes_first_day: { DRY_RUN: 3, ASK: 1, ESCALATE: 1 },
      routes_earned: { RUN: 2, RUN_AND_VERIFY: 1, ASK: 1, ESCALATE: 1 }, with_playbook: 4, unattended_once_earned: 3,
      minutes_saved: 118.5,
    },
    alerts: {
      episodes: 9, of_hosts: 7, same_symptom: 3, same_host: 1, unconfirmed: 1, unconfirmed_per_host_week: 0.02, met: 5,
      not_raised: [{ alert: "CertificateExpiresSoon", episodes: 2 }],
    },
    playbooks: [
      { playbook: "disk_cleanup_prod_db", incidents: 3, hosts: 2, routes_earned: { RUN: 2, ASK: 1 }, minutes_saved: 80 },
      { playbook: "service_restart", incidents: 1, hosts: 1, routes_earned: { RUN_AND_VERIFY: 1 }, minutes_saved: 38.5 },
    ],
    missing: [
      { kind: "a record", for: "disk_cleanup_prod_db", way: "let it run dry or with approval until it has earned its autonomy here", incidents: 3 },
      { kind: "a playbook", for: "system.load_average_1m", way: "write or import a playbook for system.load_average_1m", incidents: 1 },
    ],
    days_raised: Array.from({ length: days }, (_, at) => (at % 5 === 2 ? 2 : at % 7 === 3 ? 1 : 0)),
    incidents: [
      incident(5, "prod-db-01.us-east-1", {}),
      incident(30, "prod-db-03.us-east-1", { route_earned: "ASK", value: 96.4, severity: "critical" }),
      incident(77, "prod-db-01.us-east-1", {}),
      incident(120, "prod-web-01.us-east-1", { metric: "service.up", subject: "checkout", value: 0, severity: "critical",
        reason: "not running", playbook: "service_restart", route_earned: "RUN_AND_VERIFY", alert_names: ["CheckoutDown"], minutes: 31 }),
      incident(200, "prod-web-01.us-east-1", { metric: "system.load_average_1m", subject: "", value: 19.2, reason: "5.2 σ above usual",
        playbook: null, route_earned: "ESCALATE", route_first_day: "ESCALATE", alerts: "none", alert_names: [] }),
    ],
    assumptions: [
      "Without us an incident takes a person 30 minutes, or as long as it lasted where that is less.",
      "Once earned means as many verified successes of the playbook as autonomy needs, and no failure.",
    ],
  };
}

export const CHANNELS: api.Channel[] = [
  { name: "ops-chat", kind: "slack" },
  { name: "on-call", kind: "pagerduty" },
  { name: "tickets", kind: "jira" },
];

export function noticesAt(now: number, incident: string): api.Notice[] {
  const one = (minutes: number, more: Partial<api.Notice>): api.Notice => ({
    id: `ntc_${minutes}`, channel: "ops-chat", incident, kind: "opened", title: "prod-db-01.us-east-1: /var is 94.8 % full",
    status: "sent", attempts: 1, problem: "", made_at: iso(now - minutes * 60_000), due_at: iso(now - minutes * 60_000),
    ended_at: iso(now - minutes * 60_000 + 400), only_if_unanswered: false, ...more,
  });
  return [
    one(1, { kind: "approval", title: "Approval Required", channel: "on-call", status: "waiting", attempts: 0, ended_at: null,
      due_at: iso(now + 540_000), only_if_unanswered: true }),
    one(1.1, { kind: "approval", title: "Approval Required" }),
    one(2, {}),
    one(9, { channel: "tickets", kind: "escalated", title: "Needs a person: staging-cache-02: memory", status: "failed", attempts: 3,
      problem: "tickets: no project is called OPS" }),
    one(60, { kind: "digest", incident: "", title: "23 messages about 21 incidents" }),
    one(61, { status: "folded", problem: "in 5c0e4d" }),
    one(95, { channel: "on-call", status: "dropped", problem: "somebody has it in hand", only_if_unanswered: true }),
  ];
}

export function mayRunAt(playbooks: api.Playbook[], frozen: boolean): api.MayRun[] {
  const rules = (of: api.Playbook): [string, api.Route, string][] => [
    ["risk", of.risk === "SAFE" ? "RUN" : of.risk === "WARNING" ? "RUN_AND_VERIFY" : "ASK", `its risk is ${of.risk}`],
    ["approval_gate", of.approval_required ? "ASK" : "RUN", of.approval_required ? "the playbook asks for a person" : "the playbook asks for nobody"],
    ["maintenance", "RUN", "no maintenance is going on"],
    ["earned_autonomy", of.runs > 5 ? "RUN" : "DRY_RUN", of.runs > 5 ? `${of.resolved} of 5 verified successes here, no harm` : "0 of 5 verified successes here, no proving record: it starts in shadow"],
    ["freeze", frozen ? "ESCALATE" : "RUN", frozen ? "execution is frozen" : "execution is not frozen"],
  ];
  const order: api.Route[] = ["ESCALATE", "DRY_RUN", "ASK", "RUN_AND_VERIFY", "RUN"];
  const least = (of: api.Playbook) => Math.min(...rules(of).map(([, route]) => order.indexOf(route)));
  return [...playbooks]
    .sort((one, other) => least(other) - least(one) || one.name.localeCompare(other.name))
    .map((of) => {
      const route = order[least(of)] ?? "ESCALATE";
      return {
        playbook: of.name, version: of.version, risk: of.risk, symptom: of.symptom, route,
        rules: rules(of).map(([rule, most, reason]) => ({ rule, route: most, reason, deciding: most === route })),
        starts: of.risk === "WARNING" ? 2 : 0, max_per_hour: of.risk === "SAFE" ? 12 : 2,
      };
    });
}

export function answerTo(text: string, incident: api.Incident | undefined): api.Answer {
  if (/touched/.test(text) && incident) {
    return {
      understood: true, about: incident.id, kind: null, pointed_by: "some-model@example.com", known: [],
      sentences: [{ text: "ben noted: I restarted the pool.", entries: [8] }],
    };
  }
  if (!/happen|chang|why|sure|tried|approv|safe|hand/i.test(text)) {
    return {
      understood: false, about: null, kind: null, pointed_by: "", sentences: [{ text: "I do not understand this question.", entries: [] }],
      known: ["what happened INCIDENT?", "what changed before INCIDENT?", "what was tried INCIDENT?"],
    };
  }
  if (!incident) {
    return { understood: true, about: null, kind: "what happened", pointed_by: "", sentences: [{ text: "As far as you may see, there is no incident.", entries: [] }], known: [] };
  }
  return {
    understood: true, about: incident.id, kind: "what happened", pointed_by: "", known: [],
    sentences: [
      { text: `${incident.id} on ${incident.host} opened because ${incident.summary}.`, entries: [1] },
      { text: "disk_cleanup_prod_db was chosen with confidence 0.97 and ran without a person.", entries: [3, 4] },
      { text: "The host and the centre both saw the symptom gone.", entries: [9] },
    ],
  };
}
