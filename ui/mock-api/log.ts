// A real RFC 6962 tree over the mock's entries, so that proofs in the browser really verify.
import { createHash } from "node:crypto";
import type { AuditEntry, Checkpoint, Exposure, Proof } from "../src/api/types.ts";
import { agentOf } from "./hosts.ts";

const ORIGIN = "sentienguard/mock";
const WITNESSES = ["prod-db-03.us-east-1", "prod-web-01.us-east-1"];

/** An entry and a proof as the log has them: the host's name is the answer's to add. */
type Nameless<T> = Omit<T, "host">;
export type Leaf = Pick<AuditEntry, "kind" | "at" | "source" | "actor" | "incident" | "data">;

export class Log {
  readonly leaves: { leaf: Leaf; text: string }[] = [];
  readonly erased = new Set<string>(); // digests of contents

  append(leaf: Leaf): number {
    const index = this.leaves.length;
    const text = JSON.stringify({
      actor: leaf.actor,
      blobs: contentsOf(leaf, index),
      data: leaf.data,
      incident: leaf.incident,
      kind: leaf.kind,
      src: leaf.source,
      src_seq: index + 1,
      ts_ms: Date.parse(leaf.at),
      v: 1,
    });
    this.leaves.push({ leaf, text });
    return index;
  }

  entry(index: number): Nameless<AuditEntry> {
    const { leaf } = this.at(index);
    return { index, ...leaf, leaf_hash: this.hash(index).toString("hex") };
  }

  proof(index: number): Nameless<Proof> {
    const { leaf } = this.at(index);
    return {
      index,
      leaf: this.at(index).text,
      leaf_hash: this.hash(index).toString("hex"),
      tree_size: this.leaves.length,
      path: this.path(index, 0, this.leaves.length).map((hash) => hash.toString("hex")),
      checkpoint: this.note(),
      contents: contentsOf(leaf, index).map(({ sha256, type, len }) => ({
        sha256, type, length: len, state: this.erased.has(sha256) ? "erased" : "kept",
      })),
    };
  }

  checkpoint(signedAt: string): Checkpoint {
    return {
      origin: ORIGIN,
      size: this.leaves.length,
      root: this.root(0, this.leaves.length).toString("hex"),
      signed_at: signedAt,
      note: this.note(),
      cosigned_by: WITNESSES.map(agentOf),
      exposure_s: 11.4,
    };
  }

  exposure(seenAt: string): Exposure {
    const size = this.leaves.length;
    const covered = Math.max(size - 3, 0);
    return {
      policy: "2 agents and 1 external",
      size,
      covered,
      exposed: size - covered,
      covered_at: seenAt,
      window_s: size > covered ? 11.4 : null,
      lacking: "",
      witnesses: [
        ...WITNESSES.map((host) => (
          { name: agentOf(host), host, sort: "agent", size, at: seenAt, problem: "" }
        )),
        { name: "bucket", host: "", sort: "s3", size: covered, at: seenAt, problem: "" },
      ],
    };
  }

  private note(): string {
    const root = this.root(0, this.leaves.length).toString("base64");
    const signature = createHash("sha512").update(root).digest("base64");
    return `${ORIGIN}\n${this.leaves.length}\n${root}\n\n\u2014 ${ORIGIN} ${signature}\n`;
  }

  private at(index: number) {
    const leaf = this.leaves[index];
    if (leaf === undefined) throw new RangeError(`no entry ${index}`);
    return leaf;
  }

  private hash(index: number): Buffer {
    return createHash("sha256").update(Buffer.of(0)).update(this.at(index).text).digest();
  }

  private root(from: number, to: number): Buffer {
    if (to - from === 1) return this.hash(from);
    const middle = from + split(to - from);
    return createHash("sha256")
      .update(Buffer.of(1))
      .update(this.root(from, middle))
      .update(this.root(middle, to))
      .digest();
  }

  private path(index: number, from: number, to: number): Buffer[] {
    if (to - from <= 1) return [];
    const middle = from + split(to - from);
    return index < middle
      ? [...this.path(index, from, middle), this.root(middle, to)]
      : [...this.path(index, middle, to), this.root(from, middle)];
  }
}

/** What an entry keeps beside the log: of a step its output. */
function contentsOf({ kind }: Leaf, index: number) {
  if (kind !== "step.done") return [];
  const output = `output of step ${index}\n`;
  const sha256 = createHash("sha256").update(output).digest("hex");
  return [{ sha256, len: output.length, type: "text/plain" }];
}

/** The largest power of two below n. */
function split(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}
