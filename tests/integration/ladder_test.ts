import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Client,
  connect,
  EndpointError,
  inOrder,
  keepConnected,
  ladder,
  type LadderOptions,
  lines,
  networkByAddresses,
  serve,
  text,
  VirtualNetwork,
} from "../../mod.ts";
import type { Conn, Transport } from "../../src/io/transport.ts";
import { systemTransports, type Transports } from "../../src/io/transports.ts";
import { memoryPair } from "../../src/io/memory.ts";
import { VirtualClock } from "../../src/sim/virtual_clock.ts";
import { CLIENT_TLS, SERVER_TLS } from "../support/tls.ts";
import { UdpRelay } from "../support/udp_relay.ts";
import { turns, waitUntil, within } from "../support/wait.ts";

const wire = lines(text());
const [QUIC, TLS, WSS] = [
  "quic://hub.example:443",
  "tls://hub.example:9443",
  "wss://hub.example:443",
];

/** Roads that take as long as a test says, and note what happens to them. */
class Roads {
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly #startMs = this.clock.now();
  /** Milliseconds until a road stands; negative, until it fails; not there: never. */
  takesMs: Partial<Record<"quic" | "tls" | "wss", number>> = {};

  /** Milliseconds since the start. */
  get nowMs(): number {
    return this.clock.now() - this.#startMs;
  }

  ladder(options: Partial<LadderOptions> = {}): ReturnType<typeof ladder> {
    const transports: Transports = { ...systemTransports };
    for (const scheme of ["quic", "tls", "wss"] as const) {
      transports[scheme] = this.#road(scheme);
    }
    return ladder({
      roads: [QUIC!, TLS!, WSS!],
      clock: this.clock,
      network: () => "home",
      transports,
      ...options,
    });
  }

  #road(scheme: "quic" | "tls" | "wss"): Transport {
    const note = (what: string) =>
      void this.log.push(`${this.nowMs} ${scheme} ${what}`);
    return {
      listen: () => {
        throw new TypeError("Cannot listen");
      },
      connect: async (endpoint, { signal }): Promise<Conn> => {
        note("begins");
        const takesMs = this.takesMs[scheme];
        signal?.addEventListener("abort", () => note("is told to stop"));
        if (takesMs === undefined) return await new Promise(() => {});
        await this.clock.sleep(Math.abs(takesMs));
        if (takesMs < 0) {
          throw new EndpointError("connect to", endpoint, "refused");
        }
        const [conn] = memoryPair(scheme);
        const close = conn.close.bind(conn);
        conn.close = () => {
          note("is closed");
          close();
        };
        return conn;
      },
    };
  }

  connect(roads: ReturnType<typeof ladder>): Promise<Client<string>> {
    return this.clock.runUntil(connect({ ...roads, wire }));
  }
}

Deno.test("ladder() takes the first road alone if it stands within its head start", async () => {
  const roads = new Roads();
  roads.takesMs = { quic: 249, tls: 1, wss: 1 };
  const way = roads.ladder();
  await roads.connect(way);
  assertEquals(way.winner(), QUIC);
  assertEquals(roads.log.filter((line) => line.endsWith("begins")), [
    "0 quic begins",
  ]);
});

Deno.test("ladder() tries the next road beside a slow one, and closes the loser", async () => {
  const roads = new Roads();
  roads.takesMs = { quic: 400, tls: 100 };
  const way = roads.ladder();
  await roads.connect(way);
  assertEquals(way.winner(), TLS);
  assertEquals(roads.nowMs, 350);
  await roads.clock.runUntil(roads.clock.sleep(1000));
  assertEquals(roads.log, [
    "0 quic begins",
    "250 tls begins",
    "350 quic is told to stop",
    "400 quic is closed",
  ]);
});

