// The mock's answers about the audit log.
import type * as api from "../src/api/types.ts";
import { type Answer, ok, problem, within } from "./answers.ts";
import { hostOf } from "./hosts.ts";
import type { World } from "./world.ts";

/** Erase a content for good, as the server does: not while its incident may rest on it. */
export function eraseContent(world: World, index: number, sha256: string): Answer {
  if (world.stale) {
    return problem(403, "step-up", "show your second factor again", "urn:sentienguard:problem:step-up");
  }
  const { incident } = world.log.entry(index);
  const story = world.stories.find((one) => one.incident.id === incident);
  if (story !== undefined && story.incident.status !== "CLOSED") {
    return problem(422, "Not erased", `${incident} is not over and may rest on it; erase it afterwards`);
  }
  world.log.erased.add(sha256);
  return ok({ sha256 } satisfies api.BlobErased);
}

export function audit(world: World, what: string, index: string, query: URLSearchParams): Answer {
  if (what === "checkpoint") return ok(world.log.checkpoint(world.stamp(-9000)));
  if (what === "exposure") return ok(world.log.exposure(world.stamp(-11_400)));
  if (what === "verify") {
    return ok({
      passed: true, entries: world.log.leaves.length, seconds: 0.012,
      findings: [
        { check: "tree", passed: true, detail: "every tile hashes to the checkpoint's root" },
        { check: "sources", passed: true, detail: "no source left out a number" },
        { check: "signatures", passed: true, detail: "log key and 2 witnesses" },
      ],
    } satisfies api.Verification);
  }
  if (what === "proof") {
    return Number(index) < world.log.leaves.length
      ? ok({
          ...world.log.proof(Number(index)),
          host: hostOf(world.log.entry(Number(index)).source),
        } satisfies api.Proof)
      : problem(404, "No such entry", `The log ends before entry ${index}.`);
  }
  const incident = query.get("incident");
  const found = world.log.leaves
    .map((_, at) => world.log.entry(at))
    .map((entry) => ({ ...entry, host: hostOf(entry.source) }))
    .filter((entry) => !incident || entry.incident === incident)
    .filter(({ kind }) => kind.startsWith(query.get("kind") ?? ""))
    .filter(({ actor, host }) =>
      !query.get("actor") || [actor, host].includes(query.get("actor") ?? ""))
    .filter(({ at }) => within(at, query))
    .filter((entry) => !query.get("entry") || entry.index <= Number(query.get("entry")))
    .reverse();
  const from = Number(query.get("cursor") ?? 0);
  const limit = Math.min(Number(query.get("limit") ?? 50), 20);
  return ok({
    items: found.slice(from, from + limit),
    next_cursor: from + limit < found.length ? String(from + limit) : null,
  } satisfies api.AuditPage);
}
