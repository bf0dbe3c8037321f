import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { inOrder } from "../../../src/client/correlation.ts";
import {
  keepConnected,
  type KeepConnectedOptions,
  PersistentClient,
} from "../../../src/client/persistent.ts";
import { RequestTimeoutError } from "../../../src/client/requests.ts";
import type { ClientStatus } from "../../../src/client/status.ts";
import { MAX_UNREAD } from "../../../src/client/unread.ts";
import { EndpointError } from "../../../src/io/endpoint_error.ts";
import { ConnectionEndedError, type Peer } from "../../../src/io/peer.ts";
import { text } from "../../../src/proto/codec/text.ts";
import { LocalProtocolError } from "../../../src/proto/errors.ts";
import { lines } from "../../../src/proto/framing/delimited.ts";
import { serve } from "../../../src/server/serve.ts";
import type { Server } from "../../../src/server/server.ts";
import { VirtualNetwork } from "../../../src/sim/virtual_network.ts";

const wire = lines(text());

/** Registers a test whose time is that of a network. */
function networkTest(
  name: string,
  scenario: (network: VirtualNetwork) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const network = new VirtualNetwork({ seed: 7, link: { latencyMs: 10 } });
    const limitMs = 100 * 3_600_000;
    await network.clock.runUntil(scenario(network), { limitMs });
  });
}

/** Questions end with "?" and are answered by "=" and themselves; the rest is heard. */
function start(
  network: VirtualNetwork,
  message: (peer: Peer<string, string>, line: string) => unknown = (
    peer,
    line,
  ) => line.endsWith("?") && peer.send(`=${line}`),
  host = "server",
): Promise<Server<string, string>> {
  return serve<string, string>({
    ...network.host(host),
    listen: "tcp://0.0.0.0:9999",
    wire,
    handler: { message: (peer, line) => void message(peer, line) },
    limits: { lingerMs: 100 },
  });
}

function optionsFor(
  network: VirtualNetwork,
  options: Partial<KeepConnectedOptions<string, string>> = {},
): KeepConnectedOptions<string, string> {
  return {
    ...network.host("client"),
    to: "tcp://server:9999",
    wire,
    correlate: inOrder((line) => line.startsWith("=")),
    limits: { lingerMs: 100 },
    reconnect: { spreadMs: 100 },
    ...options,
  };
}

function stay(
  network: VirtualNetwork,
  options: Partial<KeepConnectedOptions<string, string>> = {},
): Promise<PersistentClient<string, string>> {
  return keepConnected(optionsFor(network, options));
}

/** Reads statuses up to the first of a type. */
async function until<T extends ClientStatus["type"]>(
  statuses: AsyncGenerator<ClientStatus, void, void>,
  type: T,
): Promise<Extract<ClientStatus, { type: T }>> {
  for (;;) {
    const { value } = await statuses.next();
    assert(value !== undefined, `no status ${type}`);
    if (value.type === type) {
      return value as Extract<ClientStatus, { type: T }>;
    }
  }
}

async function attemptsOf(
  network: VirtualNetwork,
  order: "given" | "random",
): Promise<string[]> {
  const to = ["a", "b", "c", "d"].map((name) => {
    network.host(name);
    return `tcp://${name}:9999`;
  });
  const client = new PersistentClient(optionsFor(network, { to, order }));
  const statuses = client.status();
  await assertRejects(() => client.start(), EndpointError);
  const tried: string[] = [];
  for await (const status of statuses) {
    if (status.type === "failed") tried.push(status.server.slice(6, 7));
  }
  return tried;
}

networkTest(
  "keepConnected() tries servers in the given order, or by chance",
  async (network) => {
    assertEquals(await attemptsOf(network, "given"), ["a", "b", "c", "d"]);
    const orders = new Set<string>();
    for (let run = 0; run < 20; run++) {
      const tried = await attemptsOf(network, "random");
      assertEquals(tried.toSorted(), ["a", "b", "c", "d"]);
      orders.add(tried.join(""));
    }
    assert(orders.size > 5, [...orders].join());
  },
);

