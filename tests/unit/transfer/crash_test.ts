import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../../src/bytes/random.ts";
import { DiskStore } from "../../../src/transfer/disk_store.ts";
import { sendFiles } from "../../../src/transfer/send_files.ts";
import { serveFiles, serveStore } from "../../../src/transfer/serve_files.ts";
import {
  assertSameTree,
  describeTree,
  FailingDisk,
  type Fault,
  LEAF_BYTES,
  randomBytes,
  TestFolder,
  treeBytes,
} from "../../support/transfer.ts";

/** A small tree with each kind of work for the disk. */
function makeSource(root: string): void {
  const random = seededRandom(6);
  const sparse = new Uint8Array(3 * LEAF_BYTES);
  sparse.set(randomBytes(LEAF_BYTES, random), LEAF_BYTES);
  Deno.mkdirSync(`${root}/d`);
  Deno.writeFileSync(`${root}/d/empty`, new Uint8Array(0));
  Deno.writeFileSync(
    `${root}/d/large`,
    randomBytes(2 * LEAF_BYTES + 5, random),
  );
  Deno.writeFileSync(`${root}/d/small`, randomBytes(1000, random));
  Deno.writeFileSync(`${root}/sparse`, sparse, { mode: 0o600 });
  Deno.writeFileSync(`${root}/wide`, randomBytes(1, random));
  Deno.chmodSync(`${root}/wide`, 0o666);
}

/** What is there before: other contents for two of the files. */
function makeOld(root: string): void {
  Deno.mkdirSync(`${root}/d`);
  Deno.writeTextFileSync(`${root}/d/large`, "old");
  Deno.writeTextFileSync(`${root}/d/small`, "older");
}

/** The contents of a tree's files, by path; times and modes of directories come last and do not count. */
function contents(root: string): Map<string, string> {
  return new Map(
    describeTree(root).filter((line) => !/\/ \d+ \d+$/.test(line)).map(
      (line) => {
        const [path = "", , ...rest] = line.split(" ");
        return [path, rest.slice(1).join(" ")];
      },
    ),
  );
}

/** Sends the tree into a disk that may die; returns the bytes that were settled. */
async function attempt(
  source: string,
  target: string,
  disk: FailingDisk,
): Promise<number> {
  let store: DiskStore;
  try {
    store = DiskStore.open(target, { disk });
  } catch (error) {
    if (disk.dead) return 0;
    throw error;
  }
  using _open = store;
  await using server = await serveStore(store, {
    directory: target,
    listen: "memory:crash",
  });
  const transfer = sendFiles({ paths: [`${source}/`], to: server.endpoint });
  await transfer.summary.catch((error) => {
    if (!disk.dead) throw error;
  });
  return transfer.progress.settledBytes;
}

async function crashEverywhere(torn: boolean): Promise<void> {
  using folder = new TestFolder();
  const source = folder.make("source");
  makeSource(source);
  const whole = contents(source);
  const total = treeBytes(source);
  for (let after = 0, done = false; !done; after++) {
    const target = folder.make(`target ${after}`);
    makeOld(target);
    const old = contents(target);
    const fault: Fault = { after, torn };
    const crashed = new FailingDisk(fault);
    const settled = await attempt(source, target, crashed);
    done = !crashed.dead;
    for (const [path, content] of contents(target)) {
      assert(
        content === whole.get(path) || content === old.get(path),
        `${path} is neither old nor new after ${after} changes`,
      );
    }
    await using server = await serveFiles({
      directory: target,
      listen: "memory:after",
    });
    const again = sendFiles({ paths: [`${source}/`], to: server.endpoint });
    const { problems, movedBytes } = await again.summary;
    assertEquals(problems, [], `after ${after} changes`);
    assertSameTree(target, source);
    assert(
      movedBytes <= total - settled,
      `${movedBytes} bytes were sent, ${settled} of ${total} were settled after ${after} changes`,
    );
    await server.drain();
    const left = Deno.readDirSync(`${target}/.portolan/tmp`);
    assertEquals(Array.from(left, ({ name }) => name), []);
    Deno.removeSync(target, { recursive: true });
  }
}

Deno.test("a store has old or whole new files after a crash at every change, and goes on", () =>
  crashEverywhere(false));

Deno.test("a store survives a crash in the middle of every write", () =>
  crashEverywhere(true));
