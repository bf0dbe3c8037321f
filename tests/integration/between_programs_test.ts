// The proxy and the gateway as programs, before the hub and between them.
import { assertEquals, assertMatch } from "@std/assert";
import { connect, json, lengthPrefixed } from "../../mod.ts";
import { HubClient } from "../support/hub_client.ts";
import { Program, run, task } from "../support/program.ts";

Deno.test("proxy and gateway, one before the other, carry the hub's protocol", async () => {
  await using hub = await Program.serve(task("hub", "--port", "0"));
  await using door = await Program.serve(
    task("gateway", "ws://127.0.0.1:0", hub.endpoints[0]!),
  );
  await using back = await Program.serve(
    task("gateway", "tcp://127.0.0.1:0", door.endpoints[0]!),
  );
  await using front = await Program.serve(
    task("proxy", "tcp://127.0.0.1:0", back.endpoints[0]!),
  );
  {
    using client = await HubClient.connect(front.endpoints[0]!);
    assertEquals((await client.identify("ann")).type, "identified");
    const content = "x".repeat(500_000);
    const echo = await client.ask({ type: "echo", content });
    assertEquals(echo["content"], content);
  }
  await front.until("the access log", () => front.output.includes("->"));
  assertEquals(await front.stop(), 0, front.errors);
  assertMatch(
    front.output,
    /^127\.0\.0\.1:\d+ -> tcp:\/\/\S+ in 488 KiB out 488 KiB \d\.\d+ s done$/m,
  );
  for (const program of [back, door, hub]) {
    assertEquals(await program.stop(), 0, program.errors);
  }
});

Deno.test("the hub's messages are texts without a length over WebSocket", async () => {
  await using hub = await Program.serve(
    task("hub", "--listen", "ws://127.0.0.1:0"),
  );
  const socket = new WebSocket(hub.endpoints[0]!);
  const heard = Promise.withResolvers<unknown>();
  socket.onopen = () => socket.send('{"type":"echo","content":"ahoy"}');
  socket.onmessage = ({ data }) => heard.resolve(data);
  socket.onerror = () => heard.reject(new Error("Cannot connect"));
  const text = await heard.promise;
  assertEquals(JSON.parse(String(text)).content, "ahoy");
  socket.close();
  await using client = await connect({
    to: hub.endpoints[0]!,
    wire: lengthPrefixed(json<{ type: string; name?: string }>()),
  });
  client.send({ type: "identify", name: "bob" });
  assertEquals((await client.receive())?.name, "bob");
});

for (const name of ["proxy", "gateway"]) {
  Deno.test(`${name} refuses bad usage with 2 and one line`, async () => {
    const to = "tcp://127.0.0.1:9";
    for (
      const fault of [
        [],
        [to],
        ["9999", to],
        [to, to, "--idle"],
      ]
    ) {
      const { code, stdout, stderr } = await run(task(name, ...fault));
      assertEquals([code, stdout], [2, ""], stderr);
      assertMatch(stderr, new RegExp(`^${name}: Cannot .+\n$`));
    }
  });
}
