import { assertEquals, assertRejects } from "@std/assert";
import { SourceQueue } from "../../../src/security/source_queue.ts";

Deno.test("SourceQueue lets one of each source through at a time, in order", async () => {
  const queue = new SourceQueue(10);
  const { signal } = new AbortController();
  const log: string[] = [];
  const visit = async (source: string, name: string) => {
    using _turn = await queue.enter(source, signal);
    log.push(`${name} in`);
    await Promise.resolve();
    log.push(`${name} out`);
  };
  await Promise.all([visit("x", "a"), visit("x", "b"), visit("y", "c")]);
  assertEquals(log.filter((it) => !it.startsWith("c")), [
    "a in",
    "a out",
    "b in",
    "b out",
  ]);
  assertEquals(log.indexOf("c in") < log.indexOf("b in"), true);
  assertEquals(queue.size, 0);
});

Deno.test("SourceQueue.enter() leaves the queue when it is aborted", async () => {
  const queue = new SourceQueue(1);
  const controller = new AbortController();
  const { signal } = new AbortController();
  const first = await queue.enter("x", signal);
  const leaving = queue.enter("x", controller.signal);
  controller.abort(new Error("gone"));
  await assertRejects(() => leaving, Error, "gone");
  await assertRejects(() => queue.enter("x", controller.signal), Error, "gone");
  const next = queue.enter("x", signal);
  first[Symbol.dispose]();
  (await next)[Symbol.dispose]();
  assertEquals(queue.size, 0);
});