Deno.test("ladder() does not wait for a head start when a road has failed", async () => {
  const roads = new Roads();
  roads.takesMs = { quic: -5, tls: -5, wss: 20 };
  const way = roads.ladder();
  await roads.connect(way);
  assertEquals([way.winner(), roads.nowMs], [WSS, 30]);
});

Deno.test("ladder() begins with the road that won last in this network, for ten minutes", async () => {
  const roads = new Roads();
  let network = "home";
  const way = roads.ladder({ network: () => network });
  const begun = async () => {
    roads.log.length = 0;
    await roads.connect(way);
    return roads.log.filter((line) => line.endsWith("begins"))
      .map((line) => line.split(" ")[1]);
  };
  roads.takesMs = { quic: -1, tls: 100, wss: 100 };
  assertEquals(await begun(), ["quic", "tls"]);
  roads.takesMs = { quic: 1, tls: 100, wss: 100 };
  assertEquals(await begun(), ["tls"]);
  network = "office";
  assertEquals(await begun(), ["quic"]);
  network = "home";
  assertEquals(await begun(), ["tls"]);
  await roads.clock.runUntil(roads.clock.sleep(600_000));
  assertEquals(await begun(), ["quic"]);
});

Deno.test("ladder() keeps winners in a store that is given", async () => {
  const roads = new Roads();
  roads.takesMs = { tls: 1, wss: 1 };
  const kept = new Map<string, string>();
  const store = {
    recall: (network: string) => Promise.resolve(kept.get(network)),
    remember: (network: string, road: string) => kept.set(network, road),
  };
  await roads.connect(roads.ladder({ store }));
  assertEquals([...kept], [["home", TLS]]);
  kept.set("home", WSS!);
  const way = roads.ladder({ store });
  await roads.connect(way);
  assertEquals(way.winner(), WSS);
  kept.set("home", "tls://gone.example:1");
  await roads.connect(way);
  assertEquals(kept.get("home"), TLS);
});

Deno.test("ladder() says why each road failed", async () => {
  const roads = new Roads();
  roads.takesMs = { quic: -1, tls: -2, wss: -3 };
  const error = await assertRejects(
    () => roads.connect(roads.ladder()),
    EndpointError,
  );
  assertEquals(
    error.message,
    `Cannot connect to ${QUIC}: ${QUIC}: refused; ${TLS}: refused; ${WSS}: refused`,
  );
  assert((error.cause as AggregateError).errors.length === 3);
});

Deno.test("ladder() stops all roads when it takes too long or is aborted", async () => {
  const roads = new Roads();
  const way = roads.ladder();
  await assertRejects(
    () => roads.clock.runUntil(connect({ ...way, wire, timeoutMs: 400 })),
    EndpointError,
    "timed out",
  );
  assertEquals(roads.log, [
    "0 quic begins",
    "250 tls begins",
    "400 quic is told to stop",
    "400 tls is told to stop",
  ]);
  const controller = new AbortController();
  const connecting = connect({ ...way, wire, signal: controller.signal });
  await turns();
  controller.abort(new Error("enough"));
  await assertRejects(() => connecting, Error, "enough");
});

Deno.test("ladder() refuses to be without a road", () => {
  let message = "";
  try {
    ladder({ roads: [] });
  } catch (error) {
    message = String(error);
  }
  assertEquals(
    message,
    "TypeError: Cannot make a ladder: 'roads' must name an endpoint: current value is []",
  );
});

