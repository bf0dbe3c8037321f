/**
 * What clients of several hubs can rely on, whatever joins the hubs.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Backplane } from "../../scenarios/hub/backplane.ts";
import { type HubOptions, startHub } from "../../scenarios/hub/server.ts";
import { HubClient } from "../support/hub_client.ts";
import { untilHubs } from "../support/hub_cluster.ts";
import { waitUntil } from "../support/wait.ts";

/** Clients of two hubs; `join(0)` connects one to the first. */
interface Harness {
  join(hub: 0 | 1, name?: string): Promise<HubClient>;
  hubs: Awaited<ReturnType<typeof startHub>>[];
}

/** Registers the suite for one kind of backplane. */
export function hubClusterSuite(
  kind: string,
  connect: (stack: AsyncDisposableStack) => Promise<Backplane[]>,
  ignore = false,
): void {
  function clusterTest(
    name: string,
    body: (harness: Harness) => Promise<void>,
    options: Partial<HubOptions> = {},
  ): void {
    Deno.test({
      name: `hubs over ${kind} ${name}`,
      ignore,
      async fn() {
        await using stack = new AsyncDisposableStack();
        const backplanes = await connect(stack);
        const hubs = await Promise.all(
          backplanes.map((backplane) =>
            startHub({ ...options, listen: "tcp://127.0.0.1:0", backplane })
          ),
        );
        for (const hub of hubs) stack.use(hub);
        using clients = new DisposableStack();
        await body({
          hubs,
          async join(hub, name) {
            const client = clients.use(
              await HubClient.connect(hubs[hub]!.endpoint),
            );
            if (name === undefined) await client.ask({ type: "ping" });
            else await client.identify(name);
            return client;
          },
        });
      },
    });
  }

  clusterTest("give a name to one client only", async ({ join, hubs }) => {
    const [ann, eve] = [await join(0, "Ann"), await join(1)];
    for (const name of ["Ann", "ANN"]) {
      assertEquals((await eve.identify(name))["code"], "name_taken");
    }
    assertEquals((await ann.identify("ann"))["type"], "identified");
    assertEquals((await ann.identify("Anna"))["type"], "identified");
    assertEquals((await eve.identify("Ann"))["type"], "identified");
    ann[Symbol.dispose]();
    await waitUntil("the end of Anna", () => hubs[0]!.peers.size === 0);
    assertEquals((await eve.identify("Anna"))["type"], "identified");
    // A name that both want at once goes to one of them.
    const bob = await join(0);
    const answers = await Promise.all([
      bob.identify("Bob"),
      eve.identify("Bob"),
    ]);
    assertEquals(answers.map(({ type }) => type).sort(), [
      "error",
      "identified",
    ]);
  });

  clusterTest("give every client an id of its own", async ({ join, hubs }) => {
    const clients = [await join(0), await join(1)];
    const ids = [];
    for (const [index, client] of clients.entries()) {
      const { client_id } = await client.ask({ type: "ping" });
      const [peer] = hubs[index]!.peers;
      assert(String(client_id).startsWith(`${peer!.address}@`));
      ids.push(client_id);
    }
    assert(ids[0] !== ids[1]);
  });

  clusterTest("broadcast to all and count all", async ({ join }) => {
    const clients = [
      await join(0, "ann"),
      await join(0),
      await join(1, "bob"),
      await join(1),
    ];
    const [ann, , bob] = clients;
    for (const sender of [ann!, bob!]) {
      const sent = await sender.ask({ type: "broadcast", content: "ahoy" });
      assertEquals([sent.type, sent["recipients"], sent["partial"]], [
        "broadcast_sent",
        3,
        undefined,
      ]);
      for (const other of clients.filter((client) => client !== sender)) {
        const { type, content, from, timestamp } = await other.hear();
        assertEquals([type, content], ["broadcast", "ahoy"]);
        assertEquals(from, sender === ann ? "ann" : "bob");
        assertEquals(timestamp, sent["timestamp"]);
      }
    }
  });

  clusterTest("pass on direct messages by name and id", async ({ join }) => {
    const [ann, bob] = [await join(0, "ann"), await join(1, "bob")];
    const { client_id } = await bob.ask({ type: "ping" });
    for (const to of ["bob", "BOB", client_id]) {
      const sent = await ann.ask({ type: "direct", to, content: [to] });
      assertEquals([sent.type, sent["to"]], ["direct_sent", to]);
      const { type, content, from } = await bob.hear();
      assertEquals([type, content, from], ["direct", [to], "ann"]);
    }
    const answer = await ann.ask({ type: "direct", to: "eve", content: 1 });
    assertEquals(answer["code"], "no_such_client");
  });

  clusterTest("share rooms", async ({ join }) => {
    const [ann, bob, eve] = [
      await join(0, "ann"),
      await join(1, "bob"),
      await join(1, "eve"),
    ];
    const enter = { type: "join", room: "Harbour" };
    assertEquals((await ann.ask(enter))["members"], 1);
    assertEquals((await bob.ask(enter))["members"], 2);
    const message = { type: "room_message", room: "harbour", content: "in" };
    assertEquals((await ann.ask(message))["recipients"], 1);
    const { type, content, from } = await bob.hear();
    assertEquals([type, content, from], ["room_message", "in", "ann"]);
    assertEquals((await eve.ask(message))["code"], "not_in_room");
    assertEquals((await eve.ask({ type: "get_stats" }))["rooms"], 1);
    await bob.ask({ type: "leave", room: "harbour" });
    assertEquals((await ann.ask(message))["recipients"], 0);
  });

  clusterTest("list and count the clients of all", async ({ join }) => {
    const [ann, bob] = [
      await join(0, "ann"),
      await join(1, "bob"),
      await join(1),
    ];
    for (const client of [ann, bob]) {
      const { clients, total } = await client.ask({ type: "list" });
      const names = (clients as { name?: string }[]).map(({ name }) => name);
      assertEquals(names.sort(), ["ann", "bob", undefined]);
      assertEquals(total, 3);
      const stats = await client.ask({ type: "get_stats" });
      assertEquals(stats["connected_clients"], 3);
      assertEquals(stats["named_clients"], 2);
      assertEquals(stats["total_connections"], 3);
      assertEquals([stats["hubs"], stats["partial"]], [2, undefined]);
    }
  });

  clusterTest(
    "answer in the order of requests, and deliver in the order of sending",
    async ({ join }) => {
      const [ann, bob] = [await join(0, "ann"), await join(1, "bob")];
      const requests = Array.from({ length: 2000 }, (_, content) => {
        switch (content % 4) {
          case 0:
            return { type: "broadcast", content };
          case 1:
            return { type: "echo", content };
          case 2:
            return { type: "direct", to: "bob", content };
          default:
            return { type: "ping", timestamp: content };
        }
      });
      await ann.say(...requests);
      const answers = await ann.hearAll(requests.length);
      assertEquals(
        answers.map(({ type }) => type),
        requests.map(({ type }) =>
          ({
            broadcast: "broadcast_sent",
            echo: "echo_response",
            direct: "direct_sent",
            ping: "pong",
          })[type]
        ),
      );
      const heard = await bob.hearAll(requests.length / 2);
      assertEquals(
        heard.map(({ content }) => content),
        requests.flatMap(({ content }) =>
          content !== undefined && content % 2 === 0 ? [content] : []
        ),
      );
    },
  );

  clusterTest(
    "answer all before the end of one that says no more",
    async ({ join }) => {
      const ann = await join(0);
      await ann.say(
        { type: "broadcast", content: 1 },
        { type: "echo", content: 2 },
        { type: "get_stats" },
      );
      await ann.raw.closeWrite();
      const types = (await ann.rest()).map(({ type }) => type);
      assertEquals(types, ["broadcast_sent", "echo_response", "server_stats"]);
    },
  );

  clusterTest("answer what they received before a drain", async (harness) => {
    const { join, hubs: [hub] } = harness;
    const ann = await join(0);
    const before = hub!.counters.messagesIn;
    await ann.say({ type: "broadcast", content: 1 }, { type: "get_stats" });
    await waitUntil("both", () => hub!.counters.messagesIn === before + 2);
    const drained = hub!.drain();
    const types = (await ann.rest()).map(({ type }) => type);
    assertEquals(types.sort(), [
      "broadcast_sent",
      "going_away",
      "server_stats",
    ]);
    ann[Symbol.dispose]();
    await drained;
    const bob = await join(1);
    await untilHubs(bob, 1);
  });

  clusterTest("tell that a recipient elsewhere is slow", async (harness) => {
    const { join, hubs } = harness;
    const [ann] = [await join(0, "ann"), await join(1, "slow")];
    const [reader] = hubs[1]!.peers;
    const content = "x".repeat(64 * 1024);
    while (!reader!.isSlow) await ann.ask({ type: "broadcast", content });
    const answer = await ann.ask({ type: "direct", to: "slow", content: 1 });
    assertEquals(answer["code"], "recipient_slow");
  });
}
