import { assert, assertEquals, assertRejects } from "@std/assert";
import { connectNats } from "../../scenarios/hub/nats.ts";
import { hubClusterSuite } from "../integration/hub_cluster_suite.ts";
import { type Heard, HubClient } from "../support/hub_client.ts";
import { hubCommand, untilHubs } from "../support/hub_cluster.ts";
import { isInstalled } from "../support/installed.ts";
import { NatsServer, Road } from "../support/nats.ts";
import { Program, run } from "../support/program.ts";

const ignore = !await isInstalled("nats-server", "--version");

hubClusterSuite("NATS", async (stack) => {
  const server = stack.use(await NatsServer.start());
  const url = server.url("suite");
  return [
    stack.use(await connectNats(url)),
    stack.use(await connectNats(url)),
  ];
}, ignore);

/** Hubs in processes of their own, the second behind a road that can be cut. */
interface Harness {
  server: NatsServer;
  road: Road;
  hubs: Program[];
  join(hub: number, name?: string): Promise<HubClient>;
}

function natsTest(
  name: string,
  body: (harness: Harness) => Promise<void>,
): void {
  Deno.test({
    name: `hubs over NATS ${name}`,
    ignore,
    async fn() {
      await using server = await NatsServer.start();
      await using road = new Road(server.port);
      await using stack = new AsyncDisposableStack();
      const ports = [server.port, road.port];
      const hubs = await Promise.all(ports.map(async (port) =>
        stack.use(
          await Program.serve(
            await hubCommand(
              "--port=0",
              `--backplane=${server.url("test", port)}`,
            ),
          ),
        )
      ));
      using clients = new DisposableStack();
      await body({
        server,
        road,
        hubs,
        async join(hub, name) {
          const client = clients.use(
            await HubClient.connect(hubs[hub]!.endpoints[0]!),
          );
          await untilHubs(client, 2);
          if (name !== undefined) {
            assertEquals((await client.identify(name)).type, "identified");
          }
          return client;
        },
      });
    },
  });
}

/** The numbers that were broadcast and heard, and how many were told as missed. */
function count(heard: Heard[]): { numbers: number[]; missed: number } {
  const numbers: number[] = [];
  let missed = 0;
  for (const { type, content, missed: count } of heard) {
    if (type === "broadcast") numbers.push(Number(content));
    if (type === "gap") missed += Number(count);
  }
  return { numbers, missed };
}

/** Asserts that of `sent` numbers each was heard once, in order, or told as missed. */
function assertOnce(heard: Heard[], sent: number): void {
  const { numbers, missed } = count(heard);
  const ordered = [...new Set(numbers)].sort((a, b) => a - b);
  assertEquals(numbers, ordered, "twice, or out of order");
  assertEquals(numbers.length + missed, sent);
}

natsTest("free the names of a hub that is killed", async ({ hubs, join }) => {
  const [ann, bob] = [await join(0, "ann"), await join(1, "bob")];
  hubs[1]!.kill("SIGKILL");
  bob[Symbol.dispose]();
  // The first answer waits for the hub that is gone, and says that it is missing.
  const first = await ann.ask({ type: "broadcast", content: 1 });
  assertEquals([first["recipients"], first["partial"]], [0, true]);
  assertEquals((await ann.identify("bob")).type, "identified");
  await untilHubs(ann, 1);
  const stats = await ann.ask({ type: "get_stats" });
  assertEquals([stats["connected_clients"], stats["named_clients"]], [1, 1]);
  const sent = await ann.ask({ type: "broadcast", content: 1 });
  assertEquals([sent["recipients"], sent["partial"]], [0, undefined]);
});