networkTest(
  "keepConnected() goes to the next server when one is lost",
  async (network) => {
    await start(network, undefined, "a");
    await start(network, undefined, "b");
    const to = ["tcp://a:9999", "tcp://b:9999"];
    await using client = await stay(network, { to, order: "given" });
    const statuses = client.status();
    assertEquals(client.server, "tcp://a:9999");
    network.host("a").kill();
    assertEquals((await until(statuses, "disconnected")).server, to[0]);
    assertEquals(client.server, undefined);
    assertEquals((await until(statuses, "connected")).server, to[1]);
  },
);

networkTest(
  "keepConnected() learns servers, and passes over what is none",
  async (network) => {
    await start(
      network,
      (peer) => peer.send("servers tcp://b:9999 nonsense:// tcp://b:9999"),
    );
    await start(network, undefined, "b");
    await using client = await stay(network, {
      learnServers: (line) =>
        line.startsWith("servers ") ? line.split(" ").slice(1) : undefined,
    });
    const statuses = client.status();
    client.send("who else?");
    const { added } = await until(statuses, "servers");
    assertEquals(added, ["tcp://b:9999"]);
    network.host("server").kill();
    assertEquals(
      (await until(statuses, "connected")).server,
      "tcp://b:9999",
    );
  },
);

networkTest(
  "keepConnected() gives up after maxAttempts, and says so everywhere",
  async (network) => {
    await start(network);
    const client = await stay(network, { reconnect: { maxAttempts: 3 } });
    const statuses = client.status();
    const waiting = client.receive();
    network.host("server").kill();
    let failed = 0;
    let reason = "";
    for await (const status of statuses) {
      if (status.type === "failed") failed++;
      if (status.type === "closed") reason = status.reason;
    }
    assertEquals([failed, reason], [3, "no connection after 3 attempts"]);
    assertEquals(await waiting, undefined);
    assertEquals(client.ending, { cause: "local closed", reason });
    assert(client.signal.aborted);
    assertEquals(client.send("hello"), false);
    await client.closed;
    await client.close();
    for (const replay of [false, true]) {
      await assertRejects(
        () => client.request("there?", { replay }),
        ConnectionEndedError,
        reason,
      );
    }
    await assertRejects(() => client.drained(), ConnectionEndedError, reason);
  },
);

networkTest(
  "keepConnected() gives up after maxElapsedMs, and when delay says so",
  async (network) => {
    const { clock } = network;
    await start(network);
    const patient = await stay(network, {
      reconnect: { maxElapsedMs: 60_000 },
    });
    const seen: [number, boolean][] = [];
    const told = await stay(network, {
      reconnect: {
        delay: (attempt, error) => {
          seen.push([attempt, error instanceof EndpointError]);
          return attempt < 4 ? attempt * 1000 : undefined;
        },
      },
    });
    const statuses = told.status();
    network.host("server").kill();
    const delays: number[] = [];
    for await (const status of statuses) {
      if (status.type === "reconnecting") delays.push(status.delayMs);
    }
    assertEquals(delays, [1000, 2000, 3000]);
    assertEquals(seen, [[1, false], [2, true], [3, true], [4, true]]);
    const lostMs = clock.now();
    await patient.closed;
    assert(clock.now() - lostMs >= 50_000 && clock.now() - lostMs <= 75_000);
  },
);

networkTest(
  "keepConnected() restores the session first, then what was sent offline, bounded",
  async (network) => {
    const heard: string[] = [];
    const hear = (peer: Peer<string, string>, line: string) => {
      heard.push(line);
      if (line.endsWith("?")) peer.send(`=${line}`);
    };
    await start(network, hear);
    await using client = await stay(network, {
      offlineMessages: 2,
      session: (fresh) => fresh.request("let me in?"),
    });
    const statuses = client.status();
    network.host("server").kill();
    await until(statuses, "reconnecting");
    assertEquals(
      ["one", "two", "three"].map((line) => client.send(line)),
      [true, true, false],
    );
    const asked = client.request("four?", { replay: true });
    heard.length = 0;
    await start(network, hear);
    assertEquals(await asked, "=four?");
    assertEquals(heard, ["let me in?", "one", "two", "four?"]);
  },
);

