import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { seededRandom } from "../../src/bytes/random.ts";
import type { TransferEntry } from "../../src/proto/transfer/entry.ts";
import {
  TRANSFER_WIRE,
  type TransferMessage,
} from "../../src/proto/transfer/messages.ts";
import { leafHash } from "../../src/proto/transfer/tree.ts";
import { type Disk, systemDisk } from "../../src/transfer/disk.ts";
import { DiskStore } from "../../src/transfer/disk_store.ts";
import { getFiles, listFiles } from "../../src/transfer/get_files.ts";
import { sendFiles } from "../../src/transfer/send_files.ts";
import {
  type FileServer,
  serveFiles,
  type ServeFilesOptions,
  serveStore,
} from "../../src/transfer/serve_files.ts";
import { sha256 } from "../../src/transfer/sha256.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import {
  assertSameTree,
  describeTree,
  LEAF_BYTES,
  makeTree,
  randomBytes,
  TestFolder,
  treeBytes,
} from "../support/transfer.ts";
import { CLIENT_TLS, SERVER_TLS } from "../support/tls.ts";
import { waitUntil, within } from "../support/wait.ts";

function receive(
  directory: string,
  options: Partial<ServeFilesOptions> = {},
): Promise<FileServer> {
  return serveFiles({ directory, listen: "tcp://127.0.0.1:0", ...options });
}

function outcomes({ problems }: Pick<Transfer, "problems">): string[][] {
  return problems.map(({ path, outcome }) => [path, outcome]);
}

Deno.test("sendFiles() makes the same tree, and sends nothing the second time", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  makeTree(source, 1);
  await using server = await receive(target);
  const send = () =>
    sendFiles({ paths: [`${source}/`], to: server.endpoint }).summary;
  const first = await send();
  assertEquals(first.problems, []);
  assertEquals(first.movedBytes, treeBytes(source));
  assertEquals(first.settledBytes, first.bytes);
  assertSameTree(target, source);
  const second = await send();
  assertEquals([second.problems, second.movedBytes], [[], 0]);
  assertEquals(second.settledBytes, second.bytes);
  const empty = Array.from(Deno.readDirSync(`${target}/.portolan/tmp`));
  assertEquals(empty, []);
});

Deno.test("sendFiles() leaves holes where a file has whole leaves of zeros", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  const file = new Uint8Array(40 * LEAF_BYTES);
  file.set(randomBytes(LEAF_BYTES, seededRandom(1)), 20 * LEAF_BYTES);
  Deno.writeFileSync(`${source}/sparse`, file);
  await using server = await receive(target);
  await sendFiles({ paths: [`${source}/sparse`], to: server.endpoint }).summary;
  const { size, blocks } = Deno.statSync(`${target}/sparse`);
  assertEquals(size, file.length);
  assert((blocks ?? 0) * 512 <= 4 * LEAF_BYTES, `${blocks} blocks`);
  assertSameTree(target, source);
});

Deno.test("sendFiles() puts a changed file in the place of the old one", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  Deno.writeTextFileSync(`${source}/a`, "new");
  Deno.writeTextFileSync(`${target}/a`, "the old one");
  await using server = await receive(target);
  await sendFiles({ paths: [`${source}/a`], to: server.endpoint }).summary;
  assertSameTree(target, source);
});

Deno.test("getFiles() gets a tree or a part of it, and listFiles() lists it", async () => {
  using folder = new TestFolder();
  const [shared, all, part] = [
    folder.make("shared"),
    folder.make("all"),
    folder.make("part"),
  ];
  makeTree(shared, 2);
  await using server = await receive(shared, { shares: true, takes: false });
  const from = server.endpoint;
  const got = await getFiles({ from, directory: all }).summary;
  assertEquals([got.problems, got.movedBytes], [[], treeBytes(shared)]);
  assertSameTree(all, shared);
  const again = await getFiles({ from, directory: all }).summary;
  assertEquals([again.problems, again.movedBytes], [[], 0]);
  await getFiles({ from, path: "a/b", directory: part }).summary;
  assertSameTree(`${part}/b`, `${shared}/a/b`);
  const listed = await Array.fromAsync(listFiles({ from, path: "a" }));
  assertEquals(listed.length, describeTree(`${shared}/a`).length + 1);
  const transfer = sendFiles({ paths: [`${all}/`], to: from });
  await assertRejects(() => transfer.summary, Error, "it is not allowed");
});

