import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Client,
  connect,
  ConnectionEndedError,
  EarlyDataGuard,
  EndpointError,
  type Handler,
  inOrder,
  lines,
  openQuic,
  type QuicConnection,
  type QuicRoad,
  seededRandom,
  serve,
  type ServeOptions,
  type Server,
  text,
} from "../../mod.ts";
import { Recorder } from "../support/recorder.ts";
import { CLIENT_TLS, SERVER_TLS } from "../support/tls.ts";
import { sendUdp, UdpRelay } from "../support/udp_relay.ts";
import { turns, waitUntil, within } from "../support/wait.ts";

const wire = lines(text());
const SHOUT: Handler<string, string> = {
  message: (peer, line) => peer.send(line.toUpperCase()),
};

function start(
  options: Partial<ServeOptions<string, string, undefined>> = {},
): Promise<Server<string, string>> {
  return serve({
    ...SERVER_TLS,
    listen: "quic://127.0.0.1:0",
    wire,
    handler: SHOUT,
    ...options,
  });
}

function dial(to: string, quic = {}): Promise<Client<string>> {
  return connect({ ...CLIENT_TLS, to, quic, wire, correlate: inOrder() });
}

function stream(road: QuicRoad, early = false): Promise<Client<string>> {
  return road.connect({ wire, correlate: inOrder(), early });
}

async function ask(client: Client<string>, question: string): Promise<string> {
  return await within(question, client.request(question));
}

const NO_PREFACE =
  "Cannot read a stream: it must begin with the byte 0: current value is 71";

// Streams

Deno.test("openQuic() opens streams that are connections of their own to the server", async () => {
  await using server = await start();
  await using road = await openQuic({ ...CLIENT_TLS, to: server.endpoint });
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => stream(road)),
  );
  await waitUntil("all of them", () => server.peers.size === 20);
  const answers = clients.map((client, at) => ask(client, `line ${at}`));
  assertEquals(
    await Promise.all(answers),
    clients.map((_, at) => `LINE ${at}`),
  );
  assertEquals(road.streams, 20);
  const [peer] = server.peers;
  assertEquals(peer!.identity, { protocol: "QUICv1", alpn: "portolan" });
  assertEquals(new Set([...server.peers].map((one) => one.address)).size, 1);
  await clients[0]!.close();
  assertEquals(await ask(clients[1]!, "others go on"), "OTHERS GO ON");
  // The end of the connection is the end of its streams.
  road.close(7, "enough");
  for (const client of clients.slice(1)) {
    const { cause } = await within("the end", client.closed);
    assertEquals(cause, "peer closed");
  }
  await waitUntil("the server's ends", () => server.peers.size === 0);
});

Deno.test("serve() speaks first over QUIC, to a client that has said nothing yet", async () => {
  await using server = await start({
    handler: { open: (peer) => void peer.send("welcome"), message() {} },
  });
  await using client = await dial(server.endpoint);
  assertEquals(await within("the welcome", client.receive()), "welcome");
});

Deno.test("Server.resume() listens at the same port while QUIC connections live on", async () => {
  await using server = await start();
  await using client = await dial(server.endpoint);
  await ask(client, "one");
  const { endpoint } = server;
  await server.suspend();
  assertEquals(await ask(client, "still here"), "STILL HERE");
  await assertRejects(() => dial(endpoint), EndpointError, "refused");
  await server.resume();
  assertEquals(server.endpoint, endpoint);
  await using second = await dial(endpoint);
  assertEquals(await ask(second, "two"), "TWO");
  assertEquals(await ask(client, "three"), "THREE");
});

Deno.test("serve() gives the port back once it is closed and nobody is connected", async () => {
  const server = await start();
  const { endpoint } = server;
  const client = await dial(endpoint);
  await ask(client, "x");
  await server.close();
  await client.closed;
  await using second = await start({ listen: endpoint });
  assertEquals(second.endpoint, endpoint);
});

Deno.test("serve() gives the port back after it could not use a bad certificate", async () => {
  const first = await start();
  const { endpoint } = first;
  await first.close();
  await assertRejects(
    () => start({ listen: endpoint, tls: { cert: "", key: "" } }),
    EndpointError,
    "No certificates found",
  );
  await using second = await start({ listen: endpoint });
  assertEquals(second.endpoint, endpoint);
});

