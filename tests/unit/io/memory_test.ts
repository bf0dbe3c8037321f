import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { parseEndpoint } from "../../../src/io/endpoint.ts";
import { EndpointError } from "../../../src/io/endpoint_error.ts";
import { memoryPair, memoryTransport } from "../../../src/io/memory.ts";
import { turns } from "../../support/wait.ts";

const ENDPOINT = parseEndpoint("memory:memory_test");

Deno.test("memoryPair() takes no more than a socket's buffer before it is read", async () => {
  const [here, there] = memoryPair("x");
  const block = new Uint8Array(50_000).fill(1);
  assertEquals(await here.write(block), 50_000);
  let late: number | undefined;
  const write = here.write(block).then((count) => late = count);
  await turns();
  assertEquals(late, undefined, "a full pipe makes the writer wait");
  const into = new Uint8Array(10_000);
  await there.read(into);
  await turns();
  assertEquals(late, undefined, "a little room is no room");
  await there.read(into);
  await there.read(into);
  await write;
  assert(late! >= 30_000 && late! < 50_000, `${late}`);
});

Deno.test("memoryPair() reads what is there, however it was written", async () => {
  const [here, there] = memoryPair("x");
  await here.write(new Uint8Array([1, 2, 3]));
  await here.write(new Uint8Array([4]));
  const into = new Uint8Array(2);
  const seen: number[] = [];
  while (seen.length < 4) {
    const count = await there.read(into);
    seen.push(...into.subarray(0, count!));
  }
  assertEquals(seen, [1, 2, 3, 4]);
});

Deno.test("memoryPair() does not see what the writer does to its buffer later", async () => {
  const [here, there] = memoryPair("x");
  const bytes = new Uint8Array([1, 2]);
  await here.write(bytes);
  bytes.fill(9);
  const into = new Uint8Array(2);
  await there.read(into);
  assertEquals([...into], [1, 2]);
});

Deno.test("memoryPair() closes each direction by itself", async () => {
  const [here, there] = memoryPair("x");
  await here.write(new Uint8Array([1]));
  await here.closeWrite();
  const into = new Uint8Array(8);
  assertEquals(await there.read(into), 1);
  assertEquals(await there.read(into), null);
  await assertRejects(
    () => here.write(new Uint8Array([2])),
    Deno.errors.BrokenPipe,
  );
  await there.write(new Uint8Array([3]));
  assertEquals(await here.read(into), 1);
  there.close();
  assertEquals(await here.read(into), null);
});

Deno.test("memoryPair() wakes whoever waits when an end is closed", async () => {
  const [here, there] = memoryPair("x");
  const read = here.read(new Uint8Array(1));
  const peersRead = there.read(new Uint8Array(1));
  here.close();
  await assertRejects(() => read, Deno.errors.BadResource);
  assertEquals(await peersRead, null);

  const [sender, sleeper] = memoryPair("x");
  await sender.write(new Uint8Array(65536));
  const write = sender.write(new Uint8Array(1));
  sleeper.close();
  await assertRejects(() => write, Deno.errors.BrokenPipe);
});

Deno.test("memoryTransport accepts in order, waiting or not", async () => {
  const listener = await memoryTransport.listen(ENDPOINT, {});
  const first = listener.accept();
  const clients = [
    await memoryTransport.connect(ENDPOINT, {}),
    await memoryTransport.connect(ENDPOINT, {}),
    await memoryTransport.connect(ENDPOINT, {}),
  ];
  for (const [index, client] of clients.entries()) {
    await client.write(new Uint8Array([index]));
  }
  const into = new Uint8Array(1);
  const order: number[] = [];
  for (const accept of [() => first, listener.accept, listener.accept]) {
    const conn = await accept.call(listener);
    await conn.read(into);
    order.push(into[0]!);
    conn.close();
  }
  assertEquals(order, [0, 1, 2]);
  listener.close();
});

Deno.test("memoryTransport closes what was never accepted with its listener", async () => {
  const listener = await memoryTransport.listen(ENDPOINT, {});
  const client = await memoryTransport.connect(ENDPOINT, {});
  listener.close();
  assertEquals(await client.read(new Uint8Array(1)), null);
});

Deno.test("memoryTransport frees a name when its listener is closed, and rejects accept", async () => {
  const listener = await memoryTransport.listen(ENDPOINT, {});
  const accept = listener.accept();
  assertThrows(
    () => memoryTransport.listen(ENDPOINT, {}),
    EndpointError,
    "Cannot listen on memory:memory_test: ",
  );
  listener.close();
  await assertRejects(() => accept, Deno.errors.BadResource);
  await assertRejects(
    () => memoryTransport.connect(ENDPOINT, {}),
    EndpointError,
    "Cannot connect to memory:memory_test: connection refused",
  );
  (await memoryTransport.listen(ENDPOINT, {})).close();
});
