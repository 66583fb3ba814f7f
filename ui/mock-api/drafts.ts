// Drafts of playbooks: judged by two rules only, which is enough to show every state of the page.
import type * as api from "../src/api/types.ts";

const SIGNER = "0f3a9c6e1b7d4852";
const CASE = "host:\n  files: {}\n";

export function draftOf(of: api.Playbook, yaml: string, at: string, by: string): api.DraftDetail {
  const current = { version: of.version, digest: of.digest, yaml };
  return judged({
    id: "drf_20260301_090000_a8f3b2c1", name: of.name, version: of.version, state: "open",
    base: of.digest, revision: 1, digest: of.digest, signable: false, errors: 1, warnings: 0, by,
    made_at: at, changed_by: by, changed_at: at, ended_by: "", ended_at: null, yaml, case: CASE,
    findings: [], proof: null, run: null, current, began_from: current,
    signers: { keys: [SIGNER], threshold: 1 }, evaluation: false, signing: [],
  });
}

/** What the server says of a text: here, of its version and of tabs. */
export function judged(draft: api.DraftDetail): api.DraftDetail {
  const lines = draft.yaml.split("\n");
  const version = lines.find((line) => line.startsWith("version:"))?.slice(8).trim() ?? "";
  const findings: api.DraftFinding[] = [];
  if (version === draft.current?.version) {
    findings.push({
      level: "error", line: lines.findIndex((line) => line.startsWith("version:")) + 1, path: "version",
      rule: "version-taken", message: "", expected: "a version that is not listed yet", found: version,
      way_out: "raise the version: what was signed under this one never changes",
    });
  }
  lines.forEach((line, at) => {
    if (line.includes("\t")) {
      findings.push({ level: "error", line: at + 1, path: "", rule: "language", message: "", expected: "spaces", found: "a tab", way_out: "write it as expected" });
    }
    if (line.includes("timeout: 60s")) {
      findings.push({ level: "warning", line: at + 1, path: "steps[0].timeout", rule: "short-timeout", message: "a minute is short for a full volume", expected: "", found: "", way_out: "give it five" });
    }
  });
  const errors = findings.filter(({ level }) => level === "error").length;
  const file = `trust-${draft.name}-${version}.json`;
  return {
    ...draft, version, findings, errors, warnings: findings.length - errors, signable: errors === 0,
    signing: [
      { where: "signer", what: "Look at what it lists.", command: `sentienguard trust status ${file}` },
      { where: "signer", what: "Sign it.", command: `sentienguard trust sign ${file} --key signer-1.pem` },
      { where: "here", what: "Instead of handing it back here.", command: `sentienguard trust import ${file}` },
    ],
  };
}

export function proofAt(at: string, by: string): NonNullable<api.DraftDetail["proof"]> {
  return {
    at, by, release: "1.0.0", held: 3, failed: 0,
    lines: [
      { name: "heals", passed: true, step: "", reason: "3 files removed; symptom gone" },
      { name: "twice", passed: true, step: "", reason: "did nothing" },
      { name: "dry run", passed: true, step: "", reason: "nothing acted" },
    ],
  };
}

export function takenOf(draft: api.DraftDetail): api.DraftTaken {
  const { yaml, case: host, findings, proof, run, current, began_from, signers, evaluation, signing, ...view } = draft;
  void [yaml, host, findings, proof, run, current, began_from, evaluation, signing];
  return {
    catalogue: 2, root: 1, signed_by: signers.keys, added: [`${draft.name} ${draft.version}`], revoked: [],
    holds_draft: true, in_force: true, others: false, draft: view,
  };
}