Deno.test("connect() over QUIC gives up when a server allows it no stream", async () => {
  const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
  const listener = endpoint.listen({
    ...SERVER_TLS.tls,
    alpnProtocols: ["portolan"],
    maxConcurrentBidirectionalStreams: 0,
  });
  const accepting = listener.accept();
  const { port } = endpoint.addr;
  await assertRejects(
    () =>
      connect({
        ...CLIENT_TLS,
        to: `quic://127.0.0.1:${port}`,
        wire,
        timeoutMs: 200,
      }),
    EndpointError,
    "timed out",
  );
  const conn = await accepting;
  await within("the end", conn.closed);
  endpoint.close();
});

// Loss

Deno.test("streams of one QUIC connection do not wait for each other when packets are lost, messages of one stream do", async () => {
  await using server = await start();
  using relay = new UdpRelay(server.endpoint);
  await using road = await openQuic({ ...CLIENT_TLS, to: relay.endpoint });
  const a = await stream(road);
  const b = await stream(road);
  await ask(a, "x");
  await ask(b, "x");

  /** Loses the packets of a large message on `a`, again and again, and says which were answered meanwhile. */
  async function answeredDuringLoss(other: Client<string>): Promise<string[]> {
    let lost = 0;
    let held = true;
    relay.lose = (packet, direction) => {
      if (!held || direction === "down" || packet.length < 500) return false;
      lost++;
      return true;
    };
    const answered: string[] = [];
    const note = async (name: string, answer: Promise<string>) => {
      await within(name, answer);
      answered.push(name);
    };
    const large = note("large", a.request("a".repeat(900)));
    await waitUntil("the loss", () => lost > 0);
    const small = ["1", "2", "3"].map((name) =>
      note(name, other.request(name))
    );
    if (other === b) await Promise.all(small);
    // Long enough for the other stream to get its answers many times over.
    else await new Promise((resolve) => setTimeout(resolve, 100));
    const meanwhile = [...answered];
    held = false;
    await Promise.all([large, ...small]);
    assertEquals(answered.length, 4);
    return meanwhile;
  }

  assertEquals(await answeredDuringLoss(b), ["1", "2", "3"]);
  assertEquals(await answeredDuringLoss(a), []);
});

Deno.test("connect() over QUIC gets everything through a link that loses a tenth of the packets", async () => {
  const seed = 5;
  const random = seededRandom(seed);
  await using server = await start();
  using relay = new UdpRelay(server.endpoint);
  relay.lose = () => random() < 0.1;
  await using client = await dial(relay.endpoint);
  for (let turn = 0; turn < 60; turn++) {
    const answer = await within(
      `turn ${turn}, seed ${seed}`,
      client.request(`${turn}`),
    );
    assertEquals(answer, `${turn}`);
  }
});

// Datagrams

Deno.test("QuicConnection carries datagrams both ways, and refuses those that are too large", async () => {
  const connections: QuicConnection[] = [];
  await using server = await start({
    quic: {
      async connection(connection) {
        connections.push(connection);
        for (;;) {
          const datagram = await connection.receiveDatagram();
          if (datagram === undefined) break;
          await connection.sendDatagram(datagram.reverse());
        }
      },
    },
  });
  const road = await openQuic({ ...CLIENT_TLS, to: server.endpoint });
  await road.sendDatagram(Uint8Array.of(1, 2, 3));
  const answer = await within("a datagram", road.receiveDatagram());
  assertEquals(answer, Uint8Array.of(3, 2, 1));
  const { maxDatagramBytes } = road;
  assert(maxDatagramBytes >= 1162, `${maxDatagramBytes} bytes`);
  await assertRejects(
    () => road.sendDatagram(new Uint8Array(65_536)),
    RangeError,
    `at most ${road.maxDatagramBytes} bytes: current value is 65536`,
  );
  road.close(9, "bye");
  assertEquals(await connections[0]!.closed, { code: 9, reason: "bye" });
  assertEquals(await road.receiveDatagram(), undefined);
});

// Time and place

Deno.test("keepAliveMs keeps a silent QUIC connection alive, which idleTimeoutMs ends without it", async () => {
  await using server = await start();
  const quic = { idleTimeoutMs: 1000 };
  const mute = await dial(server.endpoint, quic);
  await using alive = await dial(server.endpoint, {
    ...quic,
    keepAliveMs: 100,
  });
  const ending = await within("the end", mute.closed);
  assertEquals(ending.cause, "timed out");
  assertEquals(ending.reason, "no sign of life");
  assertEquals(await ask(alive, "still here"), "STILL HERE");
});

