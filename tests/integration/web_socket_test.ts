import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { constants, deflateRawSync } from "node:zlib";
import {
  bytes,
  connect,
  type Ending,
  EndpointError,
  Group,
  json,
  lengthPrefixed,
  negotiated,
  type Peer,
  serve,
  text,
} from "../../mod.ts";
import {
  BINARY,
  CLOSE,
  closePayload,
  PING,
  PONG,
  rawRequest,
  RawWebSocket,
  TEXT,
} from "../support/raw_web_socket.ts";
import { Recorder } from "../support/recorder.ts";
import { frame, RawClient } from "../support/raw_client.ts";
import { utf8 } from "../support/three_ways.ts";
import { waitUntil, within } from "../support/wait.ts";

const WIRE = lengthPrefixed(text(), { maxFrameBytes: 100_000 });
const ECHO = {
  message: (peer: Peer<string, string>, message: string) => peer.send(message),
};

/** A server at a free port, its events, and how its connections ended. */
async function start(
  options: Partial<Parameters<typeof serve<string, string>>[0]> = {},
) {
  const recorder = new Recorder();
  const server = await serve<string, string>({
    listen: "ws://127.0.0.1:0/chart",
    wire: WIRE,
    handler: ECHO,
    observe: recorder.observe,
    ...options,
  });
  return {
    server,
    recorder,
    to: server.endpoint,
    async ending(): Promise<Ending> {
      await recorder.until("closed", 1);
      return recorder.of("closed")[0]!.ending;
    },
    async refusal(): Promise<string> {
      await recorder.until("handshake failed", 1);
      const failed = recorder.of("handshake failed");
      assertEquals(failed.length, 1, "told once");
      assertEquals(server.counters.accepted, 0);
      return (failed[0]!.error as Error).message;
    },
    [Symbol.asyncDispose]: () => server.abort(),
  };
}

/** A server still serves others. */
async function assertServes(to: string): Promise<void> {
  await using client = await connect({ to, wire: WIRE });
  client.send("still here?");
  assertEquals(await client.receive(), "still here?");
}

// The upgrade

const GOOD = {
  line: "GET /chart HTTP/1.1",
  Host: "chart.example:9980",
  Upgrade: "websocket",
  Connection: "keep-alive, Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

function request(
  changes: Record<string, string | undefined>,
  ...more: string[]
): string {
  const { line, ...fields } = { ...GOOD, ...changes };
  const lines = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}`);
  return [line, ...lines, ...more, "", ""].join("\r\n");
}

const BROKEN: [what: string, text: string, status: number][] = [
  ["a wrong path", request({ line: "GET /other HTTP/1.1" }), 404],
  ["a POST", request({ line: "POST /chart HTTP/1.1" }), 405],
  ["HTTP/1.0", request({ line: "GET /chart HTTP/1.0" }), 505],
  ["another protocol's words", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00", 400],
  ["a length-prefixed message", '\x00\x00\x00\x0f{"type":"ping"}', 400],
  ["an absolute target", request({ line: "GET http://x/chart HTTP/1.1" }), 400],
  ["no host", request({ Host: undefined }), 400],
  ["a second host", request({}, "Host: other.example"), 400],
  ["no version", request({ "Sec-WebSocket-Version": undefined }), 426],
  ["version 8", request({ "Sec-WebSocket-Version": "8" }), 426],
  ["a second version", request({}, "Sec-WebSocket-Version: 8"), 400],
  ["no key", request({ "Sec-WebSocket-Key": undefined }), 400],
  ["a short key", request({ "Sec-WebSocket-Key": "dGhlIHNhbXBsZQ==" }), 400],
  ["a key that is no base64", request({ "Sec-WebSocket-Key": "?" }), 400],
  [
    "a second key",
    request({}, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    400,
  ],
  ["another upgrade", request({ Upgrade: "h2c" }), 426],
  ["no connection token", request({ Connection: "keep-alive" }), 426],
  ["a body", request({}, "Content-Length: 4"), 400],
  ["a chunked body", request({}, "Transfer-Encoding: chunked"), 400],
  ["a wrong origin", request({}, "Origin: https://evil.example"), 403],
  ["the origin of a sandbox", request({}, "Origin: null"), 403],
  [
    "an origin that begins like ours",
    request({}, "Origin: http://chart.example:9980.evil.example"),
    403,
  ],
  ["another port's origin", request({}, "Origin: http://chart.example"), 403],
  ["a bad subprotocol", request({}, "Sec-WebSocket-Protocol: a b"), 400],
  ["a subprotocol twice", request({}, "Sec-WebSocket-Protocol: a, a"), 400],
  ["a field without a colon", request({}, "nonsense"), 400],
  ["a folded field", request({}, " folded"), 400],
  ["a field with a control character", request({}, "X-A: \x01"), 400],
  ["too long a head", request({}, `X-Long: ${"x".repeat(17_000)}`), 431],
];

for (const [what, text, status] of BROKEN) {
  Deno.test(`a ws server refuses an upgrade with ${what}, says why and serves others`, async () => {
    await using harness = await start();
    const answer = await rawRequest(harness.to, text);
    assertStringIncludes(answer, `HTTP/1.1 ${status} `);
    assertStringIncludes(answer, "connection: close");
    if (status === 426) assertStringIncludes(answer, "upgrade: websocket");
    if (what.includes("version") && status === 426) {
      assertStringIncludes(answer, "sec-websocket-version: 13");
    }
    assert((await harness.refusal()).length > 0);
    await assertServes(harness.to);
  });
}

Deno.test("a ws server takes pages of its own host, of named origins, and programs", async () => {
  await using harness = await start({
    webSocket: { origins: ["https://app.example"] },
  });
  const { port } = new URL(harness.to);
  for (
    const line of [
      `Origin: http://127.0.0.1:${port}`,
      "Origin: https://app.example",
      "X-No-Origin: 1",
    ]
  ) {
    using raw = await RawWebSocket.connect(harness.to, line);
    await raw.send({ opcode: TEXT, payload: line });
    assertEquals((await raw.receive())?.payload, utf8(line));
  }
  assertEquals(harness.recorder.of("handshake failed"), []);
});

