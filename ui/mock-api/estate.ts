// What the mock says of one host: its page, its readings, and what becomes of its identity.
import type * as api from "../src/api/types.ts";
import { type Answer, ok, problem } from "./answers.ts";
import { readings } from "./stories.ts";
import type { World } from "./world.ts";

export function host(world: World, agent: string): Answer {
  const found = world.hosts().find(({ agent_id }) => agent_id === agent);
  const stopped = [
    { metric: "service.http_ms", subject: "checkout", last_at: world.stamp(-3_600_000), value: 3.4 },
  ];
  return found
    ? ok({ ...found, stopped: found.silent ? [] : stopped, centre_root_version: 3 } satisfies api.HostDetail)
    : problem(404, "No such host", `No host has the agent id ${agent}.`);
}

/** Release a host or strike it off; with `stale` the second factor is asked for first. */
export function judge(world: World, agent: string, verb: string): Answer {
  const found = world.hosts().find(({ agent_id }) => agent_id === agent);
  if (!found) return problem(404, "No such host", `No host has the agent id ${agent}.`);
  if (world.stale) {
    return problem(403, "Show that it is you", "This needs your second factor again.", "urn:sentienguard:problem:step-up");
  }
  if (verb === "release") {
    world.estate = world.estate.map((one) => (one.agent_id === agent ? { ...one, quarantined: "" } : one));
  } else {
    world.struckOff.add(agent);
    const struck_off = world.now().toISOString();
    world.estate = world.estate.map((one) => (one.agent_id === agent ? { ...one, struck_off } : one));
  }
  world.onChange({ kind: "host", id: agent });
  return host(world, agent);
}

export function series(world: World, query: URLSearchParams): api.Series {
  const mean = query.get("metric") === "system.disk_usage_percent" ? 61.2 : 42.3;
  const minutes = Number(query.get("minutes") ?? 60);
  const start = world.now().getTime() - minutes * 60_000;
  const part = 1_800_000; // half an hour of each day has its own
  const parts = [start];
  for (let at = (Math.floor(start / part) + 1) * part; at < world.now().getTime(); at += part) parts.push(at);
  return {
    metric: query.get("metric") ?? "",
    subject: query.get("subject") ?? "",
    points: readings(world.now().getTime(), mean, 4, mean + 3, minutes),
    baseline: { mean, stddev: 4.2, p50: mean, p95: mean + 7, p99: mean + 9, samples: 10_080, seasonal: true },
    band: parts.map((at) => ({
      at: new Date(at).toISOString(), mean: mean + 9 * Math.sin((at / 86_400_000) * 2 * Math.PI), stddev: 4.2,
    })),
  };
}

export function outside(world: World): api.OutsideSeriesList {
  const baseline = { mean: 0.8, stddev: 0.1, p50: 0.8, p95: 1, p99: 1.1, samples: 4032, seasonal: true };
  const one = { metric: "node_load1", labels: { environment: "production", job: "node" }, value: 0.83 };
  const late = { metric: "queue_depth", labels: { environment: "production", job: "app" }, value: 17 };
  return {
    items: [
      { ...late, at: world.stamp(-3_600_000), stopped_since: world.stamp(-3_600_000), baseline: null },
      { ...one, at: world.stamp(-4000), stopped_since: null, baseline },
    ],
    total: 2,
    stopped: 1,
  };
}