Deno.test("serveFiles() shares nothing outside of its folder, and nothing unless told", async () => {
  using folder = new TestFolder();
  const [shared, here] = [folder.make("shared"), folder.make("here")];
  folder.make("secret/x");
  await using server = await receive(shared, { shares: true });
  for (
    const path of ["..", "../secret", "/etc", "a/../../secret", ".portolan"]
  ) {
    const transfer = getFiles({ from: server.endpoint, directory: here, path });
    await assertRejects(() => transfer.summary, Error, "Cannot share");
  }
  const missing = getFiles({
    from: server.endpoint,
    directory: here,
    path: "no",
  });
  assertEquals((await missing.summary).entries, 0);
  await using closed = await receive(folder.make("closed"));
  const transfer = getFiles({ from: closed.endpoint, directory: here });
  await assertRejects(() => transfer.summary, Error, "it is not allowed");
});

/** A sender that says what it likes. */
async function forge(
  server: FileServer,
  ...messages: TransferMessage[]
): Promise<TransferMessage[]> {
  await using client = await connect<TransferMessage>({
    to: server.endpoint,
    wire: TRANSFER_WIRE,
  });
  client.send({ type: "open", version: 1, verb: "send", path: "" });
  for (const message of messages) client.send(message);
  const answers: TransferMessage[] = [];
  for await (const answer of client) {
    answers.push(answer);
    if (answer.type === "finished" || answer.type === "error") break;
  }
  return answers.slice(1);
}

function entry(path: string, more: Partial<TransferEntry> = {}): TransferEntry {
  return { path, kind: "file", mode: 0o644, mtimeMs: 1, size: 1, ...more };
}

function leaf(index: number, text: string): TransferMessage {
  const data = new TextEncoder().encode(text);
  return { type: "leaf", index, leaf: 0, hash: leafHash(sha256, data), data };
}

Deno.test("a receiver refuses every path that leads out, and takes the others", async () => {
  using folder = new TestFolder();
  const target = folder.make("target");
  folder.make("outside");
  const outside = describeTree(`${folder.path}/outside`);
  const paths = [
    "../outside/x",
    "/tmp/x",
    "a/../../outside/x",
    "no/parent",
    ".portolan/journal",
    "..\\x",
    "x\0y",
    "good",
    "good",
    "good/below",
  ];
  await using server = await receive(target);
  const answers = await forge(
    server,
    { type: "entries", entries: paths.map((path) => entry(path)) },
    { type: "listed", count: paths.length, bytes: paths.length },
    leaf(7, "g"),
    { type: "end" },
  );
  const results = answers.flatMap((answer) =>
    answer.type === "results" ? answer.results : []
  );
  assertEquals(
    results.map(({ index, outcome }) => [index, outcome]).sort(),
    paths.map((_, at) => [at, at === 7 ? "stored" : "refused"]),
  );
  assertEquals(describeTree(target).map((line) => line.split(" ")[0]), [
    "good",
  ]);
  assertEquals(describeTree(`${folder.path}/outside`), outside);
});

Deno.test("a receiver writes through no link that is in its folder", async () => {
  using folder = new TestFolder();
  const target = folder.make("target");
  const outside = folder.make("outside");
  await new Deno.Command("python3", {
    args: ["-c", `import os; os.symlink("${outside}", "${target}/way")`],
  }).output();
  await using server = await receive(target);
  const answers = await forge(
    server,
    {
      type: "entries",
      entries: [
        entry("way", { kind: "directory", size: 0 }),
        entry("way/x"),
      ],
    },
    { type: "listed", count: 2, bytes: 1 },
    { type: "end" },
  );
  const results = answers.flatMap((answer) =>
    answer.type === "results" ? answer.results : []
  );
  assertEquals(results.map(({ outcome }) => outcome), ["refused", "refused"]);
  assertEquals(Array.from(Deno.readDirSync(outside)), []);
});

const HASH = new Uint8Array(32);
const LISTED: TransferMessage = { type: "listed", count: 1, bytes: 1 };
const ONE: TransferMessage = { type: "entries", entries: [entry("x")] };
const TWO_LEAVES = entry("y", { size: LEAF_BYTES + 1 });
const Y: TransferMessage = { type: "entries", entries: [TWO_LEAVES] };
const last: TransferMessage = { ...leaf(0, "z") as object, leaf: 1 } as never;