Deno.test("a QUIC client stays connected when its address changes", async () => {
  await using server = await start();
  using relay = new UdpRelay(server.endpoint);
  await using client = await dial(relay.endpoint);
  await ask(client, "one");
  const [peer] = server.peers;
  const { clientAddress } = relay;
  assertEquals(peer!.address, clientAddress);
  for (let move = 0; move < 3; move++) {
    relay.rebind();
    assertEquals(await ask(client, `move ${move}`), `MOVE ${move}`);
  }
  // It is counted under the address that it came with.
  assertEquals(peer!.address, clientAddress);
  assert(relay.clientAddress !== clientAddress);
});

// 0-RTT

Deno.test("EarlyDataGuard acts on idempotent messages before the handshake, on others after it, and on no replay", async () => {
  const handled: string[] = [];
  const guard = new EarlyDataGuard<string>({
    message(peer, line) {
      handled.push(line);
      peer.send(line.toUpperCase());
    },
  }, (line) => line.startsWith("get"));
  await using server = await start({
    handler: guard.handler,
    quic: { earlyData: guard },
  });
  using relay = new UdpRelay(server.endpoint);
  const first = await openQuic({ ...CLIENT_TLS, to: relay.endpoint });
  assertEquals(first.isEarly, false);
  assertEquals(await ask(await stream(first), "get 1"), "GET 1");
  first.close();
  const road = await openQuic({
    ...CLIENT_TLS,
    to: relay.endpoint,
    resume: first,
  });
  assertEquals(road.isEarly, true);
  // Nothing comes back, so the handshake cannot go on.
  let silent = true;
  relay.lose = (_packet, direction) => silent && direction === "down";
  const begin = relay.sent.length;
  const client = await stream(road, true);
  const answers = ["put 2", "get 3"].map((line) => client.request(line));
  const other = await stream(road, true);
  const answer = other.request("get 4");
  await waitUntil("what may be twice", () => handled.includes("get 4"));
  const flight = relay.sent.slice(begin);
  await turns();
  assertEquals(handled, ["get 1", "get 4"]);
  silent = false;
  assertEquals(await Promise.all(answers), ["PUT 2", "GET 3"]);
  assertEquals(await answer, "GET 4");
  assertEquals(handled, ["get 1", "get 4", "put 2", "get 3"]);
  road.close();
  // Whoever has recorded it gets no further: a ticket is good for once.
  await waitUntil("the end", () => server.peers.size === 0);
  for (let replay = 0; replay < 3; replay++) {
    await sendUdp(server.endpoint, flight);
  }
  await using later = await dial(server.endpoint);
  assertEquals(await ask(later, "get 5"), "GET 5");
  assertEquals(handled.slice(4), ["get 5"]);
});

Deno.test("serve() without EarlyDataGuard acts on nothing before the handshake", async () => {
  const handled: string[] = [];
  await using server = await start({
    handler: {
      message(peer, line) {
        handled.push(line);
        peer.send(line);
      },
    },
  });
  using relay = new UdpRelay(server.endpoint);
  const first = await openQuic({ ...CLIENT_TLS, to: relay.endpoint });
  await ask(await stream(first), "get 1");
  first.close();
  let silent = true;
  relay.lose = (_packet, direction) => silent && direction === "down";
  await using road = await openQuic({
    ...CLIENT_TLS,
    to: relay.endpoint,
    resume: first,
  });
  assertEquals(road.isEarly, true);
  const begin = relay.sent.length;
  const client = await stream(road, true);
  const answer = client.request("get 2");
  await waitUntil("a second try", () => relay.sent.length > begin + 1);
  assertEquals(handled, ["get 1"]);
  silent = false;
  assertEquals(await within("the answer", answer), "get 2");
});

Deno.test("a resumed road goes on after its early streams were refused by a server that has lost its tickets", async () => {
  const serveWith = (listen: string, handled: string[]) => {
    const guard = new EarlyDataGuard<string>({
      message(peer, line) {
        handled.push(line);
        peer.send(line);
      },
    }, () => true);
    return start({
      listen,
      handler: guard.handler,
      quic: { earlyData: guard },
    });
  };
  const before = await serveWith("quic://127.0.0.1:0", []);
  using relay = new UdpRelay(before.endpoint);
  const first = await openQuic({ ...CLIENT_TLS, to: relay.endpoint });
  await ask(await stream(first), "get 1");
  first.close();
  await before.close();
  const handled: string[] = [];
  await using after = await serveWith("quic://127.0.0.1:0", handled);
  relay.lead(after.endpoint);
  await using road = await openQuic({
    ...CLIENT_TLS,
    to: relay.endpoint,
    resume: first,
  });
  assertEquals(road.isEarly, true);
  const client = await stream(road, true);
  await assertRejects(() => ask(client, "get 2"), ConnectionEndedError);
  await within("the handshake", road.ready);
  assertEquals(await ask(await stream(road), "get 3"), "get 3");
  assertEquals(handled, ["get 3"]);
});

