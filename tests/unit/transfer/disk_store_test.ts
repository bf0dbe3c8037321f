import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../../src/bytes/random.ts";
import type { TransferEntry } from "../../../src/proto/transfer/entry.ts";
import { leafHash } from "../../../src/proto/transfer/tree.ts";
import { systemDisk } from "../../../src/transfer/disk.ts";
import { DiskStore } from "../../../src/transfer/disk_store.ts";
import { sha256 } from "../../../src/transfer/sha256.ts";
import { LEAF_BYTES, randomBytes, TestFolder } from "../../support/transfer.ts";

const ENTRY: TransferEntry = {
  path: "a",
  kind: "file",
  mode: 0o644,
  mtimeMs: 1e12,
  size: 3 * LEAF_BYTES,
};
const LEAF = randomBytes(LEAF_BYTES, seededRandom(1));
const HASH = leafHash(sha256, LEAF);

/** Writes two leaves of a file, and leaves it at that. */
function begin(directory: string): void {
  using store = DiskStore.open(directory);
  const session = store.session();
  assertEquals(session.examine(0, ENTRY).type, "absent");
  session.write(ENTRY, 0, HASH, LEAF);
  session.write(ENTRY, 1, HASH, LEAF);
  session.close();
}

function found(directory: string, entry = ENTRY): string {
  using store = DiskStore.open(directory);
  const session = store.session();
  const found = session.examine(0, entry);
  session.close();
  return found.type === "partial"
    ? [0, 1, 2].map((leaf) => found.leaves.hash(leaf) ? "x" : "-").join("")
    : found.type;
}

function temporary(directory: string): string {
  const [file] = Deno.readDirSync(`${directory}/.portolan/tmp`);
  return `${directory}/.portolan/tmp/${file!.name}`;
}

Deno.test("DiskStore knows the leaves that were written before it was opened", () => {
  using folder = new TestFolder();
  begin(folder.path);
  assertEquals(found(folder.path), "xx-");
  assertEquals(found(folder.path), "xx-");
});

Deno.test("DiskStore takes no leaf for written that a loss of power has taken", () => {
  for (
    const lose of [
      (file: Deno.FsFile) => file.truncateSync(LEAF_BYTES + 1),
      (file: Deno.FsFile) => file.truncateSync(0),
      (file: Deno.FsFile) => void file.writeSync(new Uint8Array(10)),
    ]
  ) {
    using folder = new TestFolder();
    begin(folder.path);
    const path = temporary(folder.path);
    using file = Deno.openSync(path, { write: true });
    lose(file);
    assertEquals(found(folder.path), "absent");
  }
});

Deno.test("DiskStore begins anew when the source is another, or what was written is gone", () => {
  using folder = new TestFolder();
  begin(folder.path);
  assertEquals(found(folder.path, { ...ENTRY, mtimeMs: 7 }), "absent");
  assertEquals(found(folder.path), "absent");
  begin(folder.path);
  Deno.removeSync(temporary(folder.path));
  assertEquals(found(folder.path), "absent");
});

Deno.test("DiskStore reads a journal that is torn up to there, and no journal that is none", () => {
  using folder = new TestFolder();
  begin(folder.path);
  const journal = `${folder.path}/.portolan/journal`;
  const bytes = Deno.readFileSync(journal);
  Deno.writeFileSync(journal, bytes.subarray(0, -3));
  assertEquals(found(folder.path), "x--");
  Deno.writeTextFileSync(journal, "nonsense");
  assertEquals(found(folder.path), "absent");
});

Deno.test("DiskStore removes temporary files that belong to nothing", () => {
  using folder = new TestFolder();
  begin(folder.path);
  const orphan = `${folder.path}/.portolan/tmp/orphan`;
  Deno.writeTextFileSync(orphan, "x");
  assertEquals(found(folder.path), "xx-");
  assertThrows(() => Deno.statSync(orphan), Deno.errors.NotFound);
});

Deno.test("DiskStore.open() refuses a folder whose own place is taken", () => {
  using folder = new TestFolder();
  Deno.writeTextFileSync(`${folder.path}/.portolan`, "");
  assertThrows(() => DiskStore.open(folder.path), Error, "it is no directory");
});

Deno.test("DiskStore refuses a file where a directory is", () => {
  using folder = new TestFolder();
  Deno.mkdirSync(`${folder.path}/a`);
  assertEquals(found(folder.path), "refused");
  assert(Deno.statSync(`${folder.path}/a`).isDirectory);
});

Deno.test("DiskStore refuses files that the disk has no room for before they are sent", () => {
  using folder = new TestFolder();
  const freeBytes = () => 5 * LEAF_BYTES;
  using store = DiskStore.open(folder.path, {
    disk: { ...systemDisk, freeBytes },
  });
  const session = store.session();
  const types = ["a", "b", "c"].map((path, index) =>
    session.examine(index, { ...ENTRY, path, size: 2 * LEAF_BYTES }).type
  );
  assertEquals(types, ["absent", "absent", "refused"]);
  session.close();
});
