// Checks an inclusion proof in the browser (RFC 6962 hashes, the walk of RFC 9162 section 2.1.3.2).
// It trusts the server for nothing but the checkpoint, whose size and root it reads from the note.
import type { Proof as Answered } from "./api/types";

/** What is checked; the host's name beside it is nothing that the log proves. */
export type Proof = Omit<Answered, "host">;

export type Check = { name: string; passed: boolean; detail: string };

type Checkpoint = { origin: string; size: number; root: Uint8Array; signatures: string[] };

export async function verifyProof(proof: Proof): Promise<Check[]> {
  if (globalThis.crypto?.subtle === undefined) {
    throw new Error(
      "This browser offers SHA-256 only over HTTPS or on localhost. Open the dashboard there, " +
        "or run `sentienguard audit prove` on the command line.",
    );
  }
  const note = readCheckpoint(proof.checkpoint);
  const leaf = await leafHash(new TextEncoder().encode(proof.leaf));
  const root = await rootFrom(proof.index, note.size, leaf, proof.path.map(fromText));
  return [
    {
      name: "The entry's bytes hash to the leaf",
      passed: same(leaf, fromText(proof.leaf_hash)),
      detail: `SHA-256(0x00, entry) = ${hex(leaf)}`,
    },
    {
      name: "The checkpoint covers this entry",
      passed: note.size === proof.tree_size && proof.index >= 0 && proof.index < note.size,
      detail: `entry ${proof.index} of a tree of ${note.size}`,
    },
    {
      name: `The leaf and ${proof.path.length} neighbours lead to the checkpoint's root`,
      passed: root !== null && same(root, note.root),
      detail:
        root === null
          ? "the path does not have the length that this place in the tree needs"
          : `computed ${hex(root)}, checkpoint says ${hex(note.root)}`,
    },
  ];
}

/** Read a signed note: origin, size, root, then an empty line and the signatures. */
export function readCheckpoint(note: string): Checkpoint {
  const [body = "", signatures = ""] = note.split("\n\n", 2);
  const [origin = "", size = "", root = ""] = body.split("\n");
  if (!/^(0|[1-9]\d{0,15})$/.test(size)) {
    throw new Error(`The checkpoint's second line should be the tree's size, but is "${size}".`);
  }
  return {
    origin,
    size: Number(size),
    root: fromText(root),
    signatures: signatures.split("\n").filter((line) => line.startsWith("\u2014 ")),
  };
}

export function leafHash(leaf: Uint8Array): Promise<Uint8Array> {
  return sha256(Uint8Array.of(0), leaf);
}

function nodeHash(left: Uint8Array, right: Uint8Array): Promise<Uint8Array> {
  return sha256(Uint8Array.of(1), left, right);
}

/** Return the root that the path leads to, or null where its length is wrong. */
export async function rootFrom(
  index: number,
  size: number,
  leaf: Uint8Array,
  path: Uint8Array[],
): Promise<Uint8Array | null> {
  if (index < 0 || index >= size) return null;
  let node = index; // place in its row
  let last = size - 1; // place of the row's last node
  let hash = leaf;
  for (const neighbour of path) {
    if (last === 0) return null;
    if (node % 2 === 1 || node === last) {
      hash = await nodeHash(neighbour, hash);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = await nodeHash(hash, neighbour);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? hash : null;
}

async function sha256(...parts: Uint8Array[]): Promise<Uint8Array> {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined));
}

/** A hash travels as 64 hex digits or as base64. */
export function fromText(text: string): Uint8Array {
  const digits = text.replace(/^sha256:/, "");
  if (/^[0-9a-f]{64}$/i.test(digits)) {
    return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  }
  return Uint8Array.from(atob(digits), (letter) => letter.charCodeAt(0));
}

export function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === 32 && other.length === 32 && one.every((byte, at) => byte === other[at]);
}