networkTest(
  "keepConnected() keeps nothing offline unless told to",
  async (network) => {
    await start(network);
    await using client = await stay(network);
    const statuses = client.status();
    network.host("server").kill();
    await until(statuses, "reconnecting");
    assertEquals(client.send("one"), false);
    await assertRejects(
      () => client.request("two?"),
      ConnectionEndedError,
      "reconnecting",
    );
  },
);

networkTest(
  "keepConnected() tells of an offline message that cannot be sent, and goes on",
  async (network) => {
    const heard: string[] = [];
    await start(network);
    await using client = await stay(network, { offlineMessages: 2 });
    const statuses = client.status();
    network.host("server").kill();
    await until(statuses, "reconnecting");
    client.send("two\nlines");
    client.send("one");
    await start(network, (_peer, line) => heard.push(line));
    let failed: unknown;
    do failed = (await until(statuses, "failed")).error; while (
      failed instanceof EndpointError
    );
    assertInstanceOf(failed, LocalProtocolError);
    await until(statuses, "connected");
    await network.clock.sleep(100);
    assertEquals(heard, ["one"]);
  },
);

networkTest(
  "keepConnected() comes back when the server asked for it",
  async (network) => {
    const server = await start(network, (peer) => peer.send("back in 7000"));
    await using client = await stay(network, {
      comeBackInMs: (line) => {
        const ms = /^back in (\d+)$/.exec(line)?.[1];
        return ms === undefined ? undefined : Number(ms);
      },
    });
    const statuses = client.status();
    client.send("hello");
    assertEquals((await until(statuses, "come back")).inMs, 7000);
    await server.close();
    await start(network);
    const { delayMs } = await until(statuses, "reconnecting");
    assertEquals(delayMs, 7000);
    await until(statuses, "connected");
    network.host("server").kill();
    // It is asked for once.
    assert((await until(statuses, "reconnecting")).delayMs <= 100);
  },
);

networkTest(
  "keepConnected() sends heartbeats that tell how long it may be silent",
  async (network) => {
    const { clock } = network;
    const heard: [number, string][] = [];
    const startMs = clock.now();
    await start(network, (peer, line) => {
      heard.push([Math.floor((clock.now() - startMs) / 1000), line]);
      peer.send(`=${line}`);
    });
    await using client = await stay(network, {
      heartbeat: { message: (ttlMs) => `ttl ${ttlMs}` },
    });
    await clock.sleep(50_000);
    assertEquals(heard, [[0, "ttl 40000"], [20, "ttl 40000"], [
      40,
      "ttl 40000",
    ]]);
    assert(client.server !== undefined);
    const statuses = client.status();
    network.partition("client");
    const { ending } = await until(statuses, "disconnected");
    assertEquals(ending.reason, "idle for 40000 ms");
  },
);

networkTest(
  "keepConnected() finds a half-open connection by writing alone",
  async (network) => {
    const { clock } = network;
    await start(network);
    await using client = await stay(network);
    const statuses = client.status();
    network.partition("client");
    const lostMs = clock.now();
    for (let sent = 0; sent < 1000; sent++) client.send("x".repeat(1000));
    const { ending } = await until(statuses, "disconnected");
    assertEquals(ending.reason, "no write progress for 30000 ms");
    assert(clock.now() - lostMs < 32_000);
  },
);

