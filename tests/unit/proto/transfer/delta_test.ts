import { assert, assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../../../src/bytes/writer.ts";
import { seededRandom } from "../../../../src/bytes/random.ts";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import {
  applyPatch,
  ChunkIndex,
  DeltaPlan,
  MAX_CHUNKS,
} from "../../../../src/proto/transfer/delta.ts";
import { sha256 } from "../../../../src/transfer/sha256.ts";
import { checkProperty, fc } from "../../../support/property.ts";
import { hex } from "../../../support/three_ways.ts";
import { randomBytes } from "../../../support/transfer.ts";

const SEED = 21;

Deno.test("ChunkIndex finds each of many chunks, by length and hash", () => {
  const index = new ChunkIndex();
  const random = seededRandom(SEED);
  const hashes = Array.from({ length: 5000 }, () => randomBytes(12, random));
  for (const [at, hash] of hashes.entries()) index.add(at + 1, hash);
  let offset = 0;
  for (const [at, hash] of hashes.entries()) {
    assertEquals(index.find(at + 1, hash), offset);
    assertEquals(index.find(at + 2, hash), -1);
    offset += at + 1;
  }
  assertEquals(index.find(1, randomBytes(12, random)), -1);
  assertEquals(index.count, 5000);
});

Deno.test("ChunkIndex has the first of equal chunks, and finds chunks whose hashes begin alike", () => {
  const index = new ChunkIndex();
  const same = new Uint8Array(12);
  for (let i = 0; i < 3; i++) index.add(10, same);
  assertEquals(index.find(10, same), 0);
  for (let last = 1; last < 200; last++) {
    const hash = new Uint8Array(12);
    hash[8] = last;
    index.add(10, hash);
    assertEquals(index.find(10, hash), 20 + last * 10);
  }
});

Deno.test("ChunkIndex is quick with hashes that were made to collide", () => {
  const index = new ChunkIndex();
  const hash = new Uint8Array(12);
  const words = new Uint32Array(hash.buffer);
  const startMs = performance.now();
  for (let i = 0; i < 200_000; i++) {
    words[0] = words[2] = i;
    index.add(1, hash);
  }
  words[0] = words[2] = 0;
  assertEquals(index.find(1, hash), 0);
  assert(performance.now() - startMs < 5_000);
});

Deno.test("ChunkIndex takes no more than its limit", () => {
  const index = new ChunkIndex();
  const hash = new Uint8Array(12);
  const words = new Uint32Array(hash.buffer);
  for (let i = 0; i < MAX_CHUNKS; i++) {
    words[0] = Math.imul(i, 0x9e3779b1);
    words[1] = i;
    index.add(1, hash);
  }
  assertThrows(
    () => index.add(1, hash),
    RemoteProtocolError,
    "a file of more than 1048576 chunks",
  );
});

/** Cuts at the lengths given, again and again. */
function pieces(data: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < data.length;) {
    const length = lengths[parts.length % lengths.length]!;
    parts.push(data.subarray(at, at + length));
    at += length;
  }
  return parts;
}

Deno.test("patches of a plan make the new file of the old, whatever both are", () => {
  const part = fc.constantFrom("abc", "de", "fghi", "j", "klmnop");
  const parts = fc.array(part, { maxLength: 40 });
  const leaves = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 });
  const encoder = new TextEncoder();
  checkProperty(fc.tuple(parts, parts, leaves), ([before, after, lengths]) => {
    const old = encoder.encode(before.join(""));
    const next = encoder.encode(after.join(""));
    const index = new ChunkIndex();
    for (const text of before) {
      index.add(text.length, sha256(encoder.encode(text)));
    }
    const plan = new DeltaPlan(index);
    for (const text of after) {
      plan.add(text.length, sha256(encoder.encode(text)));
    }
    let literal = 0;
    let at = 0;
    for (const leaf of pieces(next, lengths)) {
      const patch = new ByteWriter();
      plan.patch(at, leaf, patch);
      const made = new Uint8Array(leaf.length);
      literal += made.length;
      applyPatch(patch.view(), made, (from, into) => {
        into.set(old.subarray(from, from + into.length));
        literal -= into.length;
      });
      assertEquals(made, leaf);
      at += leaf.length;
    }
    const known = new Set(before);
    const unknown = after.filter((text) => !known.has(text));
    assertEquals(literal, unknown.join("").length);
  }, 500);
});

Deno.test("applyPatch() refuses what makes no leaf", () => {
  const faults: [string, string][] = [
    ["", "a patch makes 0 bytes: 4 are expected"],
    ["00000003 616263", "a patch makes 3 bytes: 4 are expected"],
    ["00000005 6162636465", "a patch makes more than 4 bytes"],
    ["00000000 00000005 0000000000000000", "a patch makes more than 4 bytes"],
    ["00000000 ffffffff 0000000000000000", "a patch makes more than 4 bytes"],
    ["00000000 00000004 ffffffffffffffff", "a size is negative"],
    ["00000000 00000004 7fffffffffffffff", "out of range"],
    ["00000000 00000004 00", "it ends after"],
    ["000000", "it ends after"],
    ["00000009 61", "it ends after"],
  ];
  for (const [bytes, fault] of faults) {
    assertThrows(
      () => applyPatch(hex(bytes), new Uint8Array(4), () => {}),
      RemoteProtocolError,
      fault,
    );
  }
});
