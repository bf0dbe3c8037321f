import { assert, assertEquals, assertMatch } from "@std/assert";
import { Program, run, task } from "../support/program.ts";
import {
  assertSameTree,
  makeTree,
  TestFolder,
  treeBytes,
} from "../support/transfer.ts";
import { portolan, records, startReceiver } from "../support/transfer_kills.ts";

Deno.test("deno task send, get and list work with deno task receive", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  makeTree(source, 3);
  const endpoint = `unix:${folder.path}/socket`;
  await using receiver = await startReceiver(target, endpoint, "--share");

  const sent = await run(task("send", `${source}/`, endpoint));
  assertEquals(sent.stderr, "");
  assertEquals(sent.code, 0);
  assertMatch(sent.stdout, /all there and verified\n$/);
  assertSameTree(target, source);

  const again = await run(task("send", `${source}/`, endpoint, "--json"));
  const summary = JSON.parse(again.stdout.trim().split("\n").at(-1)!);
  assertEquals(summary.type, "summary");
  assertEquals([summary.movedBytes, summary.problems], [0, 0]);
  assertEquals(summary.bytes, treeBytes(source));

  const copy = `${folder.path}/copy`;
  const got = await run(task("get", endpoint, copy));
  assertEquals([got.code, got.stderr], [0, ""]);
  assertSameTree(copy, source);

  const listed = await run(task("list", endpoint, "a", "--json"));
  const paths = listed.stdout.trim().split("\n").map((line) =>
    JSON.parse(line).path
  );
  assert(paths.includes("a/sparse"), listed.stdout);
  await receiver.until(
    "what the receiver tells",
    () =>
      records(receiver).filter(({ type }) => type === "summary").length >= 3,
  );
});

Deno.test("deno task send exits with 1 when something is not there, and with 2 when it is not told enough", async () => {
  using folder = new TestFolder();
  const [source, target] = [folder.make("source"), folder.make("target")];
  Deno.writeTextFileSync(`${source}/a`, "a");
  const endpoint = `unix:${folder.path}/socket`;
  const nobody = await run(portolan("send", source, endpoint));
  assertEquals(nobody.code, 1);
  assertMatch(nobody.stderr, /^send: Cannot connect to unix:.*\n$/);

  await using _receiver = await startReceiver(target, endpoint);
  const missing = `${source}/missing`;
  const partly = await run(portolan("send", missing, source, endpoint));
  assertEquals(partly.code, 1);
  assertMatch(partly.stdout, /^unreadable: .*missing: No such file/);
  assertSameTree(`${target}/source`, source);

  assertEquals((await run(portolan("send", source))).code, 2);
  const odd = await run(portolan("send", source, "ftp://example.org"));
  assertEquals([odd.code, odd.stderr.includes("Cannot use")], [2, true]);
});

Deno.test("links arrive as links where the receiver may make them, else they are reported", async () => {
  using folder = new TestFolder();
  const source = folder.make("source");
  const link = `import os; os.symlink("../away", "${source}/link")`;
  await run(["python3", "-c", link]);
  const send = async (name: string, ...grants: string[]) => {
    const target = folder.make(name);
    const endpoint = `unix:${folder.path}/${name}.socket`;
    const command = portolan("receive", target, "--listen", endpoint, "--json");
    const granted = command.flatMap((word) =>
      /^--allow-(read|write)/.test(word) ? [] : [word]
    );
    granted.splice(2, 0, ...grants);
    await using _receiver = await startReceiverBy(granted);
    return await run(portolan("send", `${source}/`, endpoint));
  };
  const made = await send("free", "--allow-read", "--allow-write");
  assertEquals([made.code, made.stderr], [0, ""]);
  assertEquals(Deno.readLinkSync(`${folder.path}/free/link`), "../away");
  const scoped = await send("scoped", "--allow-read=/", "--allow-write=/");
  assertEquals(scoped.code, 1);
  assertMatch(scoped.stdout, /^denied: link: /);
});

async function startReceiverBy(command: string[]): Promise<AsyncDisposable> {
  const receiver = Program.start(command);
  await receiver.until(
    "listening",
    () => records(receiver).some(({ type }) => type === "listening"),
  );
  return receiver;
}