networkTest(
  "keepConnected() leaves a server that accepts and never answers",
  async (network) => {
    const { clock } = network;
    await start(network, () => {}, "mute");
    await start(network);
    const startMs = clock.now();
    await using client = await stay(network, {
      to: ["tcp://mute:9999", "tcp://server:9999"],
      order: "given",
      timeoutMs: 3000,
      session: (fresh) => fresh.request("let me in?"),
    });
    assertEquals(client.server, "tcp://server:9999");
    assert(clock.now() - startMs < 3500);
    // Nor does a session hold it up that looks at nothing of the connection.
    await assertRejects(
      () => stay(network, { timeoutMs: 3000, session: () => clock.sleep(1e6) }),
      ConnectionEndedError,
      "its session was not restored within 3000 ms",
    );
  },
);

networkTest(
  "PersistentClient.drain() waits for answers, and no longer than it may",
  async (network) => {
    const { clock } = network;
    await start(network, async (peer, line) => {
      await clock.sleep(line === "slow?" ? 60_000 : 1000);
      peer.send(`=${line}`);
    });
    const client = await stay(network);
    const asked = client.request("well?");
    await client.drain();
    assertEquals(await asked, "=well?");
    assertEquals(client.ending?.reason, "closed");

    const hasty = await stay(network);
    const slow = assertRejects(
      () => hasty.request("slow?"),
      ConnectionEndedError,
    );
    const startMs = clock.now();
    await hasty.drain(5000);
    await slow;
    assert(clock.now() - startMs < 5500);
  },
);

networkTest(
  "PersistentClient.request() asks again with replay, and answers once",
  async (network) => {
    const heard: string[] = [];
    const host = network.host("server");
    await start(network, (_peer, line) => {
      heard.push(line);
      if (heard.length === 2) host.kill();
    });
    await using client = await stay(network);
    const once = assertRejects(
      () => client.request("once?"),
      ConnectionEndedError,
    );
    let answers = 0;
    const replayed = client.request("again?", { replay: true }).then(
      (answer) => {
        answers++;
        return answer;
      },
    );
    await once;
    await start(network);
    assertEquals(await replayed, "=again?");
    await network.clock.sleep(10_000);
    assertEquals([heard, answers], [["once?", "again?"], 1]);
  },
);

networkTest(
  "PersistentClient.request() with replay ends in time, and when aborted",
  async (network) => {
    const { clock } = network;
    await start(network);
    await using client = await stay(network);
    const statuses = client.status();
    network.host("server").kill();
    await until(statuses, "reconnecting");
    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = assertRejects(
      () => client.request("a?", { replay: true, signal: controller.signal }),
      Error,
      "enough",
    );
    const startMs = clock.now();
    await assertRejects(
      () => client.request("b?", { replay: true, timeoutMs: 5000 }),
      RequestTimeoutError,
    );
    assertEquals(Math.round(clock.now() - startMs), 5000);
    controller.abort(reason);
    await aborted;
  },
);

for (const phase of ["connecting", "session", "waiting"] as const) {
  networkTest(
    `PersistentClient.close() ends at once while ${phase}`,
    async (network) => {
      const { clock } = network;
      await start(network);
      const sessions: number[] = [];
      const client = await stay(network, {
        timeoutMs: 60_000,
        reconnect: { delay: () => phase === "waiting" ? 60_000 : 0 },
        session: async (fresh) => {
          sessions.push(clock.now());
          if (sessions.length > 1) await fresh.request("nobody answers this");
        },
      });
      const statuses = client.status();
      if (phase === "connecting") {
        network.host("server").crash();
        network.reset("client", "server");
      } else network.host("server").kill();
      if (phase === "session") await start(network);
      await until(statuses, "reconnecting");
      await clock.sleep(1000);
      assertEquals(sessions.length, phase === "session" ? 2 : 1);
      const closedMs = clock.now();
      const asked = assertRejects(
        () => client.request("?", { replay: true }),
        ConnectionEndedError,
        "good night",
      );
      await client.close("good night");
      await asked;
      assert(clock.now() - closedMs <= 200, `${clock.now() - closedMs} ms`);
      assertEquals((await until(statuses, "closed")).reason, "good night");
      assertEquals((await statuses.next()).done, true);
      await clock.sleep(120_000);
      assertEquals(client.server, undefined);
      assertEquals(clock.armed, 0, "nothing is left behind");
    },
  );
}