// Bad input

Deno.test("serve() serves others beside a QUIC peer that opens every stream it may, and one that opens none", async () => {
  const recorder = new Recorder();
  await using server = await start({
    quic: { maxStreams: 10, streamlessMs: 300 },
    observe: recorder.observe,
  });
  const none = await openQuic({ ...CLIENT_TLS, to: server.endpoint });
  await using greedy = await openQuic({ ...CLIENT_TLS, to: server.endpoint });
  await Promise.all(Array.from({ length: 10 }, () => stream(greedy)));
  await assertRejects(
    () => greedy.connect({ wire, timeoutMs: 100 }),
    EndpointError,
    "timed out",
  );
  assertEquals(server.peers.size, 10);
  await using client = await dial(server.endpoint);
  assertEquals(await ask(client, "me too"), "ME TOO");
  assertEquals(await within("its end", none.closed), { code: 0, reason: "" });
  assertEquals(await ask(client, "again"), "AGAIN");
});

Deno.test("serve() refuses QUIC connections over its limit, and takes them again later", async () => {
  await using server = await start({ quic: { maxConnections: 2 } });
  const first = await dial(server.endpoint);
  await using second = await dial(server.endpoint);
  await assertRejects(
    () => dial(server.endpoint),
    EndpointError,
    "refused to accept",
  );
  assertEquals(await ask(second, "x"), "X");
  first.abort();
  for (let tries = 0; tries < 100; tries++) {
    const third = await dial(server.endpoint).catch(() => undefined);
    if (third === undefined) continue;
    assertEquals(await ask(third, "y"), "Y");
    return await third.close();
  }
  throw new Error("Cannot connect although there is room");
});

Deno.test("a QUIC stream that is cut off in the middle ends alone, or with its connection if it was all there was", async () => {
  const recorder = new Recorder();
  await using server = await start({ observe: recorder.observe });
  await using road = await openQuic({ ...CLIENT_TLS, to: server.endpoint });
  const bystander = await stream(road);
  const cut = await road.openStream();
  await cut.write(new TextEncoder().encode("whole\nhal"));
  const into = new Uint8Array(16);
  assertEquals(await cut.read(into), 6);
  cut.close();
  await recorder.until("closed", 1);
  assertEquals(recorder.of("closed")[0]!.ending.cause, "peer closed");
  assertEquals(await ask(bystander, "x"), "X");
  const single = await dial(server.endpoint);
  await ask(single, "y");
  single.abort();
  await recorder.until("closed", 2);
  const { ending } = recorder.of("closed")[1]!;
  assertEquals([ending.cause, ending.reason], ["peer closed", "reset"]);
  assert(String(ending.error).includes("cut off"), String(ending.error));
});

Deno.test("serve() tells once why a QUIC handshake failed, and serves others", async () => {
  const recorder = new Recorder();
  await using server = await start({ observe: recorder.observe });
  const to = server.endpoint;
  const wrong: [string, object, string][] = [
    ["alpn", { tls: { ...CLIENT_TLS.tls, alpn: ["h3"] } }, "known protocol"],
    ["authority", { tls: { caCerts: [] } }, "UnknownIssuer"],
    [
      "name",
      { tls: { ...CLIENT_TLS.tls, serverName: "other.example" } },
      "not valid for name",
    ],
  ];
  for (const [at, [, options, reason]] of wrong.entries()) {
    await assertRejects(
      () => connect({ to, wire, ...options }),
      EndpointError,
      reason,
    );
    await recorder.until("handshake failed", at + 1);
  }
  assertEquals(
    recorder.of("handshake failed").map(({ error }, at) =>
      String(error).includes(wrong[at]![2])
    ),
    [true, true, true],
  );
  await using client = await dial(to);
  assertEquals(await ask(client, "fine"), "FINE");
  assertEquals(recorder.of("handshake failed").length, 3);
});

Deno.test("serve() cuts off who never completes its handshake, tells it once, and serves others", async () => {
  const recorder = new Recorder();
  await using server = await start({
    quic: { handshakeMs: 200 },
    observe: recorder.observe,
  });
  using relay = new UdpRelay(server.endpoint);
  // The server hears the first packet, and is not heard.
  relay.lose = (_packet, direction) =>
    direction === "down" || relay.sent.length > 1;
  const dialling = connect({
    ...CLIENT_TLS,
    to: relay.endpoint,
    wire,
    timeoutMs: 500,
  });
  await using client = await dial(server.endpoint);
  assertEquals(await ask(client, "x"), "X");
  await recorder.until("handshake failed", 1);
  const failure = recorder.of("handshake failed")[0]!;
  assertEquals(
    (failure.error as Error).message,
    "the handshake was not done within 200 ms",
  );
  assertEquals(failure.address, relay.clientAddress);
  await assertRejects(() => dialling, EndpointError, "timed out");
  assertEquals(recorder.of("handshake failed").length, 1);
});