Deno.test("a ws server gives up on an upgrade that is not done in time", async () => {
  await using harness = await start({ limits: { handshakeMs: 50 } });
  const answer = await rawRequest(harness.to, "GET /chart HTTP/1.1\r\nHost:")
    .catch((error) => {
      assert(error instanceof Deno.errors.ConnectionReset);
      return "";
    });
  assertEquals(answer, "");
  assertStringIncludes(await harness.refusal(), "not done within 50 ms");
});

Deno.test("a ws server stops while upgrades are under way", async () => {
  await using harness = await start();
  const { hostname, port } = new URL(harness.to);
  using conn = await Deno.connect({ hostname, port: Number(port) });
  await conn.write(utf8("GET /chart HTTP/1.1\r\n"));
  // Answered in turn, so the first is being looked at.
  await assertServes(harness.to);
  await within("the end", harness.server.drain());
  const { error } = await harness.recorder.until("handshake failed");
  assertStringIncludes(String(error), "the server shuts down");
});

Deno.test("a ws server chooses a subprotocol, the best of its own", async () => {
  await using harness = await start({
    webSocket: { protocols: ["chart.v2", "chart.v1"] },
  });
  const answer = async (line: string) => {
    using raw = await RawWebSocket.connect(harness.to, line);
    return /sec-websocket-protocol: (.*)/.exec(raw.head)?.[1];
  };
  const field = "Sec-WebSocket-Protocol";
  assertEquals(await answer(`${field}: chart.v1, chart.v2`), "chart.v2");
  assertEquals(await answer(`${field}: chart.v1`), "chart.v1");
  assertEquals(await answer(`${field}: other`), undefined);
});

// Plain HTTP

