// Hosts and the keys of the control plane, as the mock tells them.
import type * as api from "../src/api/types.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const TWICE =
  "3 samples do not go on from the others, at last number 4127 of 2026-03-02 02:14:09Z while 4131 was taken " +
  "before: two hosts use this identity, or its files were put back to an older state";

function host(n: number, name: string, environment: string, more: Partial<api.Host> = {}): api.Host {
  return {
    agent_id: `0f5c2b1e-4d7a-4c1b-9a55-${String(n).padStart(12, "0")}`,
    host: name, environment, tags: { team: n % 2 ? "storage" : "shop" }, enrolled_at: "", last_seen: null,
    silent: false, open_incidents: 0, certificate_ends: null, quarantined: "", struck_off: null, root_version: 3,
    metrics: {
      "system.cpu_percent": 21.4 + n * 6, "system.memory_percent": 55.1 + n * 4, "system.load_average_1m": 1.31,
      "system.disk_usage_percent[/]": 41, "system.disk_usage_percent[/var]": 72.1, "system.disk_free_bytes[/var]": 3.2e10,
      "system.network_rx_bytes_per_s[eth0]": 812_004, "system.uptime_s": 1_311_000, "service.healthy[checkout]": 1,
      "service.http_ms[checkout]": 3.4,
    },
    ...more,
  };
}

export const HOSTS: api.Host[] = [
  host(1, "prod-db-01.us-east-1", "production", { open_incidents: 1 }),
  host(2, "prod-db-03.us-east-1", "production"),
  host(3, "prod-web-01.us-east-1", "production", { quarantined: TWICE }),
  host(4, "staging-cache-02", "staging", { open_incidents: 1 }),
  host(5, "drill-01", "drill", { silent: true, tags: {}, root_version: 2 }),
];

/** How the log calls the agent of a host. */
export function agentOf(name: string): string {
  return `agent:${HOSTS.find(({ host }) => host === name)?.agent_id ?? name}`;
}

/** The host of what the log calls like that; empty: none here. */
export function hostOf(agent: string): string {
  return HOSTS.find(({ agent_id }) => agent === `agent:${agent_id}`)?.host ?? "";
}

/** The hosts as they stand; one that was silent for longer than its certificate lasts has an old one. */
export function hostsAt(now: number, of: api.Host[]): api.Host[] {
  return of.map((host, at) => ({
    ...host,
    enrolled_at: new Date(now - (40 - at) * DAY).toISOString(),
    last_seen: new Date(now - (host.silent ? 30 * HOUR : 4000 + at * 700)).toISOString(),
    certificate_ends: new Date(now + (host.silent ? -9 * HOUR : 14 * HOUR)).toISOString(),
  }));
}

/** One page of the hosts, narrowed as the server narrows them. */
export function pageOf(all: api.Host[], query: URLSearchParams): api.HostPage {
  const said = (name: string) => query.get(name) ?? "";
  const words = said("text").toLowerCase();
  const text = ({ host, environment, tags }: api.Host) =>
    [host, environment, ...Object.entries(tags).map(([name, value]) => `${name}=${value}`)].join(" ");
  const holds = {
    quarantine: (one: api.Host) => one.quarantined !== "",
    silent: (one: api.Host) => one.silent,
    heard: (one: api.Host) => one.quarantined === "" && !one.silent,
  };
  const found = all.filter((one) =>
    text(one).toLowerCase().includes(words) && (!said("environment") || one.environment === said("environment")),
  );
  const rank = (one: api.Host) => (holds.quarantine(one) ? 0 : 1);
  const chosen = found
    .filter(holds[said("health") as keyof typeof holds] ?? (() => true))
    .sort((one, other) => rank(one) - rank(other));
  const from = Number(said("cursor"));
  const end = from + (Number(said("limit")) || chosen.length);
  return {
    items: chosen.slice(from, end),
    next_cursor: end < chosen.length ? String(end) : null,
    counts: {
      all: found.length, quarantine: found.filter(holds.quarantine).length,
      silent: found.filter(holds.silent).length, heard: found.filter(holds.heard).length,
    },
  };
}

export function keysAt(now: number): api.KeyList {
  const key = (name: string, id: string, age: number, due: number, more: Partial<api.OnlineKey>): api.OnlineKey => ({
    name, id, made_at: new Date(now - age * DAY).toISOString(), age_days: Math.floor(age),
    due_at: new Date(now + due * DAY).toISOString(),
    stage: "good", rotates: "by itself", way: "python -m sentienguard.controlplane --data DIR --rotate-data-keys", ...more,
  });
  const root = "sentienguard trust online-key dispatch, then a root that names both, then one that names the new one alone: docs/how-to/rotate-keys.md#the-dispatch-key";
  return {
    rotate_keys_days: 90,
    items: [
      key("data key", "3", 12, 78, {}),
      key("key that wraps data keys", "file:9c1e07d2", 12, 78, {}),
      key("dispatch key", "4fe2a90b77c1d3e8", 81, 9, { stage: "soon", rotates: "with the root keys", way: root }),
      key("log key", "b01d5a6c90f2ee47", 61, 304, {
        rotates: "with the root keys", way: "sentienguard trust online-key log, then a root that names it from a size on: docs/how-to/rotate-keys.md#the-logs-key",
      }),
      key("certificate for agents", "7730aa1bd2f4c655", 60, 337, { rotates: "by hand", way: "restart: it is renewed at half of its life" }),
      key("certificate for people", "1c9be0f6a4d27783", 91, -1, { stage: "due", rotates: "by hand", way: "have it issued again, then restart" }),
      key("certificate of the agent of prod-db-01.us-east-1, the first to end", "0f5c2b1e-4d7a-4c1b-9a55-000000000001 until 2026-03-03 16:20", 0.4, 0.6, {
        stage: "soon", way: "see why in what the agent last said (is its executor running?); else enrol it again: sentienguard-agent enroll --replace",
      }),
    ],
  };
}
