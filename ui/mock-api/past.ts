// What was before the mock began: older incidents, alerts, who calls whom.
import type * as api from "../src/api/types.ts";
import { HOSTS } from "./hosts.ts";

export function alertsAt(now: number, incident: string): api.Alert[] {
  const one = (number: number, name: string, more: Partial<api.Alert>): api.Alert => ({
    number, name, sender: "alertmanager", status: "firing", environment: "production",
    labels: { alertname: name, instance: "prod-db-03:9100", severity: "critical" },
    reason: `${name} on prod-db-03`, starts_at: new Date(now - 600_000).toISOString(),
    received_at: new Date(now - number * 60_000).toISOString(), result: "folded", incident, ...more,
  });
  return [
    one(1, "DiskWillFill", { result: "opened", reason: "/var is full in two hours" }),
    one(2, "HighLatency", {
      sender: "grafana", result: "silenced", incident: null,
      labels: { alertname: "HighLatency", service: "checkout", team: "shop", zone: "b", dc: "fra", rack: "7", slot: "3" },
    }),
    one(3, "DiskWillFill", { status: "resolved", result: "recovered" }),
    one(4, "PodCrashing", { sender: "datadog", result: "unknown_host", incident: null }),
    one(5, "JustCame", { sender: "", result: null, incident: null }),
  ];
}

export function edgesAt(now: number): api.Edge[] {
  const edge = (caller: string, callee: string, kind: api.Edge["kind"], calls: number): api.Edge => ({
    environment: "production", caller, callee, kind, calls,
    first_seen: new Date(now - 86_400_000).toISOString(), last_seen: new Date(now - 5000).toISOString(),
  });
  return [
    edge("frontend", "checkout", "request", 90_210), edge("frontend", "catalogue", "request", 120_004),
    edge("checkout", "orders-db", "database", 45_100), edge("checkout", "payments", "request", 44_800),
    edge("payments", "receipts", "message", 44_120), edge("catalogue", "catalogue-cache", "database", 310_000),
    edge("receipts", "checkout", "request", 12), edge("catalogue", "catalogue", "request", 7),
  ];
}

export function olderThan(before: number): api.Incident[] {
  const outcomes = ["resolved", "resolved", "no_action_needed", "escalated", "resolved", "self_recovered", "failed"];
  return Array.from({ length: 64 }, (_, n): api.Incident => {
    const opened = before - n * 2.3 * 3_600_000;
    const stamp = new Date(opened).toISOString().replaceAll(/[-:]/g, "");
    const took = 40 + ((n * 37) % 200);
    const cpu = n % 3 === 0;
    return {
      id: `inc_${stamp.slice(0, 8)}_${stamp.slice(9, 15)}_${(0xabc000 + n).toString(16).padStart(8, "0")}`,
      host: HOSTS[n % HOSTS.length]?.host ?? "",
      environment: HOSTS[n % HOSTS.length]?.environment ?? "",
      status: "CLOSED",
      outcome: outcomes[n % outcomes.length] ?? "resolved",
      severity: n % 4 === 0 ? "critical" : "warning",
      metric: cpu ? "system.cpu_percent" : "system.disk_usage_percent",
      subject: cpu ? "" : "/var",
      value: 86 + (n % 13),
      summary: cpu ? "CPU is busier than usual" : "Disk /var is filling up",
      opened_at: new Date(opened).toISOString(),
      closed_at: new Date(opened + took * 1000).toISOString(),
      duration_s: took,
      earlier: [],
    };
  });
}
