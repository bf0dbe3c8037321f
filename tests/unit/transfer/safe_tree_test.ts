import { assertEquals, assertThrows } from "@std/assert";
import type { TransferEntry } from "../../../src/proto/transfer/entry.ts";
import { systemDisk } from "../../../src/transfer/disk.ts";
import {
  parentOf,
  PlaceError,
  SafeTree,
} from "../../../src/transfer/safe_tree.ts";
import { run } from "../../support/program.ts";
import { TestFolder } from "../../support/transfer.ts";

function directory(path: string): TransferEntry {
  return { path, kind: "directory", mode: 0o755, mtimeMs: 0, size: 0 };
}

async function link(target: string, path: string): Promise<void> {
  const script = "import os, sys; os.symlink(sys.argv[1], sys.argv[2])";
  await run(["python3", "-c", script, target, path]);
}

Deno.test("parentOf() is the directory of a path", () => {
  assertEquals(["a", "a/b", "a/b/c"].map(parentOf), ["", "a", "a/b"]);
});

Deno.test("SafeTree writes below directories alone", async () => {
  using folder = new TestFolder();
  const [root, outside] = [folder.make("root"), folder.make("outside")];
  folder.make("outside/deep");
  await link("../outside", `${root}/link`);
  Deno.writeTextFileSync(`${root}/file`, "");
  Deno.writeTextFileSync(`${folder.path}/new`, "");
  const tree = new SafeTree(root, systemDisk, false);
  for (const path of ["link/x", "link/deep/x", "file/x", "none/x"]) {
    assertThrows(() => tree.install(`${folder.path}/new`, path), PlaceError);
    assertThrows(() => tree.makeDirectory(directory(path)), PlaceError);
    assertThrows(() => tree.existing(path), PlaceError);
  }
  assertThrows(() => tree.makeDirectory(directory("link")), PlaceError);
  assertThrows(() => tree.makeDirectory(directory("file")), PlaceError);
  assertEquals(Array.from(Deno.readDirSync(outside)).length, 1);
});

Deno.test("SafeTree looks at directories again once it has forgotten them", async () => {
  using folder = new TestFolder();
  const root = folder.make("root");
  folder.make("outside");
  Deno.writeTextFileSync(`${folder.path}/new`, "");
  const tree = new SafeTree(root, systemDisk, false);
  assertEquals(tree.makeDirectory(directory("a")), true);
  assertEquals(tree.makeDirectory(directory("a")), false);
  tree.checkParents("a/x");
  Deno.removeSync(`${root}/a`);
  await link("../outside", `${root}/a`);
  tree.forget();
  assertThrows(() => tree.install(`${folder.path}/new`, "a/x"), PlaceError);
});

Deno.test("SafeTree puts a file in the place of a link, not of what it points to", async () => {
  using folder = new TestFolder();
  const root = folder.make("root");
  Deno.writeTextFileSync(`${folder.path}/target`, "kept");
  Deno.writeTextFileSync(`${folder.path}/new`, "new");
  await link("../target", `${root}/a`);
  const tree = new SafeTree(root, systemDisk, false);
  assertEquals(tree.existing("a")?.isSymlink, true);
  tree.install(`${folder.path}/new`, "a");
  assertEquals(Deno.readTextFileSync(`${root}/a`), "new");
  assertEquals(Deno.readTextFileSync(`${folder.path}/target`), "kept");
});
