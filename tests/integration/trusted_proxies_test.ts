import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  EndpointError,
  lines,
  type Peer,
  serve,
  text,
} from "../../mod.ts";
import { writeProxyHeader } from "../../src/proto/proxy_protocol/write.ts";
import { proxy } from "../../src/proxy/proxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { Recorder } from "../support/recorder.ts";
import { utf8 } from "../support/three_ways.ts";
import { SERVER_TLS } from "../support/tls.ts";
import { waitUntil } from "../support/wait.ts";

const WIRE = lines(text());

const HANDLER = {
  message: (peer: Peer<string, string>) => peer.send(peer.address),
};

function header(hostname: string): Uint8Array {
  return writeProxyHeader({
    version: 2,
    command: "proxy",
    transport: "stream",
    source: { hostname, port: 4242 },
    destination: {
      hostname: hostname.includes(":") ? "2001:db8::1" : "198.51.100.1",
      port: 443,
    },
  });
}

Deno.test("serve() takes a peer's address from a trusted proxy, with or without WebSocket", async () => {
  await using server = await serve({
    listen: ["tcp://127.0.0.1:0", "ws://127.0.0.1:0"],
    wire: WIRE,
    handler: HANDLER,
    trustedProxies: ["127.0.0.1"],
  });
  for (
    const [endpoint, scheme] of [[server.endpoints[0]!, "tcp"], [
      server.endpoints[1]!,
      "ws",
    ]]
  ) {
    await using front = await proxy({
      listen: "tcp://127.0.0.1:0",
      to: {
        to: endpoint!.replace("ws:", "tcp:").replace(/\/$/, ""),
        proxyProtocol: 2,
      },
      // What comes here is told on.
      trustedProxies: ["127.0.0.1"],
    });
    using raw = await RawClient.connect(front.endpoint);
    if (scheme === "tcp") {
      await raw.send(
        new Uint8Array([...header("192.0.2.7"), ...utf8("who\n")]),
      );
      assertEquals(await raw.receive(15), utf8("192.0.2.7:4242\n"));
    } else {
      await raw.send(header("2001:db8::7"));
      await raw.send(utf8(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
      ));
      await waitUntil("the peer", () => server.peers.size === 1);
      const [peer] = server.peers;
      assertEquals(peer?.address, "[2001:db8::7]:4242");
    }
    raw.conn.close();
    await waitUntil("the end", () => server.peers.size === 0);
  }
});

Deno.test("serve() turns away a trusted proxy that sends no header, and believes nobody else", async () => {
  const recorder = new Recorder();
  await using strict = await serve({
    listen: "tcp://127.0.0.1:0",
    wire: WIRE,
    handler: HANDLER,
    trustedProxies: ["127.0.0.0/8"],
    observe: recorder.observe,
  });
  using bare = await RawClient.connect(strict.endpoint);
  await bare.send(utf8("who\n"));
  assertEquals((await bare.receiveAll()).length, 0);
  const { error } = await recorder.until("handshake failed", 1);
  assertStringIncludes(
    String(error),
    "Cannot read PROXY header: there is none",
  );
  await using other = await serve({
    listen: "tcp://127.0.0.1:0",
    wire: WIRE,
    handler: HANDLER,
    trustedProxies: ["192.0.2.0/24"],
  });
  await using client = await connect({ to: other.endpoint, wire: WIRE });
  client.send("PROXY TCP4 192.0.2.7 198.51.100.1 4242 443");
  assertStringIncludes(String(await client.receive()), "127.0.0.1:");
});

Deno.test("serve() counts connections by the source that a proxy tells", async () => {
  const recorder = new Recorder();
  await using server = await serve({
    listen: "tcp://127.0.0.1:0",
    wire: WIRE,
    handler: HANDLER,
    trustedProxies: ["127.0.0.1"],
    limits: { maxConnectionsPerSource: 2 },
    observe: recorder.observe,
  });
  const clients: RawClient[] = [];
  const dial = async (hostname: string) => {
    const client = await RawClient.connect(server.endpoint);
    clients.push(client);
    await client.send(new Uint8Array([...header(hostname), ...utf8("who\n")]));
    return client;
  };
  for (const hostname of ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]) {
    assertEquals((await (await dial(hostname)).receive(4)).length, 4);
  }
  const third = await dial("192.0.2.1");
  assertEquals((await third.receiveAll()).length, 0);
  assertEquals((await recorder.until("refused", 1)).address, "192.0.2.1:4242");
  for (const client of clients) client.conn.close();
  await waitUntil("all ends", () => server.peers.size === 0);
  using again = await dial("192.0.2.1");
  assertEquals((await again.receive(4)).length, 4);
});

Deno.test("serve() refuses to read PROXY headers where it cannot", async () => {
  const error = await assertRejects(
    () =>
      serve({
        listen: "tls://127.0.0.1:0",
        wire: WIRE,
        handler: HANDLER,
        trustedProxies: ["127.0.0.1"],
        ...SERVER_TLS,
      }),
    EndpointError,
  );
  assertStringIncludes(error.message, "PROXY headers");
});
