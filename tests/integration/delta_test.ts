import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { seededRandom } from "../../src/bytes/random.ts";
import { connect } from "../../src/client/connect.ts";
import type { TransferEntry } from "../../src/proto/transfer/entry.ts";
import {
  TRANSFER_WIRE,
  type TransferMessage,
} from "../../src/proto/transfer/messages.ts";
import { serve } from "../../src/server/serve.ts";
import { sendFiles } from "../../src/transfer/send_files.ts";
import { serveFiles } from "../../src/transfer/serve_files.ts";
import type { TransferSummary } from "../../src/transfer/transfer.ts";
import {
  assertSameTree,
  LEAF_BYTES,
  randomBytes,
  TestFolder,
} from "../support/transfer.ts";
import { hex } from "../support/three_ways.ts";
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
  Deno.utimeSync(`${target}/file`, 1, 1);
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

Deno.test("sendFiles() sends nothing of a large file that was renamed", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source/a"), folder.make("target/a")];
  const data = randomBytes(2 * MIB, seededRandom(16));
  for (const path of [`${source}/new`, `${target}/old`]) {
    Deno.writeFileSync(path, data);
    Deno.utimeSync(path, 1, 1);
  }
  Deno.writeFileSync(`${source}/other`, data);
  const listen = "tcp://127.0.0.1:0";
  const directory = `${folder.path}/target`;
  await using server = await serveFiles({ directory, listen });
  const paths = [`${folder.path}/source/`];
  const sent = await sendFiles({ paths, to: server.endpoint }).summary;
  assertEquals(sent.problems, []);
  assert(sent.movedBytes < data.length + 1000, `${sent.movedBytes}`);
  assertEquals(Deno.readFileSync(`${target}/new`), data);
  assertEquals(Deno.readFileSync(`${target}/old`), data);
});

Deno.test("a transfer with an old copy goes on where it was after the connection broke", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  const random = seededRandom(14);
  const old = randomBytes(8 * MIB, random);
  const next = changed(old, 64 * 1024, 0.3, random);
  Deno.writeFileSync(`${source}/file`, next);
  Deno.writeFileSync(`${target}/file`, old);
  Deno.utimeSync(`${target}/file`, 1, 1);
  const listen = "tcp://127.0.0.1:0";
  await using server = await serveFiles({ directory: target, listen });
  const to = server.endpoint;
  let moved = 0;
  let tries = 0;
  for (;; tries++) {
    const transfer = sendFiles({
      paths: [`${source}/`],
      to,
      retryMs: 0,
      bytesPerSecond: MIB,
      signal: tries < 2
        ? AbortSignal.timeout(250)
        : new AbortController().signal,
    });
    const isWhole = await transfer.summary.then(() => true, () => false);
    moved += transfer.progress.movedBytes;
    if (isWhole) break;
    assertEquals(Deno.readFileSync(`${target}/file`), old);
  }
  assertSameTree(target, source);
  assert(tries > 0);
  assert(moved < next.length * 0.55, `${moved}`);
});

/** Says `messages` to a receiver that has an old copy of `file`, and returns the error that it answers with. */
async function refusal(
  ...messages: ((size: number) => TransferMessage)[]
): Promise<string> {
  using folder = new TestFolder();
  const old = randomBytes(MIB, seededRandom(15));
  Deno.writeFileSync(`${folder.path}/file`, old);
  const listen = "memory:refusal";
  await using _server = await serveFiles({ directory: folder.path, listen });
  await using client = await connect({ to: listen, wire: TRANSFER_WIRE });
  const size = MIB + 1;
  const entry = { path: "file", kind: "file", mode: 0o644, mtimeMs: 1, size };
  const entries = [entry as TransferEntry];
  client.send({ type: "open", version: 1, verb: "send", path: "" });
  client.send({ type: "entries", entries });
  client.send({ type: "listed", count: 1, bytes: size });
  for (const message of messages) client.send(message(size));
  for await (const message of client) {
    if (message.type === "error") {
      assertEquals(Deno.readFileSync(`${folder.path}/file`), old);
      return message.reason;
    }
  }
  return "";
}

Deno.test("a receiver refuses patches and questions that make no sense", async () => {
  const ask = () => ({ type: "ask", index: 0 }) as const;
  const patch = (text: string, leaf = 0) => () => ({
    type: "patch" as const,
    index: 0,
    leaf,
    hash: new Uint8Array(32),
    patch: hex(text),
  });
  const whole = "00000000 00040000 0000000000000000";
  assertMatch(await refusal(ask, ask), /no old version of entry 0/);
  assertMatch(
    await refusal(() => ({ type: "ask", index: 5 })),
    /no old version/,
  );
  assertMatch(await refusal(patch(whole)), /another hash/);
  assertMatch(await refusal(ask, patch(whole)), /another hash/);
  assertMatch(await refusal(ask, patch("")), /a patch makes 0 bytes/);
  assertMatch(await refusal(ask, patch(whole, 9)), /more than 0 bytes/);
  // Past the end of the old copy there is nothing to copy.
  const far = "00000000 00040000 0000ffffffffffff";
  assertMatch(await refusal(ask, patch(far)), /another hash/);
});

Deno.test("a sender refuses chunks that it did not ask for, or that are none", async () => {
  using folder = new TestFolder();
  Deno.writeFileSync(`${folder.path}/file`, new Uint8Array(MIB));
  const refused = async (...said: TransferMessage[]): Promise<string> => {
    await using server = await serve({
      listen: "memory:chunks",
      wire: TRANSFER_WIRE,
      handler: {
        message(peer, message) {
          if (message.type === "open") {
            peer.send({ type: "welcome", version: 1 });
          }
          if (message.type !== "entries") return;
          peer.send({ type: "need", index: 0, needs: ["delta"] });
          for (const one of said) peer.send(one);
        },
      },
    });
    const to = server.endpoint;
    const paths = [`${folder.path}/file`];
    const { summary } = sendFiles({ paths, to, retryMs: 0 });
    return await summary.then(() => "", String);
  };
  const chunks = { type: "chunks", index: 0, averageBytes: 2048 } as const;
  const none = new Uint8Array(0);
  assertMatch(
    await refused({ ...chunks, index: 3, chunks: none }),
    /nobody asked for chunks of entry 3/,
  );
  assertMatch(
    await refused({ ...chunks, averageBytes: 7, chunks: none }),
    /chunks of 7 bytes|nobody asked/,
  );
});