natsTest("go on apart, and tell it, after a partition", async (harness) => {
  const { road, join } = harness;
  const [ann, bob] = [await join(0, "ann"), await join(1, "bob")];
  const eve = await join(1);
  road.cut();
  await untilHubs(ann, 1);
  await untilHubs(bob, 1);
  // Apart, each side gives names away and talks among itself.
  assertEquals((await eve.identify("ann")).type, "identified");
  assertEquals((await ann.identify("ann")).type, "identified");
  const sent = await bob.ask({ type: "broadcast", content: "apart" });
  assertEquals(sent["recipients"], 1);
  for (let content = 1; content <= 5; content++) {
    await ann.ask({ type: "broadcast", content });
  }
  road.mend();
  const heard = await untilHubs(bob, 2);
  await untilHubs(ann, 2);
  const last = await ann.ask({ type: "broadcast", content: 6 });
  assertEquals([last["recipients"], last["partial"]], [2, undefined]);
  while (heard.at(-1)?.["content"] !== 6) heard.push(await bob.hear());
  assertOnce(heard, 6);
  // Who was called Ann first still is.
  const told = await untilHubs(eve, 2);
  const lost = told.find(({ type }) => type === "name_lost");
  assertEquals([lost?.["name"], lost?.["code"]], ["ann", "name_taken"]);
  await bob.ask({ type: "direct", to: "ann", content: "who?" });
  const asked = await untilHubs(ann, 2);
  assertEquals(asked.at(-1)?.["content"], "who?");
});

natsTest("do without a hub that is stopped", async ({ hubs, join }) => {
  const [ann, bob] = [await join(0, "ann"), await join(1, "bob")];
  hubs[1]!.kill("SIGSTOP");
  await untilHubs(ann, 1);
  for (let content = 1; content <= 5; content++) {
    const sent = await ann.ask({ type: "broadcast", content });
    assertEquals(sent["recipients"], 0);
  }
  hubs[1]!.kill("SIGCONT");
  await untilHubs(ann, 2);
  const last = await ann.ask({ type: "broadcast", content: 6 });
  assertEquals(last["recipients"], 1);
  const heard: Heard[] = [];
  while (heard.at(-1)?.["content"] !== 6) heard.push(await bob.hear());
  assertOnce(heard, 6);
});

natsTest("find each other when NATS is back", async ({ server, join }) => {
  const [ann, bob] = [await join(0, "ann"), await join(1, "bob")];
  let sent = 0;
  const broadcast = () => ann.ask({ type: "broadcast", content: ++sent });
  assertEquals((await broadcast())["recipients"], 1);
  await server.kill();
  for (let n = 0; n < 10; n++) await broadcast();
  await untilHubs(ann, 1);
  await server.start();
  await untilHubs(ann, 2);
  const last = await broadcast();
  assertEquals([last["recipients"], last["partial"]], [1, undefined]);
  const heard: Heard[] = [];
  while (heard.at(-1)?.["content"] !== sent) heard.push(await bob.hear());
  assertOnce(heard, sent);
  assert(count(heard).missed > 0);
  assertEquals((await bob.identify("ann"))["code"], "name_taken");
});

natsTest("tell of a message that NATS does not take", async ({ join }) => {
  const [ann, bob] = [await join(0, "ann"), await join(1, "bob")];
  // It fits into a frame of the hubs, and with what surrounds it not into a megabyte.
  const tooLarge = "x".repeat((1 << 20) - 120);
  const content = tooLarge.slice(100);
  const large = await ann.ask({ type: "broadcast", content });
  assertEquals([large["recipients"], large["partial"]], [1, undefined]);
  assertEquals((await bob.hear()).type, "broadcast");
  const refused = await ann.ask({ type: "broadcast", content: tooLarge });

  assertEquals([refused["recipients"], refused["partial"]], [0, true]);
  assertEquals(await bob.hear(), { type: "gap", missed: 1 });
});

Deno.test("hub --backplane says in one line that it cannot be reached", async () => {
  const { code, stderr } = await run(
    await hubCommand("--port=0", "--backplane=nats://127.0.0.1:1"),
  );
  assertEquals(code, 1);
  assertEquals(stderr.trim().split("\n").length, 1);
  const usage = await run(await hubCommand("--backplane=redis://127.0.0.1"));
  assertEquals(usage.code, 2);
});

Deno.test("connectNats() rejects when there is no server", async () => {
  await assertRejects(
    () => connectNats("nats://127.0.0.1:1/x"),
    Error,
    "Cannot reach the NATS server at 127.0.0.1:1",
  );
});
