import { describe, expect, test } from "vitest";
import { Log } from "../mock-api/log";
import { fromText, hex, leafHash, readCheckpoint, rootFrom, verifyProof, type Proof } from "./merkle";

function logOf(size: number): Log {
  const log = new Log();
  for (let n = 0; n < size; n += 1) {
    log.append({
      kind: "test", at: new Date(n * 1000).toISOString(), source: "cp", actor: "a", incident: "",
      data: { n, text: "näh \u2713" },
    });
  }
  return log;
}

const passed = async (proof: Proof) => (await verifyProof(proof)).every((check) => check.passed);

test("the empty leaf hashes as in RFC 6962", async () => {
  expect(hex(await leafHash(new Uint8Array()))).toBe(
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  );
});

test("every entry of every tree of up to 33 leaves is proven", async () => {
  for (let size = 1; size <= 33; size += 1) {
    const log = logOf(size);
    for (let index = 0; index < size; index += 1) {
      expect(await passed(log.proof(index)), `entry ${index} of ${size}`).toBe(true);
    }
  }
});

describe("a proof does not hold when", () => {
  const good = logOf(13).proof(6);
  const flipped = (text: string) => text.replace(/./, (digit) => (digit === "0" ? "1" : "0"));
  test.each<[string, Partial<Proof>]>([
    ["the entry was changed", { leaf: `${good.leaf} ` }],
    ["the leaf hash was changed", { leaf_hash: flipped(good.leaf_hash) }],
    ["the index is another one", { index: 7 }],
    ["the index lies outside of the tree", { index: 13 }],
    ["the index is negative", { index: -1 }],
    ["the tree is said to be bigger", { tree_size: 14 }],
    ["a neighbour was changed", { path: good.path.map((hash, at) => (at === 1 ? flipped(hash) : hash)) }],
    ["a neighbour is missing", { path: good.path.slice(0, -1) }],
    ["there is a neighbour too many", { path: [...good.path, good.leaf_hash] }],
    ["the checkpoint is of another tree", { checkpoint: logOf(12).proof(0).checkpoint }],
  ])("%s", async (_, change) => {
    expect(await passed({ ...good, ...change })).toBe(false);
  });
});

test("a hash may travel as hex, as sha256: and hex, or as base64", () => {
  const raw = Uint8Array.from({ length: 32 }, (_, at) => at * 7);
  const base64 = btoa(String.fromCharCode(...raw));
  for (const text of [hex(raw), `sha256:${hex(raw)}`, base64]) expect(fromText(text)).toEqual(raw);
});

test("a checkpoint without a size is refused with what was found", () => {
  expect(() => readCheckpoint("origin\nmany\nabc\n\n")).toThrow(/"many"/);
});

test("a path of the wrong length leads to no root at all", async () => {
  const leaf = await leafHash(new Uint8Array());
  expect(await rootFrom(0, 2, leaf, [])).toBeNull();
  expect(await rootFrom(0, 1, leaf, [leaf])).toBeNull();
  expect(await rootFrom(2, 3, leaf, [leaf, leaf])).toBeNull();
  expect(await rootFrom(0, 1, leaf, [])).toEqual(leaf);
});