const FORGERIES: Record<string, TransferMessage[]> = {
  "a leaf before its file": [leaf(0, "x")],
  "a leaf of another length": [ONE, leaf(0, "xx")],
  "a leaf with another's hash": [
    ONE,
    { type: "leaf", index: 0, leaf: 0, hash: HASH, data: Uint8Array.of(1) },
  ],
  "a leaf outside of the file": [
    ONE,
    { ...leaf(0, "x") as object, leaf: 1 } as never,
  ],
  "the second leaf without the first": [Y, last],
  "a close without its leaves": [Y, { type: "close", index: 0, root: HASH }],
  "an end with files open": [ONE, LISTED, { type: "end" }],
  "a wrong count": [ONE, { type: "listed", count: 2, bytes: 1 }],
  "entries after the list": [ONE, LISTED, ONE],
  "a receiver's message": [{ type: "ack", leaves: 1 }],
  "a second open": [{ type: "open", version: 1, verb: "send", path: "" }],
  "a failure that is none": [
    ONE,
    { type: "fail", index: 0, outcome: "stored", detail: "" },
  ],
};

Deno.test("a receiver ends a transfer that makes no sense, says why, and serves others on", async (t) => {
  using folder = new TestFolder();
  const target = folder.make("target");
  await using server = await receive(target);
  for (const [name, messages] of Object.entries(FORGERIES)) {
    await t.step(name, async () => {
      const answers = await within("an answer", forge(server, ...messages));
      assertEquals(answers.at(-1)?.type, "error");
      assertEquals(describeTree(target), []);
    });
  }
  const answers = await forge(server, ONE, LISTED, leaf(0, "x"), {
    type: "end",
  });
  assertEquals(answers.at(-1)?.type, "finished");
});

Deno.test("a receiver refuses bytes of another protocol, and another version", async () => {
  using folder = new TestFolder();
  await using server = await receive(folder.make("target"));
  const { port } = new URL(server.endpoint.replace("tcp", "http"));
  const conn = await Deno.connect({
    port: Number(port),
    hostname: "127.0.0.1",
  });
  await conn.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  const buffer = new Uint8Array(1000);
  while (await within("the end", conn.read(buffer)) !== null);
  conn.close();
  await using client = await connect<TransferMessage>({
    to: server.endpoint,
    wire: TRANSFER_WIRE,
  });
  client.send({ type: "open", version: 9, verb: "send", path: "" });
  const answer = await client.receive();
  assertEquals(answer, {
    type: "error",
    reason: "Cannot speak version 9: 1 is spoken here",
  });
});

Deno.test("a receiver takes no more entries than it is told", async () => {
  using folder = new TestFolder();
  const source = folder.make("source");
  for (let i = 0; i < 5; i++) Deno.writeTextFileSync(`${source}/${i}`, "");
  await using server = await receive(folder.make("target"), { maxEntries: 4 });
  const transfer = sendFiles({ paths: [`${source}/`], to: server.endpoint });
  await assertRejects(() => transfer.summary, Error, "more than 4 entries");
});

Deno.test("sendFiles() notices a source that changes while it is sent, and the rest arrives", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  const random = seededRandom(4);
  Deno.writeFileSync(`${source}/a`, randomBytes(6 * LEAF_BYTES, random));
  Deno.writeFileSync(`${source}/b`, randomBytes(100, random));
  await using server = await receive(target);
  const send = (bytesPerSecond: number) =>
    sendFiles({ paths: [`${source}/`], to: server.endpoint, bytesPerSecond });
  const transfer = send(4 * LEAF_BYTES);
  await waitUntil("a leaf", () => transfer.progress.settledBytes > 0);
  Deno.writeFileSync(`${source}/a`, randomBytes(6 * LEAF_BYTES, random));
  assertEquals(outcomes(await transfer.summary), [["a", "changed"]]);
  assertEquals(describeTree(target).map((line) => line[0]), ["b"]);
  assertEquals((await send(Infinity).summary).problems, []);
  assertSameTree(target, source);
});

Deno.test("sendFiles() does not mix what it sent before with a source of the same size and time", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  const random = seededRandom(5);
  const before = randomBytes(8 * LEAF_BYTES, random);
  const time = new Date(1e12);
  Deno.writeFileSync(`${source}/a`, before);
  Deno.utimeSync(`${source}/a`, time, time);
  await using server = await receive(target);
  const options = { paths: [`${source}/a`], to: server.endpoint };
  const first = sendFiles({ ...options, bytesPerSecond: 4 * LEAF_BYTES });
  await waitUntil(
    "leaves",
    () => first.progress.settledBytes >= 3 * LEAF_BYTES,
  );
  await server.drain({ deadlineMs: 100 });
  await assertRejects(() => first.summary);
  const after = before.slice();
  after[LEAF_BYTES]! ^= 1;
  Deno.writeFileSync(`${source}/a`, after);
  Deno.utimeSync(`${source}/a`, time, time);
  await using next = await receive(target);
  const second = sendFiles({ ...options, to: next.endpoint });
  const { problems, movedBytes } = await second.summary;
  assertEquals(problems, []);
  assertSameTree(target, source);
  // The second leaf is sent again, beside those that were missing.
  const kept = first.progress.settledBytes - LEAF_BYTES;
  assert(movedBytes <= after.length - kept, `${movedBytes} bytes`);
  assert(movedBytes < after.length, `${movedBytes} bytes`);
});

