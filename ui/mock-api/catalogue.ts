// The signed playbooks of the mock, and what is written from them.
import type * as api from "../src/api/types.ts";
import { type Answer, ok, problem } from "./answers.ts";
import { draftOf, judged, proofAt, takenOf } from "./drafts.ts";
import { versionsOf } from "./figures.ts";
import { CACHE, DISK, playbookDigest, POOL, RESTART } from "./stories.ts";
import type { World } from "./world.ts";

export function draft(world: World, method: string, id: string, verb: string, body: unknown): Answer {
  if (id === "" && method === "GET") return ok({ items: world.drafts });
  if (id === "") {
    const found = PLAYBOOKS.find(({ name }) => name === (body as { name: string }).name);
    if (!found) return problem(422, "Unprocessable", "The mock begins from what is listed.");
    world.drafts = [draftOf(found, yaml(found), world.stamp(), world.me.name), ...world.drafts];
    return { status: 201, body: world.drafts[0] };
  }
  const found = world.drafts.find((one) => one.id === id);
  if (!found) return problem(404, "Not found", `No draft has the id ${id}.`);
  const put = (more: Partial<api.DraftDetail>): Answer => {
    const changed = judged({ ...found, ...more });
    world.drafts = world.drafts.map((one) => (one.id === id ? changed : one));
    return ok(changed);
  };
  if (verb === "signed") {
    if ((body as { forged?: boolean }).forged) {
      return problem(422, "Unprocessable", "nothing was taken over: rule 5: 0 of 1 trusted keys signed it");
    }
    put({ state: "taken_over", ended_by: world.me.name, ended_at: world.stamp() });
    return ok(takenOf({ ...found, state: "taken_over" }));
  }
  if (verb === "unsigned") return ok({ v: 1 });
  if (verb === "proof") {
    put({ proof: proofAt(world.stamp(), world.me.name) });
    return { status: 202, body: {} };
  }
  if (method === "GET") return ok(found);
  if (method === "DELETE") return put({ state: "dropped", ended_by: world.me.name, ended_at: world.stamp() });
  const said = body as { yaml: string; case: string; revision: number };
  if (said.revision !== found.revision) return problem(409, "Conflict", `draft ${id} is at revision ${found.revision}`);
  return put({ ...said, revision: found.revision + 1, proof: null, changed_by: world.me.name });
}

export function playbookAt(name: string, verb: string): Answer {
  const found = PLAYBOOKS.find((playbook) => playbook.name === name);
  if (found && verb === "versions") return ok({ items: versionsOf(found, yaml(found)) });
  return found
    ? ok({ ...found, yaml: yaml(found) })
    : problem(404, "No such playbook", `The signed catalogue holds no ${name}.`);
}

function playbook(name: string, version: string, digest: string, description: string, more: Partial<api.Playbook>): api.Playbook {
  return {
    name, version, digest, description, risk: "SAFE", risk_reason: "", system: "linux", resource: "disk", symptom: "disk_full",
    approval_required: false, steps: [], parameters: [], runs: 0, resolved: 0, yaml: null, ...more,
  };
}

export const PLAYBOOKS: api.Playbook[] = [
  playbook("disk_cleanup_prod_db", "1.4.2", DISK, "Free space on a volume without touching data files.", {
    steps: ["clear_old_temp_files", "rotate_logs", "prune_archives"], runs: 41, resolved: 40,
    parameters: [{ name: "mount", type: "mountpoint", description: "the volume that is full", default: null }],
  }),
  playbook("service_restart", "2.1.0", RESTART, "Restart a hung service behind a load balancer.", {
    risk: "WARNING", resource: "service", symptom: "service_hung", runs: 12, resolved: 10,
    risk_reason: "Requests fail for some seconds and what the process held in memory is lost; no other service is touched.",
    steps: ["take_out_of_pool", "drop_connections", "restart"],
  }),
  playbook("postgres_connection_reset", "1.2.0", POOL, "End idle sessions of one database.", {
    risk: "CRITICAL", system: "postgresql", resource: "connections", symptom: "pool_exhausted", approval_required: true,
    steps: ["end_idle_sessions"], runs: 3, resolved: 3,
  }),
  playbook("cache_trim", "1.0.3", CACHE, "Evict cold keys of a cache.", { resource: "memory", symptom: "memory_high", steps: ["evict"] }),
  playbook("log_rotation_force", "1.1.0", playbookDigest("b2"), "Rotate logs now.", { steps: ["rotate_logs"], runs: 7, resolved: 6 }),
];

export function yaml(of: api.Playbook): string {
  const steps = of.steps.map((step) => `  - name: ${step}\n    timeout: 60s\n`).join("");
  return `name: ${of.name}\nversion: ${of.version}\ndescription: ${of.description}\nrisk: ${of.risk}\nslots:\n  system: ${of.system}\n  resource: ${of.resource}\n  symptom: ${of.symptom}\nsteps:\n${steps}approval_gate:\n  required: ${of.approval_required}\n`;
}