Deno.test("keepConnected() climbs the ladder again when its road is lost, in one session", async () => {
  const network = new VirtualNetwork({ seed: 4, link: { latencyMs: 20 } });
  const { clock } = network;
  const handler = {
    message: (
      peer: { send(line: string): void; endpoint: string },
      line: string,
    ) => peer.send(`${line} by ${peer.endpoint.split(":")[2]}`),
  };
  const start = (port: number) =>
    serve({
      ...network.host("server"),
      listen: `tcp://0.0.0.0:${port}`,
      wire,
      handler,
    });
  const first = await start(1111);
  await start(2222);
  await clock.runUntil((async () => {
    const roads = ladder({
      ...network.host("client"),
      roads: ["tcp://server:1111", "tcp://server:2222"],
      network: () => "",
    });
    const logins: string[] = [];
    const client = await keepConnected({
      ...network.host("client"),
      ...roads,
      wire,
      correlate: inOrder(),
      reconnect: { spreadMs: 10, minMs: 10 },
      session: async (client) =>
        void logins.push(await client.request("login")),
    });
    assertEquals(await client.request("one"), "one by 1111");
    await first.close();
    const answer = await client.request("two", { replay: true });
    assertEquals(answer, "two by 2222");
    assertEquals(logins, ["login by 1111", "login by 2222"]);
    assertEquals(roads.winner(), "tcp://server:2222");
    await client.close();
  })());
});

Deno.test("ladder() takes QUIC where UDP gets through, TLS where it does not, for one and the same handler", async () => {
  await using server = await serve({
    ...SERVER_TLS,
    listen: ["quic://127.0.0.1:0", "tls://127.0.0.1:0"],
    wire,
    handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
  });
  const [quic, tls] = server.endpoints;
  using relay = new UdpRelay(quic!);
  const roads = ladder({
    roads: [relay.endpoint, tls!],
    headStartMs: 2000,
    network: () => "cable",
  });
  const ask = async () => {
    await using client = await connect({
      ...roads,
      ...CLIENT_TLS,
      wire,
      correlate: inOrder(),
    });
    return await within("the answer", client.request("ahoy"));
  };
  assertEquals(await ask(), "AHOY");
  assertEquals(roads.winner(), relay.endpoint);
  // A firewall that lets no UDP through.
  relay.lose = () => true;
  const blocked = ladder({
    roads: [relay.endpoint, tls!],
    headStartMs: 50,
    network: () => "hotel",
  });
  await using client = await keepConnected({
    ...blocked,
    ...CLIENT_TLS,
    wire,
    correlate: inOrder(),
  });
  assertEquals(await within("the answer", client.request("ahoy")), "AHOY");
  assertEquals(blocked.winner(), tls);
  await waitUntil("the rest", () => server.peers.size === 1);
});

Deno.test("ladder() takes wss where nothing but the web gets through, with the same messages", async () => {
  await using server = await serve({
    ...SERVER_TLS,
    listen: "wss://127.0.0.1:0/hub",
    wire,
    handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
  });
  const deaf = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  const { port } = deaf.addr as Deno.NetAddr;
  const roads = ladder({
    roads: [
      `quic://127.0.0.1:${port}`,
      `tls://127.0.0.1:${port}`,
      server.endpoint,
    ],
    headStartMs: 20,
    network: () => "",
  });
  await using client = await connect({
    ...roads,
    ...CLIENT_TLS,
    wire,
    correlate: inOrder(),
  });
  assertEquals(await within("the answer", client.request("ahoy")), "AHOY");
  assertEquals(roads.winner(), server.endpoint);
  deaf.close();
});

Deno.test("ladder() passes over a QUIC road that lacks what is asked for", async () => {
  await using server = await serve({
    ...SERVER_TLS,
    listen: ["quic://127.0.0.1:0", "tls://127.0.0.1:0"],
    wire,
    handler: { message: (peer, line) => peer.send(line) },
  });
  const roads = ladder({ roads: server.endpoints, network: () => "" });
  const { cert, key } = SERVER_TLS.tls;
  await using client = await connect({
    ...roads,
    tls: { ...CLIENT_TLS.tls, cert, key },
    wire,
    correlate: inOrder(),
  });
  assertEquals(await within("the answer", client.request("x")), "x");
  assertEquals(roads.winner(), server.endpoints[1]);
});

Deno.test("networkByAddresses() is one network without permission", () => {
  assertEquals(networkByAddresses(), "");
});