Deno.test("sendFiles() reports what is no file, and the rest arrives", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  Deno.writeTextFileSync(`${source}/a`, "a");
  using _socket = Deno.listen({ transport: "unix", path: `${source}/s` });
  await using server = await receive(target);
  const paths = [`${source}/`, `${folder.path}/missing`];
  const summary = await sendFiles({ paths, to: server.endpoint }).summary;
  assertEquals(outcomes(summary), [
    [`${source}/s`, "unreadable"],
    [`${folder.path}/missing`, "unreadable"],
  ]);
  assertEquals(Deno.readTextFileSync(`${target}/a`), "a");
});

Deno.test("of two senders of one name one is told that it is busy", async () => {
  using folder = new TestFolder();
  const target = folder.make("target");
  const [one, two] = [folder.make("one"), folder.make("two")];
  const random = seededRandom(8);
  Deno.writeFileSync(`${one}/x`, randomBytes(6 * LEAF_BYTES, random));
  Deno.writeFileSync(`${two}/x`, randomBytes(6 * LEAF_BYTES + 1, random));
  await using server = await receive(target);
  const slow = sendFiles({
    paths: [`${one}/`],
    to: server.endpoint,
    bytesPerSecond: 4 * LEAF_BYTES,
  });
  await waitUntil("a leaf", () => slow.progress.settledBytes > 0);
  const other = await sendFiles({ paths: [`${two}/`], to: server.endpoint })
    .summary;
  assertEquals(outcomes(other), [["x", "busy"]]);
  assertEquals((await slow.summary).problems, []);
  assertSameTree(target, one);
});

/** A disk that has room for so many bytes. */
function smallDisk(room: { bytes: number }): Disk {
  return {
    ...systemDisk,
    open(path, options) {
      const file = systemDisk.open(path, options);
      const write = file.writeSync.bind(file);
      file.writeSync = (bytes) => {
        if (bytes.length > room.bytes) {
          const error = new Error("No space left on device (os error 28)");
          throw Object.assign(error, { code: "ENOSPC" });
        }
        room.bytes -= bytes.length;
        return write(bytes);
      };
      return file;
    },
  };
}

Deno.test("a full disk is told of, and what was received stays for the next try", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  const random = seededRandom(9);
  Deno.writeFileSync(`${source}/a`, randomBytes(6 * LEAF_BYTES, random));
  Deno.writeFileSync(`${source}/b`, randomBytes(1000, random));
  const room = { bytes: 4 * LEAF_BYTES };
  using store = DiskStore.open(target, { disk: smallDisk(room) });
  await using server = await serveStore(store, {
    directory: target,
    listen: "tcp://127.0.0.1:0",
  });
  const send = () =>
    sendFiles({ paths: [`${source}/`], to: server.endpoint }).summary;
  const first = await send();
  assertEquals(outcomes(first), [["a", "full"]]);
  assertEquals(describeTree(target).map((line) => line[0]), ["b"]);
  room.bytes = Infinity;
  const second = await send();
  assertEquals(second.problems, []);
  assertEquals(second.movedBytes, 3 * LEAF_BYTES);
  assertSameTree(target, source);
});

Deno.test("DiskStore.open() lets one process at a time have a folder", () => {
  using folder = new TestFolder();
  using _store = DiskStore.open(folder.path);
  let message = "";
  try {
    DiskStore.open(folder.path).close();
  } catch (error) {
    message = String(error);
  }
  assertEquals(message.includes("another process does"), true, message);
});

Deno.test("sendFiles() keeps to its rate", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  Deno.writeFileSync(
    `${source}/a`,
    randomBytes(6 * LEAF_BYTES, seededRandom(1)),
  );
  await using server = await receive(target);
  const { elapsedMs } = await sendFiles({
    paths: [`${source}/a`],
    to: server.endpoint,
    bytesPerSecond: 4 * LEAF_BYTES,
  }).summary;
  // A second's worth may go at once.
  assert(elapsedMs >= 450, `${elapsedMs} ms`);
});