Deno.test("a ws server answers plain HTTP on the same port", async () => {
  await using harness = await start({
    webSocket: {
      http: ({ url, method }) => {
        const { pathname } = new URL(url);
        if (pathname === "/boom") throw new Error("boom");
        return pathname === "/health"
          ? Response.json({ method }, { headers: { "x-chart": "1" } })
          : new Response("no such page", { status: 404 });
      },
    },
  });
  const base = harness.to.replace("ws:", "http:");
  const health = new URL("/health", base);
  const good = await fetch(health);
  assertEquals(good.headers.get("x-chart"), "1");
  assertEquals(await good.json(), { method: "GET" });
  const head = await fetch(health, { method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
  const absent = await fetch(new URL("/page", base));
  assertEquals([absent.status, await absent.text()], [404, "no such page"]);
  assertEquals(harness.recorder.of("handshake failed"), []);
  const posted = await fetch(health, { method: "POST", body: "x" });
  assertEquals(posted.status, 405);
  await posted.text();
  const failed = await fetch(new URL("/boom", base));
  assertEquals([failed.status, await failed.text()], [
    500,
    "The server failed\n",
  ]);
  await harness.recorder.until("handshake failed", 2);
  assertEquals(
    harness.recorder.of("handshake failed").map(({ error }) =>
      (error as Error).message
    ),
    ["Only GET and HEAD are answered", "boom"],
  );
  assertEquals(harness.server.counters.accepted, 0);
  await assertServes(harness.to);
});

// Bad frames

async function refused(
  options: Parameters<typeof start>[0],
  lines: string[],
  send: (raw: RawWebSocket) => Promise<void>,
): Promise<{ code: number | string; ending: Ending }> {
  await using harness = await start(options);
  using raw = await RawWebSocket.connect(harness.to, ...lines);
  const sending = send(raw).catch(() => {});
  let code: number | string;
  do code = await raw.closeCode(); while (code === `opcode ${PONG}`);
  await sending;
  assertEquals(await raw.receive(), undefined);
  raw.conn.close();
  const ending = await harness.ending();
  const { recorder } = harness;
  const told = recorder.of("invalid").length + recorder.of("limit").length;
  assertEquals(told, 1, "told once");
  await assertServes(harness.to);
  return { code, ending };
}

Deno.test("a ws server refuses a frame that is not masked", async () => {
  const { code, ending } = await refused(
    {},
    [],
    (raw) => raw.send({ opcode: TEXT, payload: "bare", masked: false }),
  );
  assertEquals([code, ending.cause], [1002, "limit"]);
  assertStringIncludes(ending.reason ?? "", "must be masked");
});

Deno.test("a ws server refuses 100 MB by the header alone", async () => {
  const { code, ending } = await refused(
    {},
    [],
    (raw) => raw.send({ opcode: BINARY, length: 100_000_000, payload: "x" }),
  );
  assertEquals(code, 1009);
  assertStringIncludes(ending.reason ?? "", "100000000 bytes, maximum");
});

Deno.test("a ws server refuses lengths that no sender writes", async () => {
  for (const [length, lengthBits] of [[5, 16], [5, 64], [200, 64]] as const) {
    const payload = "x".repeat(length);
    const { code } = await refused(
      {},
      [],
      (raw) => raw.send({ opcode: TEXT, payload, lengthBits }),
    );
    assertEquals(code, 1002);
  }
  const { code } = await refused(
    {},
    [],
    (raw) =>
      raw.write(
        Uint8Array.of(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4),
      ),
  );
  assertEquals(code, 1002);
});

Deno.test("a ws server does not wait for ever for the rest of a frame", async () => {
  const { code, ending } = await refused(
    { limits: { frameMs: 60 } },
    [],
    (raw) => raw.send({ opcode: TEXT, length: 90_000, payload: "endless" }),
  );
  assertEquals([code, ending.cause], [1008, "timed out"]);
  assertStringIncludes(ending.reason ?? "", "not whole within 60 ms");
});

Deno.test("a ws server refuses a second upgrade on the same connection", async () => {
  const { code, ending } = await refused(
    {},
    [],
    (raw) => raw.write(utf8(request({}))),
  );
  assertEquals([code, ending.cause], [1002, "limit"]);
});

Deno.test("a ws server refuses fragments that come to too much", async () => {
  const { code } = await refused({}, [], async (raw) => {
    await raw.send({ opcode: TEXT, fin: false, payload: "x".repeat(60_000) });
    await raw.send({ opcode: 0, fin: false, payload: "x".repeat(60_000) });
  });
  assertEquals(code, 1009);
});

Deno.test("a ws server refuses bad UTF-8 across fragments at once", async () => {
  const { code } = await refused({}, [], async (raw) => {
    await raw.send({ opcode: TEXT, fin: false, payload: Uint8Array.of(0xe2) });
    // The message goes on; nobody waits for that.
    await raw.send({ opcode: 0, fin: false, payload: Uint8Array.of(0x28) });
  });
  assertEquals(code, 1007);
});

const DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate";

function deflated(payload: Uint8Array): Uint8Array {
  const { Z_SYNC_FLUSH: finishFlush } = constants;
  return new Uint8Array(deflateRawSync(payload, { finishFlush }).slice(0, -4));
}

Deno.test("a ws server refuses a compression bomb at the limit of a message", async () => {
  const bomb = deflated(new Uint8Array(50_000_000));
  assertLess(bomb.length, 60_000);
  const { code, ending } = await refused(
    { webSocket: { compress: true } },
    [DEFLATE],
    (raw) => raw.send({ opcode: BINARY, rsv: 4, payload: bomb }),
  );
  assertEquals(code, 1009);
  assertStringIncludes(ending.reason ?? "", "maximum is 100000");
});

Deno.test("a ws server refuses what does not inflate, and compression that was not agreed on", async () => {
  const broken = await refused(
    { webSocket: { compress: true } },
    [DEFLATE],
    (raw) => raw.send({ opcode: BINARY, rsv: 4, payload: "\x07no deflate" }),
  );
  assertEquals(broken.code, 1007);
  const uninvited = await refused(
    {},
    [DEFLATE],
    (raw) =>
      raw.send({ opcode: TEXT, rsv: 4, payload: deflated(utf8("hello")) }),
  );
  assertEquals(uninvited.code, 1002);
  const notText = await refused(
    { webSocket: { compress: true } },
    [DEFLATE],
    (raw) =>
      raw.send({
        opcode: TEXT,
        rsv: 4,
        payload: deflated(Uint8Array.of(0xff)),
      }),
  );
  assertEquals(notText.code, 1007);
});

Deno.test("a ws server cuts off a flood of pings", async () => {
  const { code, ending } = await refused({}, [], async (raw) => {
    const pings = Array(200).fill({ opcode: PING, payload: "flood" });
    await raw.send(...pings);
  });
  assertEquals([code, ending.cause], [1008, "limit"]);
  assertStringIncludes(ending.reason ?? "", "100 control frames per second");
});

Deno.test("a ws server does not wait long for an answer to its Close", async () => {
  await using harness = await start({ limits: { lingerMs: 50 } });
  using raw = await RawWebSocket.connect(harness.to);
  await waitUntil("the peer", () => harness.server.peers.size === 1);
  const [peer] = harness.server.peers;
  const closed = peer!.close("enough");
  const close = await raw.receive();
  assertEquals(close?.payload, closePayload(1000, "enough"));
  await within("the end", closed);
});

Deno.test("a ws server notices a peer that sleeps, and keeps one that answers pings", async () => {
  await using harness = await start({ webSocket: { pingMs: 250 } });
  using asleep = await RawWebSocket.connect(harness.to);
  using awake = await RawWebSocket.connect(harness.to);
  const answering = (async () => {
    for (let pongs = 0; pongs < 3; pongs++) {
      const ping = await awake.receive();
      assertEquals(ping?.opcode, PING);
      await awake.send({ opcode: PONG, payload: ping!.payload });
    }
  })();
  const ending = await harness.ending();
  assertEquals(ending.cause, "timed out");
  assertEquals(ending.reason, "no answer to a ping for 250 ms");
  await answering;
  assertEquals((await asleep.receive())?.opcode, PING);
  assertEquals(harness.server.peers.size, 1);
});

// Ends

Deno.test("a ws server tells why it closes, and is told why its peers do", async () => {
  const cases: [
    (peer: Peer<string, string>) => unknown,
    number,
    string,
  ][] = [
    [(peer) => peer.close("had enough"), 1000, "had enough"],
    [(peer) => peer.close("é".repeat(100)), 1000, "é".repeat(61)],
    [
      () => {
        throw new Error("secret");
      },
      1011,
      "",
    ],
  ];
  for (const [act, code, reason] of cases) {
    await using harness = await start({ handler: { message: act } });
    using raw = await RawWebSocket.connect(harness.to);
    await raw.send({ opcode: TEXT, payload: "go" });
    assertEquals((await raw.receive())?.payload, closePayload(code, reason));
    await raw.send({ opcode: CLOSE, payload: closePayload(code) });
    assertEquals(await raw.receive(), undefined);
    await harness.ending();
  }
  for (
    const [payload, reason] of [
      [closePayload(1000), undefined],
      [new Uint8Array(0), undefined],
      [closePayload(1001), "closed with 1001"],
      [closePayload(4000, "tired"), "closed with 4000: tired"],
    ] as const
  ) {
    await using harness = await start();
    using raw = await RawWebSocket.connect(harness.to);
    await raw.send({ opcode: CLOSE, payload });
    assertEquals((await raw.receive())?.payload, Uint8Array.from(payload));
    const ending = await harness.ending();
    assertEquals(ending, {
      cause: "peer closed",
      ...(reason === undefined ? {} : { reason }),
    });
  }
});

Deno.test("a ws server tells an end without a Close", async () => {
  await using harness = await start();
  using raw = await RawWebSocket.connect(harness.to);
  await waitUntil("the peer", () => harness.server.peers.size === 1);
  raw.conn.close();
  const { cause, reason } = await harness.ending();
  assertEquals([cause, reason], ["peer closed", "without a closing handshake"]);
});

Deno.test("a ws server says 1001 when it drains", async () => {
  await using harness = await start();
  const browser = new WebSocket(harness.to);
  await new Promise((resolve) => browser.onopen = resolve);
  const closed = new Promise<CloseEvent>((resolve) =>
    browser.onclose = resolve
  );
  await harness.server.drain();
  const { code, wasClean } = await within("its close", closed);
  assertEquals([code, wasClean], [1001, true]);
});

// What it carries

Deno.test("a browser's WebSocket and a TCP client share a room, encoded once for each kind", async () => {
  interface Said {
    said: string;
  }
  let encoded = 0;
  const codec = json<Said>();
  const wire = lengthPrefixed({
    ...codec,
    encode: (value: Said, writer: Parameters<typeof codec.encode>[1]) => {
      encoded++;
      codec.encode(value, writer);
    },
  });
  const room = new Group<Said>();
  await using server = await serve({
    listen: ["tcp://127.0.0.1:0", "ws://127.0.0.1:0"],
    wire,
    handler: {
      open: (peer) => room.add(peer),
      message: (_peer, message) => room.broadcast(message),
    },
  });
  const [tcp, ws] = server.endpoints as [string, string];
  const heard: unknown[] = [];
  const browsers = await Promise.all([1, 2, 3].map(async () => {
    const browser = new WebSocket(ws);
    browser.onmessage = ({ data }) => void heard.push(data);
    await new Promise((resolve) => browser.onopen = resolve);
    return browser;
  }));
  using client = await RawClient.connect(tcp);
  await waitUntil("all of them", () => room.size === 4);
  const message = '{"said":"ahoy ⚓"}';
  browsers[0]!.send(message);
  assertEquals(await client.receiveFrame(), utf8(message));
  await waitUntil("all of them", () => heard.length === 3);
  assertEquals(heard, [message, message, message]);
  assertEquals(encoded, 2);
  await client.send(frame(message));
  await waitUntil("all of them", () => heard.length === 6);
  for (const browser of browsers) browser.close();
  await waitUntil("their ends", () => room.size === 1);
});

Deno.test("ws sends bytes as binary messages, and takes either kind", async () => {
  await using server = await serve({
    listen: "ws://127.0.0.1:0",
    wire: lengthPrefixed(bytes()),
    handler: { message: (peer, message) => peer.send(message) },
  });
  using raw = await RawWebSocket.connect(server.endpoint);
  for (const opcode of [TEXT, BINARY]) {
    await raw.send({ opcode, payload: "either" });
    const answer = await raw.receive();
    assertEquals([answer?.opcode, answer?.payload], [BINARY, utf8("either")]);
  }
});

Deno.test("ws compresses what is long enough, when both sides want that", async () => {
  const compress = { thresholdBytes: 100, windowBits: 10 };
  await using harness = await start({ webSocket: { compress } });
  using raw = await RawWebSocket.connect(harness.to, DEFLATE);
  assertStringIncludes(
    raw.head,
    "sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover",
  );
  for (const size of [99, 100, 50_000]) {
    const payload = "x".repeat(size);
    await raw.send({ opcode: TEXT, payload });
    const answer = await raw.receive();
    assertEquals(answer?.rsv, size < 100 ? 0 : 4);
    if (size >= 100) assertLess(answer!.payload.length, 150);
  }
  for (const compress of [true, false]) {
    const webSocket = { compress };
    await using client = await connect({
      to: harness.to,
      wire: WIRE,
      webSocket,
    });
    const message = "way to Lisbon ".repeat(5000);
    client.send(message);
    assertEquals(await client.receive(), message);
  }
  const plain = await serve({
    listen: "ws://127.0.0.1:0",
    wire: WIRE,
    handler: ECHO,
  });
  await using _ = plain;
  using unwanted = await RawWebSocket.connect(plain.endpoint, DEFLATE);
  assertEquals(/extensions/.test(unwanted.head), false);
});

Deno.test("ws is a stream of bytes for a wire that a hello agrees on", async () => {
  const wire = negotiated({
    framing: lengthPrefixed,
    codecs: [json<{ size: number; fill: string }>()],
  });
  await using server = await serve({
    listen: "ws://127.0.0.1:0",
    wire,
    handler: { message: (peer, message) => peer.send(message) },
  });
  await using client = await connect({ to: server.endpoint, wire });
  for (const size of [0, 100, 200_000]) {
    const message = { size, fill: "x".repeat(size) };
    client.send(message);
    assertEquals(await client.receive(), message);
  }
  // A message may carry part of a frame, or several.
  using raw = await RawWebSocket.connect(server.endpoint);
  await raw.send({ opcode: BINARY, payload: "no hello", rsv: 1 });
  assertEquals(await raw.closeCode(), 1002);
});

// The client

Deno.test("a ws client refuses a server that does not upgrade as it must", async () => {
  const accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  const upgrade =
    "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: upgrade";
  const answers: [answer: string, why: string][] = [
    ["HTTP/1.1 404 Not Found", "does not upgrade to WebSocket: HTTP/1.1 404"],
    ["HTTP/1.1 200 OK", "does not upgrade"],
    [`HTTP/1.1 101 OK\r\n${accept}`, "upgrades to something else"],
    [`${upgrade}\r\n${accept}`, "sec-websocket-accept is wrong"],
    ["SSH-2.0-OpenSSH_9.2", "does not upgrade"],
    ["\x00\x00\x00\x02{}", "no HTTP"],
  ];
  for (const [answer, why] of answers) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = (async () => {
      using conn = await listener.accept();
      await conn.read(new Uint8Array(4096));
      await conn.write(utf8(`${answer}\r\n\r\n`));
    })();
    const to = `ws://127.0.0.1:${listener.addr.port}/`;
    await assertRejects(() => connect({ to, wire: WIRE }), EndpointError, why);
    await serving;
  }
});

Deno.test("a ws client refuses extensions and subprotocols that it did not offer", async () => {
  const cases: [string, object, string][] = [
    ["Sec-WebSocket-Protocol: x", {}, "was not offered"],
    [DEFLATE, {}, "was not offered"],
    [DEFLATE, { compress: true }, "keep its window"],
    [
      `${DEFLATE}; server_no_context_takeover; client_max_window_bits=9`,
      { compress: true },
      "not offered so",
    ],
  ];
  for (const [line, webSocket, why] of cases) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = (async () => {
      using _raw = await RawWebSocket.accept(await listener.accept(), line);
    })();
    const to = `ws://127.0.0.1:${listener.addr.port}/`;
    await assertRejects(
      () => connect({ to, wire: WIRE, webSocket }),
      EndpointError,
      why,
    );
    await serving;
  }
});

