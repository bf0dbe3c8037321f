import { assertEquals } from "@std/assert";
import { scanTree } from "../../../src/transfer/tree_scan.ts";
import { TestFolder } from "../../support/transfer.ts";

function scanned(...paths: string[]): string[] {
  return Array.from(
    scanTree(paths),
    (one) => "entry" in one ? `${one.entry.kind} ${one.entry.path}` : "problem",
  );
}

Deno.test("scanTree() lists directories before what is in them, and leaves a receiver's folder out", () => {
  using folder = new TestFolder();
  const tree = folder.make("tree");
  folder.make("tree/b/.portolan");
  Deno.writeTextFileSync(`${tree}/a`, "");
  Deno.writeTextFileSync(`${tree}/b/c`, "");
  const inside = ["file a", "directory b", "file b/c"];
  assertEquals(scanned(`${tree}/`), inside);
  assertEquals(scanned(`${tree}/.`), inside);
  assertEquals(scanned(tree), [
    "directory tree",
    "file tree/a",
    "directory tree/b",
    "file tree/b/c",
  ]);
  assertEquals(scanned(`${tree}/a`, `${tree}/none`), ["file a", "problem"]);
  assertEquals(scanned(`${tree}/b/..`), inside);
});

Deno.test("scanTree() tells of sockets that they are no files", () => {
  using folder = new TestFolder();
  using _socket = Deno.listen({ transport: "unix", path: `${folder.path}/s` });
  assertEquals(scanned(`${folder.path}/`), ["problem"]);
});