networkTest(
  "keepConnected() connects no more once its signal is aborted",
  async (network) => {
    await start(network);
    const controller = new AbortController();
    const { signal } = controller;
    const client = await stay(network, { signal });
    controller.abort(new Error("stop"));
    assertEquals(await client.request("still there?"), "=still there?");
    network.host("server").kill();
    await client.closed;
    assertEquals(client.ending?.reason, "aborted");
    await assertRejects(() => stay(network, { signal }), Error, "stop");
  },
);

networkTest(
  "keepConnected() stays with a server that closes after each request",
  async (network) => {
    await start(network, (peer, line) => {
      peer.send(`=${line}`);
      void peer.close();
    });
    await using client = await stay(network);
    for (let number = 0; number < 20; number++) {
      const line = `${number}?`;
      assertEquals(await client.request(line, { replay: true }), `=${line}`);
    }
  },
);

networkTest(
  "PersistentClient passes an answer over that nobody waits for",
  async (network) => {
    await start(network, (peer, line) => {
      peer.send(`=${line}`);
      peer.send(`=${line}`);
    });
    await using client = await stay(network);
    assertEquals(await client.request("one?"), "=one?");
    assertEquals(await client.receive(), "=one?");
    assertEquals(await client.request("two?"), "=two?");
  },
);

networkTest(
  "keepConnected() outlives a name service that fails",
  async (network) => {
    const { clock } = network;
    await start(network);
    await using client = await stay(network);
    const statuses = client.status();
    network.names.fail("server");
    network.reset("client", "server");
    const { error } = await until(statuses, "failed");
    assertInstanceOf(error, EndpointError);
    await clock.sleep(30_000);
    assertEquals(client.server, undefined);
    network.names.heal("server");
    await until(statuses, "connected");
    assertEquals(await client.request("there?"), "=there?");
  },
);

networkTest(
  "keepConnected() outlives a clock that jumps, connected or not",
  async (network) => {
    const { clock } = network;
    await start(network);
    await using client = await stay(network, {
      heartbeat: { message: () => "alive?" },
    });
    const statuses = client.status();
    clock.jump(8 * 3_600_000);
    assertEquals(await client.request("there?", { replay: true }), "=there?");
    network.host("server").kill();
    await until(statuses, "reconnecting");
    clock.jump(8 * 3_600_000);
    await start(network);
    assertEquals(
      await client.request("and now?", { replay: true }),
      "=and now?",
    );
  },
);

networkTest(
  "PersistentClient.drained() and send() wait for the next connection when one is ending",
  async (network) => {
    const heard: string[] = [];
    await start(network, (peer) => void peer.close());
    await using client = await stay(network, {
      offlineMessages: 1,
      limits: { lingerMs: 5000 },
    });
    client.send("close");
    while (client.server !== undefined) await network.clock.sleep(1);
    const drained = client.drained();
    assertEquals(client.send("kept"), true);
    network.host("server").kill();
    await start(network, (_peer, line) => heard.push(line));
    await drained;
    await network.clock.sleep(100);
    assertEquals(heard, ["kept"]);
  },
);

networkTest(
  "keepConnected() comes back although nobody reads what was received",
  async (network) => {
    await start(network, (peer) => {
      for (let sent = 0; sent < 2 * MAX_UNREAD; sent++) peer.send(`${sent}`);
    });
    // A client that does not read finds out by writing.
    await using client = await stay(network, {
      heartbeat: { message: () => "alive" },
    });
    const statuses = client.status();
    client.send("talk");
    await network.clock.sleep(1000);
    network.host("server").kill();
    await start(network);
    await until(statuses, "connected");
    assertEquals(await client.receive(), "0");
  },
);
