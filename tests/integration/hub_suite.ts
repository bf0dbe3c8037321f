/**
 * What a client of the hub can rely on, over any road.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import {
  type Hub,
  type HubOptions,
  startHub,
} from "../../scenarios/hub/server.ts";
import { type Heard, HubClient } from "../support/hub_client.ts";
import type { Road } from "../support/roads.ts";
import { waitUntil } from "../support/wait.ts";

/** A hub, and a way to connect to it. */
interface Harness {
  hub: Hub;
  /** Connects a client that the hub has taken in. */
  join(name?: string): Promise<HubClient>;
}

const ISO_REGEXP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** A message without its time, which must be one. */
function timeless({ timestamp, ...message }: Heard): Record<string, unknown> {
  assertMatch(String(timestamp), ISO_REGEXP);
  const agoMs = Date.now() - Date.parse(String(timestamp));
  assert(agoMs > -1000 && agoMs < 60_000, `${timestamp} is not now`);
  return message;
}

/** The code of an error, which must come with words. */
function codeOf({ type, code, message }: Heard): unknown {
  assertEquals(type, "error");
  assertGreater(String(message).length, 0);
  return code;
}

/** Registers the suite for one road. */
export function hubSuite(road: Road): void {
  function hubTest(
    name: string,
    body: (harness: Harness) => Promise<void>,
    options: Partial<HubOptions> = {},
  ): void {
    Deno.test(`hub over ${road.name} ${name}`, async () => {
      await using hub = await startHub({
        ...road.listenOptions,
        ...options,
        listen: road.listen(),
      });
      using clients = new DisposableStack();
      await body({
        hub,
        async join(name) {
          const client = clients.use(
            await HubClient.connect(hub.endpoint, road.connectOptions),
          );
          if (name === undefined) await client.ask({ type: "get_stats" });
          else await client.identify(name);
          return client;
        },
      });
    });
  }

  hubTest("answers a ping with its timestamp as it came", async ({ join }) => {
    const client = await join();
    const timestamps = [1763640000.25, "2026-01-31", null, true, [1], {
      a: {},
    }];
    for (const timestamp of timestamps) {
      const pong = await client.ask({ type: "ping", timestamp });
      const { type, ping_timestamp, pong_timestamp } = pong;
      assertEquals([type, ping_timestamp], ["pong", timestamp]);
      assertMatch(String(pong_timestamp), ISO_REGEXP);
    }
    const bare = await client.ask({ type: "ping" });
    assertEquals(bare["ping_timestamp"], null);
  });

  hubTest("tells a client the address that it sees", async ({ hub, join }) => {
    const client = await join();
    const [peer] = hub.peers;
    const { client_id } = await client.ask({ type: "ping" });
    assertEquals(client_id, peer?.address);
    const { localAddr } = client.raw.conn;
    if ("port" in localAddr) {
      assertStringIncludes(String(client_id), `:${localAddr.port}`);
    }
  });

  hubTest("echoes any content", async ({ join }) => {
    const client = await join();
    const contents = [
      "ahoy",
      "",
      '⚓\u0000\n"\\',
      0,
      -1.5e300,
      false,
      null,
      [],
      {
        "": [{ deep: [1, [2, [3]]] }],
      },
    ];
    for (const content of contents) {
      const echo = await client.ask({ type: "echo", content, timestamp: 1 });
      assertEquals(timeless(echo), {
        type: "echo_response",
        content,
        echoed_by: "Portolan hub",
      });
    }
  });

  hubTest(
    "broadcasts to every other client and counts them",
    async ({ join }) => {
      const [ann, bob, eve] = [
        await join("Ann"),
        await join("Bob"),
        await join(),
      ];
      const sent = await ann.ask({
        type: "broadcast",
        content: { text: "ahoy" },
      });
      assertEquals(timeless(sent), { type: "broadcast_sent", recipients: 2 });
      for (const other of [bob, eve]) {
        assertEquals(timeless(await other.hear()), {
          type: "broadcast",
          content: { text: "ahoy" },
          from: "Ann",
        });
      }
      await eve.ask({ type: "broadcast", content: 1 });
      const { client_id } = await eve.ask({ type: "ping" });
      assertEquals((await ann.hear())["from"], client_id);
      assertEquals((await bob.hear())["from"], client_id);
    },
  );

  hubTest("broadcasts to nobody", async ({ join }) => {
    const client = await join();
    const sent = await client.ask({ type: "broadcast", content: null });
    assertEquals(timeless(sent), { type: "broadcast_sent", recipients: 0 });
  });

  hubTest(
    "keeps the order of broadcasts and direct messages",
    async ({ join }) => {
      const [ann, bob] = [await join("ann"), await join("bob")];
      const numbers = Array.from({ length: 200 }, (_, n) => n);
      await ann.say(
        ...numbers.map((content) =>
          content % 3 === 0
            ? { type: "direct", to: "bob", content }
            : { type: "broadcast", content }
        ),
      );
      const heard = await bob.hearAll(numbers.length);
      assertEquals(
        heard.map(({ content }) => content),
        numbers,
      );
      await ann.hearAll(numbers.length);
    },
  );

  hubTest("tells its figures", async ({ join }) => {
    const [ann] = [await join("ann"), await join()];
    await ann.ask({ type: "join", room: "harbour" });
    const stats = await ann.ask({ type: "get_stats" });
    assertEquals(Object.keys(stats).sort(), [
      "bytes_in",
      "bytes_out",
      "connected_clients",
      "current_time",
      "messages_out",
      "named_clients",
      "rooms",
      "server_start_time",
      "total_connections",
      "total_messages",
      "type",
      "uptime_seconds",
    ]);
    assertEquals(stats["connected_clients"], 2);
    assertEquals(stats["total_connections"], 2);
    assertEquals(stats["named_clients"], 1);
    assertEquals(stats["rooms"], 1);
    assertEquals(stats["total_messages"], 4);
    const { server_start_time, current_time, uptime_seconds } = stats;
    assertMatch(String(server_start_time), ISO_REGEXP);
    assertMatch(String(current_time), ISO_REGEXP);
    const lived = Date.parse(String(current_time)) -
      Date.parse(String(server_start_time));
    assertEquals(uptime_seconds, lived / 1000);
  });

  hubTest("gives a name to one client only", async ({ join }) => {
    const [ann, eve] = [await join(), await join()];
    const { client_id } = await ann.ask({ type: "ping" });
    assertEquals(await ann.identify("Ann"), {
      type: "identified",
      name: "Ann",
      client_id,
    });
    // The same in capitals, and in other code points that look the same.
    for (const name of ["Ann", "ANN", "Ａnn"]) {
      assertEquals(codeOf(await eve.identify(name)), "name_taken");
    }
    assertEquals((await ann.identify("ann"))["type"], "identified");
    assertEquals((await ann.identify("Anna"))["type"], "identified");
    assertEquals((await eve.identify("Ann"))["type"], "identified");
  });

  hubTest("frees the name of a client that is gone", async ({ hub, join }) => {
    const ann = await join("ann");
    ann[Symbol.dispose]();
    await waitUntil("the end of ann", () => hub.peers.size === 0);
    const other = await join();
    assertEquals((await other.identify("ann"))["type"], "identified");
  });

  hubTest("refuses names that are none", async ({ join }) => {
    const client = await join();
    const names = [
      "",
      " ",
      " a",
      "a ",
      "a\nb",
      "a\u202eb",
      "#a",
      "a:1",
      "x".repeat(33),
    ];
    for (const name of names) {
      assertEquals(codeOf(await client.identify(name)), "invalid_name", name);
    }
    for (const name of [undefined, null, 1, ["ann"]]) {
      const answer = await client.ask({ type: "identify", name });
      assertEquals(codeOf(answer), "invalid_message");
    }
    for (const name of ["a", "Ann B.", "_x-1", "Åse", "港", "x".repeat(32)]) {
      assertEquals((await client.identify(name))["name"], name);
    }
  });

  hubTest("lists who is connected", async ({ join }) => {
    const [ann, eve] = [await join("ann"), await join()];
    const ids = [];
    for (const client of [ann, eve]) {
      ids.push((await client.ask({ type: "ping" }))["client_id"]);
    }
    assertEquals(await ann.ask({ type: "list" }), {
      type: "clients",
      clients: [{ client_id: ids[0], name: "ann" }, { client_id: ids[1] }],
      total: 2,
    });
  });

  hubTest("passes direct messages on, by name and by id", async ({ join }) => {
    const [ann, bob] = [await join("Ann"), await join("Bob")];
    const { client_id } = await bob.ask({ type: "ping" });
    for (const to of ["Bob", "bob", client_id]) {
      const sent = await ann.ask({ type: "direct", to, content: [to] });
      assertEquals(timeless(sent), { type: "direct_sent", to });
      assertEquals(timeless(await bob.hear()), {
        type: "direct",
        content: [to],
        from: "Ann",
      });
    }
    for (const to of ["nobody", "203.0.113.1:1", ""]) {
      const answer = await ann.ask({ type: "direct", to, content: 1 });
      assertEquals(codeOf(answer), "no_such_client");
    }
  });

  hubTest("passes messages on in a room, to its members", async ({ join }) => {
    const [ann, bob, eve] = [
      await join("ann"),
      await join("bob"),
      await join("eve"),
    ];
    assertEquals(await ann.ask({ type: "join", room: "Harbour" }), {
      type: "joined",
      room: "Harbour",
      members: 1,
    });
    const joined = await bob.ask({ type: "join", room: "harbour" });
    assertEquals(joined["members"], 2);
    const message = { type: "room_message", room: "Harbour", content: "in" };
    assertEquals(timeless(await ann.ask(message)), {
      type: "room_message_sent",
      room: "Harbour",
      recipients: 1,
    });
    assertEquals(timeless(await bob.hear()), { ...message, from: "ann" });
    assertEquals(codeOf(await eve.ask(message)), "not_in_room");
    const leave = { type: "leave", room: "harbour" };
    assertEquals(codeOf(await eve.ask(leave)), "not_in_room");
    assertEquals(await bob.ask(leave), { type: "left", room: "harbour" });
    assertEquals(codeOf(await bob.ask(leave)), "not_in_room");
    assertEquals((await ann.ask(message))["recipients"], 0);
    assertEquals((await eve.ask({ type: "get_stats" }))["rooms"], 1);
    await ann.ask(leave);
    assertEquals((await eve.ask({ type: "get_stats" }))["rooms"], 0);
  });

  hubTest("joins a room once, and 64 rooms at most", async ({ join }) => {
    const client = await join();
    for (let n = 1; n <= 2; n++) {
      const joined = await client.ask({ type: "join", room: "room 1" });
      assertEquals(joined["members"], 1);
    }
    for (let n = 2; n <= 64; n++) {
      const { type } = await client.ask({ type: "join", room: `room ${n}` });
      assertEquals(type, "joined");
    }
    const answer = await client.ask({ type: "join", room: "room 65" });
    assertEquals(codeOf(answer), "too_many_rooms");
    assertEquals(
      codeOf(await client.ask({ type: "join", room: "no\nname" })),
      "invalid_name",
    );
  });

  hubTest("answers types that a program has registered", async ({ join }) => {
    const client = await join("ann");
    assertEquals(await client.ask({ type: "sum", numbers: [1, 2, 3] }), {
      type: "sum_result",
      total: 6,
    });
    // The slow one is asked first, and answered first.
    await client.say({ type: "later", n: 1 }, { type: "sum", numbers: [] });
    assertEquals(await client.hearAll(2), [
      { type: "later_result", n: 1 },
      { type: "sum_result", total: 0 },
    ]);
    const failed = await client.ask({ type: "sum", numbers: 1 });
    assertEquals(codeOf(failed), "handler_failed");
    await client.say({ type: "quiet" }, { type: "ping" });
    assertEquals((await client.hear())["type"], "pong");
  }, {
    handlers: {
      sum({ numbers }) {
        if (!Array.isArray(numbers)) throw new TypeError("Cannot add");
        return {
          type: "sum_result",
          total: numbers.reduce((a, b) => a + b, 0),
        };
      },
      later: ({ n }) =>
        new Promise((resolve) =>
          setTimeout(() => resolve({ type: "later_result", n }), 5)
        ),
      quiet: () => undefined,
    },
  });

  hubTest(
    "refuses what it does not understand, and goes on",
    async ({ join }) => {
      const client = await join();
      const cases: [unknown, string][] = [
        [{ type: "no_such_type" }, "unknown_type"],
        [{ type: "constructor" }, "unknown_type"],
        [{ type: "pong" }, "unknown_type"],
        [{ type: 1 }, "invalid_message"],
        [{}, "invalid_message"],
        [[], "invalid_message"],
        ["5", "invalid_message"],
        ["null", "invalid_message"],
        ['"ping"', "invalid_message"],
        [{ type: "echo" }, "invalid_message"],
        [{ type: "broadcast" }, "invalid_message"],
        [{ type: "direct", content: 1 }, "invalid_message"],
        [{ type: "direct", to: "ann" }, "invalid_message"],
        [{ type: "join" }, "invalid_message"],
        [{ type: "leave", room: 1 }, "invalid_message"],
        [{ type: "room_message", room: "a" }, "invalid_message"],
        ["", "malformed"],
        ['{"type":"ping"', "malformed"],
        ['{"type":"ping"}}', "malformed"],
        ["\ufeff{}", "malformed"],
        [new Uint8Array([0x22, 0xff, 0x22]), "malformed"],
        [{ type: "ping" }, "pong"],
        ["[".repeat(65) + "]".repeat(65), "too_complex"],
        [`[${"0,".repeat(100_000)}0]`, "too_complex"],
        ['{"type":"ping","__proto__":{}}', "forbidden_key"],
      ];
      for (const [message, code] of cases) {
        const answer = await client.ask(message);
        const shown = JSON.stringify(message)?.slice(0, 40);
        assertEquals(answer["code"] ?? answer.type, code, shown);
      }
      assertEquals((await client.ask({ type: "ping" })).type, "pong");
    },
  );

  hubTest("closes after ten malformed messages in a row", async ({ join }) => {
    const [client, other] = [await join(), await join()];
    const nine = Array.from({ length: 9 }, () => "{no JSON");
    await client.say(...nine, { type: "ping" }, ...nine, { type: "ping" });
    const types = (await client.hearAll(20)).map(({ type }) => type);
    assertEquals(types.filter((type) => type === "pong").length, 2);
    await client.say(...nine, "{no JSON", { type: "ping" });
    const last = await client.rest();
    assertEquals(last.map(codeOf), Array(10).fill("malformed"));
    assertEquals((await other.ask({ type: "ping" })).type, "pong");
  });

  for (
    const [name, header] of [
      ["one byte more than the largest", [0, 0, 4, 1]],
      ["2 GiB", [0x80, 0, 0, 0]],
      ["4 GiB less a byte", [255, 255, 255, 255]],
      ["what HTTP begins with", Array.from(new TextEncoder().encode("GET "))],
    ] as const
  ) {
    hubTest(
      `tells the error of a frame of ${name}, and closes`,
      async ({ join }) => {
        const [client, other] = [await join(), await join()];
        await client.say({ type: "ping" });
        await client.raw.send(new Uint8Array(header));
        const [pong, error, ...rest] = await client.rest();
        assertEquals(pong?.type, "pong");
        assertEquals(codeOf(error!), "frame_too_large");
        assertEquals(rest, []);
        assertEquals((await other.ask({ type: "ping" })).type, "pong");
      },
      { maxFrameBytes: 1024 },
    );
  }

  hubTest("takes a frame of the largest size", async ({ join }) => {
    const client = await join();
    const message = (padding: string) =>
      JSON.stringify({ type: "ping", timestamp: 1, padding });
    const full = message("x".repeat(1024 - message("").length));
    assertEquals(full.length, 1024);
    assertEquals((await client.ask(full)).type, "pong");
  }, { maxFrameBytes: 1024 });

  hubTest(
    "refuses a message whose answer would be too large, and goes on",
    async ({ join }) => {
      const [client, other] = [await join(), await join()];
      for (const type of ["echo", "broadcast"]) {
        const message = (content: string) => JSON.stringify({ type, content });
        const full = message("x".repeat(1024 - message("").length));
        assertEquals(codeOf(await client.ask(full)), "frame_too_large");
      }
      assertEquals((await client.ask({ type: "ping" })).type, "pong");
      assertEquals((await other.ask({ type: "ping" })).type, "pong");
    },
    { maxFrameBytes: 1024 },
  );

  hubTest("answers in order, however the bytes arrive", async ({ join }) => {
    const client = await join();
    const numbers = Array.from({ length: 500 }, (_, n) => n);
    await client.say(...numbers.map((content) => ({ type: "echo", content })));
    const heard = await client.hearAll(numbers.length);
    assertEquals(heard.map(({ content }) => content), numbers);
    const frame = new TextEncoder().encode('\0\0\0\x0f{"type":"ping"}');
    for (const byte of frame) await client.raw.send(new Uint8Array([byte]));
    assertEquals((await client.hear()).type, "pong");
  });

  hubTest(
    "answers all before the end of one that says no more",
    async ({ join }) => {
      const client = await join();
      await client.say({ type: "echo", content: 1 }, {
        type: "echo",
        content: 2,
      });
      await client.raw.closeWrite();
      const contents = (await client.rest()).map(({ content }) => content);
      assertEquals(contents, [1, 2]);
    },
  );

  hubTest("tells a slow reader of the gap", async ({ hub, join }) => {
    const [ann, slow] = [await join("ann"), await join("slow")];
    const [, reader] = hub.peers;
    let sent = 0;
    const broadcast = () =>
      ann.ask({
        type: "broadcast",
        content: `${++sent} ${"x".repeat(64 * 1024)}`,
      });
    // The buffers of the system hold some megabytes before anybody is slow.
    while (!reader!.isSlow) await broadcast();
    assertEquals(
      codeOf(await ann.ask({ type: "direct", to: "slow", content: 1 })),
      "recipient_slow",
    );
    // And the hub holds a megabyte for each.
    for (let n = 0; n < 40; n++) await broadcast();
    await ann.ask({ type: "broadcast", content: "last" });
    let [heard, missing] = [0, 0];
    for (;;) {
      const { type, missed, content } = await slow.hear();
      if (content === "last") break;
      if (type === "gap") missing += Number(missed);
      else assertEquals(parseInt(String(content)), ++heard + missing);
    }
    assertEquals(heard + missing, sent);
    assertGreater(missing, 0);
    assertEquals(hub.counters.skipped, missing);
    assertEquals((await slow.ask({ type: "ping" })).type, "pong");
  });

  hubTest("says when to come back before it drains", async ({ hub, join }) => {
    const clients = [await join("ann"), await join()];
    const drained = hub.drain({ comeBackWithinMs: 2000 });
    for (const client of clients) {
      const [goodbye, ...rest] = await client.rest();
      assertEquals(goodbye?.type, "going_away");
      const ms = Number(goodbye?.["come_back_in_ms"]);
      assert(Number.isInteger(ms) && ms >= 0 && ms <= 2000, `${ms}`);
      assertEquals(rest, []);
      client[Symbol.dispose]();
    }
    await drained;
  });

  hubTest(
    "answers what it received before it drains",
    async ({ hub, join }) => {
      const client = await join();
      const before = hub.counters.messagesIn;
      await client.say({ type: "later" }, { type: "echo", content: 1 });
      await waitUntil("a message", () => hub.counters.messagesIn > before);
      const drained = hub.drain();
      const types = (await client.rest()).map(({ type }) => type);
      client[Symbol.dispose]();
      await drained;
      assertEquals(types.sort(), [
        "echo_response",
        "going_away",
        "later_result",
      ]);
    },
    {
      handlers: {
        later: () =>
          new Promise((resolve) =>
            setTimeout(() => resolve({ type: "later_result" }), 20)
          ),
      },
    },
  );

  hubTest("says that it is full", async ({ hub, join }) => {
    const [ann] = [await join("ann"), await join()];
    using refused = await HubClient.connect(hub.endpoint, road.connectOptions);
    const [error, ...rest] = await refused.rest();
    assertEquals(codeOf(error!), "too_many_connections");
    assertEquals(rest, []);
    ann[Symbol.dispose]();
    await waitUntil("room", () => hub.peers.size === 1);
    await join("ann");
  }, { limits: { maxConnections: 2 } });

  hubTest("cuts off who is silent for too long", async ({ join }) => {
    const client = await join();
    assertEquals(await client.rest(), []);
  }, { limits: { idleMs: 250 } });
}
