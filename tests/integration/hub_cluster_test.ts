import { assertEquals, assertStringIncludes } from "@std/assert";
import { connectPorts, PortBackplane } from "../../scenarios/hub/backplane.ts";
import type { Observed } from "../../scenarios/hub/metrics.ts";
import { sumObserved } from "../../scenarios/hub/workers.ts";
import { Counters } from "../../src/io/counters.ts";
import { HubClient } from "../support/hub_client.ts";
import { hubCommand, untilHubs } from "../support/hub_cluster.ts";
import { Program, run } from "../support/program.ts";
import { parsePrometheus } from "../support/prometheus.ts";
import { hubClusterSuite } from "./hub_cluster_suite.ts";

hubClusterSuite("message ports", (stack) =>
  Promise.resolve(
    connectPorts(2).map((ports) => stack.use(new PortBackplane(ports))),
  ));

Deno.test("hub --workers shares one port, figures and signals", async () => {
  await using program = await Program.serve(
    await hubCommand(
      "--port=0",
      "--workers=3",
      "--metrics=tcp://127.0.0.1:0",
    ),
  );
  assertEquals(program.endpoints.length, 1);
  using clients = new DisposableStack();
  const all: HubClient[] = [];
  const ids = new Set<string>();
  // Enough that every worker gets some.
  for (let n = 0; n < 60; n++) {
    const client = clients.use(
      await HubClient.connect(program.endpoints[0]!),
    );
    const { client_id } = await client.identify(`client ${n}`);
    ids.add(String(client_id).split("@")[1]!);
    all.push(client);
  }
  assertEquals(ids.size, 3);
  const [first, ...others] = all;
  await untilHubs(first!, 3);
  const sent = await first!.ask({ type: "broadcast", content: "ahoy" });
  assertEquals(sent["recipients"], 59);
  for (const other of others) {
    assertEquals((await other.hear())["content"], "ahoy");
  }
  assertEquals((await first!.ask({ type: "list" }))["total"], 60);

  await program.until("the page", () => /^metrics .*\n/m.test(program.output));
  const url = /^metrics (.*)$/m.exec(program.output)![1]!;
  const page = parsePrometheus(await (await fetch(url)).text());
  const figure = (name: string) => page.get(name)?.samples[0]?.value;
  assertEquals(figure("portolan_connections"), 60);
  assertEquals(figure("portolan_connections_accepted_total"), 60);
  const health = await fetch(new URL("/health", url));
  assertEquals([health.status, await health.text()], [200, "listening\n"]);

  program.kill("SIGTERM");
  const goodbyes = await Promise.all(all.map(async (client) => {
    const [goodbye] = await client.rest();
    client[Symbol.dispose]();
    return goodbye?.type;
  }));
  assertEquals(new Set(goodbyes), new Set(["going_away"]));
  assertEquals(await program.ended(), 0);
});

Deno.test("hub --workers refuses what workers cannot share", async () => {
  const { code, stderr } = await run(
    await hubCommand("--workers=2", "--listen=unix:/tmp/portolan-shared.sock"),
  );
  assertEquals(code, 1);
  assertStringIncludes(stderr, "only tcp:// and tls:// can be");
  assertEquals(stderr.trim().split("\n").length, 1);
});

Deno.test("hub --workers says in one line that the port is taken", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stderr } = await run(
    await hubCommand(`--port=${listener.addr.port}`, "--workers=2"),
  );
  assertEquals(code, 1);
  assertStringIncludes(stderr, "address in use");
  assertEquals(stderr.trim().split("\n").length, 1);
});

Deno.test("sumObserved() adds up what hubs have done", () => {
  const observed = (ms: number, status: Observed["status"]): Observed => {
    const counters = new Counters();
    counters.accepted = ms;
    counters.handling.record(ms);
    return { counters, peers: { size: ms }, startedAt: new Date(ms), status };
  };
  const sum = sumObserved([observed(20, "listening"), observed(4, "draining")]);
  assertEquals(sum.counters.accepted, 24);
  assertEquals([sum.counters.handling.count, sum.counters.handling.sumMs], [
    2,
    24,
  ]);
  assertEquals(sum.peers.size, 24);
  assertEquals(sum.startedAt, new Date(4));
  assertEquals(sum.status, "draining");
});
