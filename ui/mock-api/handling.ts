// What people do in the mock: care for an incident, answer, silence, break glass.
import type * as api from "../src/api/types.ts";
import { type Answer, ok, problem, type Said } from "./answers.ts";
import type { World } from "./world.ts";

export type WindowKind = "silences" | "maintenance";

export function stop(world: World, id: string): Answer {
  const story = world.stories.find((one) => one.incident.id === id);
  if (!story?.order) return problem(409, "Nothing runs", "This incident has no running order.");
  story.order.stop_requested_by = world.me.name;
  world.onChange({ kind: "incident", id });
  return { status: 202 };
}

export function handle(world: World, id: string, verb: string, said: Said): Answer {
  const story = world.stories.find((one) => one.incident.id === id);
  if (!story) return problem(404, "No such incident", `There is no incident ${id}.`);
  const { care } = story;
  const by = world.me.name;
  const at = world.stamp();
  if (verb === "acknowledge") Object.assign(care, { acknowledged_by: by, acknowledged_at: at });
  if (verb === "assign") Object.assign(care, { assigned_to: said.to, assigned_by: by, assigned_at: at });
  if (verb === "close") {
    Object.assign(care, { settled_by: by, settled_at: at, settled_because: said.reason, needs_people: false });
    if (story.incident.status !== "CLOSED") {
      Object.assign(story.incident, { status: "CLOSED", outcome: "fixed_by_person", closed_at: at });
      if (story.approval) story.approval.status = "withdrawn";
    }
  }
  if (verb === "notes") {
    story.timeline.push({
      index: 900 + story.timeline.length, at, stage: "decide", kind: "incident.noted", source: "cp",
      actor: by, title: said.text ?? "", data: { text: said.text ?? "" },
    });
  }
  world.onChange({ kind: "incident", id });
  if (verb !== "reopen") return ok(care);
  const other = world.stories[1]?.incident ?? story.incident;
  care.reopened_as = other.id;
  return ok(other);
}

export function decide(world: World, id: string, verb: string, note: string): Answer {
  const story = world.stories.find(({ approval }) => approval?.id === id);
  const approval = story?.approval;
  if (!story || !approval) return problem(404, "No such approval", `There is no approval ${id}.`);
  if (approval.status !== "pending") {
    return problem(409, "Already decided", `${approval.decided_by} has ${approval.status} it.`);
  }
  const approved = verb === "approve";
  story.approval = {
    ...approval, note, status: approved ? "approved" : "denied",
    decided_by: world.me.name, decided_at: world.stamp(),
    agreements: approved && approval.needed > 1
      ? [...approval.agreements, { by: world.me.name, at: world.stamp(), note }]
      : approval.agreements,
  };
  story.incident.status = approved ? "MITIGATING" : "CLOSED";
  story.incident.outcome = approved ? null : "rejected";
  world.onChange({ kind: "approval", id });
  world.onChange({ kind: "incident", id: story.incident.id });
  return ok(story.approval);
}

export function preview(world: World, { matchers = [], recurrence }: Said): api.Preview {
  const place = matchers.find(({ label }) => label === "host");
  const fits = (name: string) =>
    !place || (place.comparison === "=~" ? new RegExp(`^(?:${place.value})$`).test(name) : name === place.value);
  const hosts = world.enrolled().map(({ host }) => host).filter(fits);
  const found = world.summaries().filter(({ host }) => fits(host)).slice(0, 20);
  const start = world.now().getTime() + 3 * 86_400_000;
  return {
    hosts, hosts_total: hosts.length,
    open_incidents: found.filter(({ status }) => status !== "CLOSED"),
    recent_incidents: found.filter(({ status }) => status === "CLOSED"),
    spans: recurrence
      ? [0, 1].map((week) => ({
          starts_at: new Date(start + week * 604_800_000).toISOString(),
          ends_at: new Date(start + week * 604_800_000 + recurrence.minutes * 60_000).toISOString(),
        }))
      : [],
  };
}

export function addWindow(world: World, kind: WindowKind, said: Said): Answer {
  const { matchers = [], recurrence = null, minutes = 60, reason = "" } = said;
  if (matchers.some(({ comparison, value }) => comparison.endsWith("~") && value.includes("+)+"))) {
    return problem(422, "Unprocessable", "a regular expression must not repeat a repetition");
  }
  const made: api.Window = {
    id: `${kind === "silences" ? "sil" : "mnt"}_${world.windows[kind].length + 1}`,
    matchers, recurrence, reason, by: world.me.name, state: recurrence ? "waiting" : "active",
    starts_at: world.stamp(), ends_at: world.stamp(minutes * 60_000),
    next_starts_at: world.stamp(recurrence ? 86_400_000 : 0), next_ends_at: world.stamp(minutes * 60_000),
  };
  world.windows[kind].push(made);
  world.onChange({ kind: "freeze", id: made.id });
  return { status: 201, body: made };
}

export function breakGlass(world: World, said: Said): Answer {
  const made: api.Emergency = {
    id: `brk_${world.emergencies.length}`, user: world.me.name, environment: said.environment ?? "",
    purpose: said.purpose ?? "", reason: said.reason ?? "", minutes: said.minutes ?? 30,
    phase: "asked", asked_at: world.stamp(0), expires_at: world.stamp(900_000), agreed_by: null,
    agreed_at: null, ends_at: null, ended_by: null, ended_at: null,
  };
  world.emergencies.unshift(made);
  return { status: 201, body: made };
}

export function settleGlass(world: World, id: string, verb: string): Answer {
  const at = world.emergencies.findIndex((one) => one.id === id);
  const found = world.emergencies[at];
  if (found === undefined) return problem(422, "No such emergency", id);
  const now: api.Emergency = verb === "agree"
    ? { ...found, phase: "standing", agreed_by: world.me.name, ends_at: world.stamp(found.minutes * 60_000) }
    : { ...found, phase: "ended", ended_by: world.me.name, ended_at: world.stamp(0) };
  world.emergencies[at] = now;
  return ok(now);
}