Deno.test("connect() over QUIC trusts no server because another client did, and uses its sockets again", async () => {
  await using server = await start();
  const to = server.endpoint;
  const ports = new Set<string>();
  for (let turn = 0; turn < 10; turn++) {
    await using client = await dial(to);
    await ask(client, "x");
    for (const { address } of server.peers) ports.add(address);
  }
  assertEquals(ports.size, 1);
  // There is a ticket for this server, got by who trusts it.
  await assertRejects(
    () => connect({ to, wire, tls: { caCerts: [] } }),
    EndpointError,
    "UnknownIssuer",
  );
  await assertRejects(
    () =>
      connect({
        to,
        wire,
        tls: { ...CLIENT_TLS.tls, serverName: "other.example" },
      }),
    EndpointError,
    "not valid for name",
  );
});

Deno.test("serve() is not disturbed by UDP packets that are no QUIC", async () => {
  const seed = 3;
  const random = seededRandom(seed);
  const recorder = new Recorder();
  await using server = await start({ observe: recorder.observe });
  await using client = await dial(server.endpoint);
  const noise = Array.from(
    { length: 500 },
    () =>
      Uint8Array.from(
        { length: 1 + Math.floor(random() * 1400) },
        () => random() * 256,
      ),
  );
  await sendUdp(server.endpoint, noise);
  assertEquals(await ask(client, "x"), "X", `seed ${seed}`);
  await using later = await dial(server.endpoint);
  assertEquals(await ask(later, "y"), "Y", `seed ${seed}`);
  assertEquals(recorder.warnings, []);
});

Deno.test("serve() ends a stream that begins with anything but the preface", async () => {
  const recorder = new Recorder();
  await using server = await start({ observe: recorder.observe });
  await using road = await openQuic({ ...CLIENT_TLS, to: server.endpoint });
  await using client = await stream(road);
  const raw = await road.quic.createBidirectionalStream();
  const writer = raw.writable.getWriter();
  await writer.write(new TextEncoder().encode("GET / HTTP/1.1\r\n"));
  await recorder.until("closed", 1);
  assertEquals(recorder.of("closed")[0]!.ending.reason, NO_PREFACE);
  assertEquals(await ask(client, "x"), "X");
});

Deno.test("connect() over QUIC gives up in time where nobody answers, and when it is aborted", async () => {
  const deaf = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  const { port } = deaf.addr as Deno.NetAddr;
  const to = `quic://127.0.0.1:${port}`;
  await assertRejects(
    () => connect({ ...CLIENT_TLS, to, wire, timeoutMs: 100 }),
    EndpointError,
    `Cannot connect to ${to}: timed out`,
  );
  const controller = new AbortController();
  const connecting = connect({
    ...CLIENT_TLS,
    to,
    wire,
    signal: controller.signal,
  });
  controller.abort(new Error("changed my mind"));
  await assertRejects(() => connecting, Error, "changed my mind");
  deaf.close();
});

Deno.test("QUIC requests fail when the road is closed under them", async () => {
  await using server = await start({ handler: { message() {} } });
  const road = await openQuic({ ...CLIENT_TLS, to: server.endpoint });
  const client = await stream(road);
  const answer = client.request("never answered");
  road.close();
  await assertRejects(() => answer, ConnectionEndedError);
  await assertRejects(() => stream(road), EndpointError);
});

Deno.test("quic endpoints say which flag is missing", async () => {
  const program = `
    import { connect, lines, serve, text } from "${new URL(
    "../../mod.ts",
    import.meta.url,
  )}";
    const wire = lines(text());
    const options = { wire, handler: () => {} };
    const tls = { cert: "", key: "" };
    await serve({ ...options, tls, listen: "quic://127.0.0.1:0" })
      .catch((error) => console.log(error.message));
    await connect({ to: "quic://127.0.0.1:9", wire })
      .catch((error) => console.log(error.message));
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "-q", program],
  }).output();
  assertEquals(
    new TextDecoder().decode(stdout),
    "Cannot listen on quic://127.0.0.1:0: QUIC needs the runtime's flag --unstable-net\n" +
      "Cannot connect to quic://127.0.0.1:9: QUIC needs the runtime's flag --unstable-net\n",
  );
});
