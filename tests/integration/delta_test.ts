import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { seededRandom } from "../../src/bytes/random.ts";
import { sendFiles } from "../../src/transfer/send_files.ts";
import { serveFiles } from "../../src/transfer/serve_files.ts";
import type { TransferSummary } from "../../src/transfer/transfer.ts";
import {
  assertSameTree,
  LEAF_BYTES,
  randomBytes,
  TestFolder,
} from "../support/transfer.ts";
import { countingRelay } from "../support/counting_relay.ts";

const MIB = 1024 * 1024;

/** `data` with one byte before it, and runs of `runBytes` changed until `share` of it is. */
function changed(
  data: Uint8Array,
  runBytes: number,
  share: number,
  random: () => number,
): Uint8Array {
  const next = new Uint8Array(data.length + 1);
  next.set(data, 1);
  for (let left = data.length * share; left > 0; left -= runBytes) {
    const at = Math.floor(random() * (next.length - runBytes));
    next.set(randomBytes(Math.min(runBytes, left), random), at);
  }
  return next;
}

/** Sends `next` to a receiver that has `old`; what came of it, and the bytes that crossed the wire, both ways. */
async function resend(
  old: Uint8Array,
  next: Uint8Array,
): Promise<TransferSummary & { wireBytes: number }> {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  Deno.writeFileSync(`${source}/file`, next);
  Deno.writeFileSync(`${target}/file`, old);
  const listen = "tcp://127.0.0.1:0";
  await using server = await serveFiles({ directory: target, listen });
  await using relay = countingRelay(server.endpoint);
  const { summary } = sendFiles({ paths: [`${source}/`], to: relay.endpoint });
  const result = await summary;
  assertEquals(result.problems, []);
  assertSameTree(target, source);
  assertEquals(result.settledBytes, result.bytes);
  return { ...result, wireBytes: relay.bytes };
}

Deno.test("sendFiles() sends at most 3 % of a file of which 1 % was changed and a byte put before it", async () => {
  const seed = 11;
  const random = seededRandom(seed);
  const old = randomBytes(64 * MIB, random);
  for (const runBytes of [4096, 64 * 1024, MIB]) {
    const next = changed(old, runBytes, 0.01, random);
    const { wireBytes, movedBytes } = await resend(old, next);
    const share = wireBytes / next.length;
    assert(share <= 0.03, `${share} in runs of ${runBytes}, seed ${seed}`);
    assert(movedBytes < wireBytes, `${movedBytes} ${wireBytes}`);
  }
});

Deno.test("sendFiles() sends what is new of files that grew, shrank, were turned round or replaced", async () => {
  const random = seededRandom(12);
  const old = randomBytes(4 * MIB, random);
  const [a, b] = [old.subarray(0, 2 * MIB), old.subarray(2 * MIB)];
  const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
  const cases: [string, Uint8Array, number][] = [
    ["grew", join(old, randomBytes(1000, random)), 0.05],
    ["shrank", old.slice(0, 3 * MIB + 5), 0.05],
    ["doubled", join(old, old), 0.05],
    ["turned round", join(b, a), 0.05],
    ["byte taken out", join(old.subarray(0, 9), old.subarray(10)), 0.05],
    ["replaced", randomBytes(4 * MIB, random), 1.05],
    ["zeros", new Uint8Array(3 * MIB), 1.05],
  ];
  for (const [what, next, most] of cases) {
    const { wireBytes } = await resend(old, next);
    const share = wireBytes / next.length;
    assert(share < most, `${what}: ${share}`);
  }
});

Deno.test("sendFiles() looks at no old copy of a small file, and sends all of it", async () => {
  const random = seededRandom(13);
  const old = randomBytes(LEAF_BYTES, random);
  const next = old.slice(1);
  assertEquals((await resend(old, next)).movedBytes, next.length);
  const large = randomBytes(3 * LEAF_BYTES, random);
  assertEquals(
    (await resend(old.slice(0, 100), large)).movedBytes,
    large.length,
  );
});