Deno.test("a loop over a transfer yields its progress up to the end", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  Deno.writeFileSync(
    `${source}/a`,
    randomBytes(6 * LEAF_BYTES, seededRandom(1)),
  );
  await using server = await receive(target);
  const transfer = sendFiles({
    paths: [`${source}/a`],
    to: server.endpoint,
    bytesPerSecond: 4 * LEAF_BYTES,
  });
  const seen = await Array.fromAsync(
    transfer,
    ({ settledBytes }) => settledBytes,
  );
  assertEquals(seen, seen.toSorted((a, b) => a - b));
  assert(seen.length > 3);
  assertEquals(seen.at(-1), 6 * LEAF_BYTES);
});

Deno.test("sendFiles() connects again and goes on when it is told to retry", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  const random = seededRandom(11);
  Deno.writeFileSync(`${source}/a`, randomBytes(10 * LEAF_BYTES, random));
  const listen = `unix:${folder.path}/socket`;
  const first = await receive(target, { listen });
  const transfer = sendFiles({
    paths: [`${source}/`],
    to: listen,
    bytesPerSecond: 4 * LEAF_BYTES,
    retryMs: 10_000,
  });
  await waitUntil("a leaf", () => transfer.progress.settledBytes > 0);
  await first.drain({ deadlineMs: 50 });
  await using _second = await receive(target, { listen });
  const { problems, movedBytes } = await transfer.summary;
  assertEquals(problems, []);
  assert(movedBytes <= 12 * LEAF_BYTES, `${movedBytes} bytes`);
  assertSameTree(target, source);
});

Deno.test("getFiles() connects again and goes on when it is told to retry", async () => {
  using folder = new TestFolder();
  const [shared, here] = [folder.make("shared"), folder.make("here")];
  const random = seededRandom(12);
  Deno.writeFileSync(`${shared}/a`, randomBytes(10 * LEAF_BYTES, random));
  const listen = `unix:${folder.path}/socket`;
  const options = { listen, shares: true, bytesPerSecond: 4 * LEAF_BYTES };
  const first = await receive(shared, options);
  const transfer = getFiles({ from: listen, directory: here, retryMs: 10_000 });
  await waitUntil("a leaf", () => transfer.progress.settledBytes > 0);
  await first.drain({ deadlineMs: 50 });
  await using _second = await receive(shared, options);
  const { problems, movedBytes } = await transfer.summary;
  assertEquals(problems, []);
  assert(movedBytes <= 12 * LEAF_BYTES, `${movedBytes} bytes`);
  assertSameTree(here, shared);
});

Deno.test("sendFiles() stops when its signal is aborted, and goes on the next time", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  const random = seededRandom(13);
  Deno.writeFileSync(`${source}/a`, randomBytes(10 * LEAF_BYTES, random));
  await using server = await receive(target);
  const stop = new AbortController();
  const options = { paths: [`${source}/`], to: server.endpoint };
  const transfer = sendFiles({
    ...options,
    bytesPerSecond: 4 * LEAF_BYTES,
    signal: stop.signal,
    retryMs: 10_000,
  });
  await waitUntil("a leaf", () => transfer.progress.settledBytes > 0);
  stop.abort(new Error("enough"));
  await assertRejects(() => transfer.summary, Error, "enough");
  const { problems, movedBytes } = await sendFiles(options).summary;
  assertEquals(problems, []);
  assert(movedBytes < 10 * LEAF_BYTES, `${movedBytes} bytes`);
  assertSameTree(target, source);
});

Deno.test("sendFiles() and getFiles() work over TLS, WebSocket and within the process", async () => {
  const roads: Partial<ServeFilesOptions>[] = [
    { listen: "tls://localhost:0", ...SERVER_TLS },
    { listen: "ws://127.0.0.1:0" },
    { listen: "memory:transfer" },
  ];
  for (const road of roads) {
    using folder = new TestFolder();
    const [source, target, back] = [
      folder.make("source"),
      folder.make("target"),
      folder.make("back"),
    ];
    makeTree(source, 14);
    await using server = await receive(target, { ...road, shares: true });
    const { endpoint } = server;
    const sent = sendFiles({
      paths: [`${source}/`],
      to: endpoint,
      ...CLIENT_TLS,
    });
    assertEquals((await sent.summary).problems, []);
    const got = getFiles({ from: endpoint, directory: back, ...CLIENT_TLS });
    assertEquals((await got.summary).problems, []);
    assertSameTree(back, source);
  }
});