Deno.test("a ws client gives up in time, and masks each frame anew", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const to = `ws://127.0.0.1:${listener.addr.port}/path?query=1`;
  const silent = listener.accept();
  await assertRejects(
    () => connect({ to, wire: WIRE, timeoutMs: 50 }),
    EndpointError,
    "timed out",
  );
  (await silent).close();
  const connecting = connect({
    to,
    wire: WIRE,
    webSocket: { headers: { authorization: "Bearer sesame" } },
  });
  using raw = await RawWebSocket.accept(await listener.accept());
  assertStringIncludes(raw.head, "GET /path?query=1 HTTP/1.1\r\n");
  assertStringIncludes(raw.head, "authorization: Bearer sesame");
  const client = await connecting;
  for (const _ of [1, 2]) client.send("same words");
  const chunk = new Uint8Array(100);
  assertEquals(await raw.conn.read(chunk), 32);
  assert(chunk.slice(2, 6).join() !== chunk.slice(18, 22).join());
  client.abort();
});

Deno.test("connect() tells of ws what is wrong with the road below", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await assertRejects(
    () => connect({ to: `ws://127.0.0.1:${port}/x`, wire: WIRE }),
    EndpointError,
    `Cannot connect to ws://127.0.0.1:${port}/x: connection refused`,
  ).catch((error) => {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  });
});
