import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lines } from "../../src/proto/framing/delimited.ts";
import { serve } from "../../src/server/serve.ts";
import { Recorder } from "../support/recorder.ts";
import {
  CLIENT_TLS,
  MUTUAL_CLIENT_TLS,
  MUTUAL_SERVER_TLS,
  pem,
  SERVER_TLS,
} from "../support/tls.ts";
import { waitUntil } from "../support/wait.ts";

const WIRE = lines(text());
const OTHER = { cert: pem("wrong_name"), key: pem("key") };
const handler = {
  message: (peer: { send(line: string): unknown }, line: string) =>
    peer.send(line),
};

for (const engine of ["native", "node"] as const) {
  Deno.test(`${engine}: renewTls() shows another certificate and loses no connection`, async () => {
    const recorder = new Recorder();
    await using server = await serve({
      listen: "tls://127.0.0.1:0",
      wire: WIRE,
      handler,
      observe: recorder.observe,
      tls: { ...SERVER_TLS.tls, engine },
    });
    const subject = async (serverName: string) => {
      await using client = await connect({
        to: server.endpoint,
        wire: WIRE,
        tls: {
          caCerts: CLIENT_TLS.tls.caCerts,
          engine: "node",
          serverName,
        },
      });
      return client.identity?.certificate?.commonName;
    };
    assertEquals(await subject("localhost"), "localhost");
    await using standing = await connect({
      to: server.endpoint,
      wire: WIRE,
      ...CLIENT_TLS,
    });

    // Clients come without a pause, from elsewhere, and none of them may fail; the native engine may reset one that
    // comes in the very moment in which a listener gives way to the next.
    const url = new URL("../support/tls_clients.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    let served = 0;
    let failure: string | undefined;
    worker.onmessage = ({ data }) => {
      if (typeof data === "number") served = data;
      else failure ??= data;
    };
    worker.postMessage(server.endpoint);
    await waitUntil("some of them", () => served > 20);
    for (let round = 0; round < 5; round++) {
      const tls = round % 2 === 0 ? OTHER : SERVER_TLS.tls;
      await server.renewTls({ ...tls, engine });
      const before = served;
      await waitUntil("more of them", () => served > before + 20);
    }
    worker.terminate();
    if (engine === "node") assertEquals(failure, undefined);
    assertEquals(await subject("other.example"), "other.example");
    standing.send("still here");
    assertEquals(await standing.receive(), "still here");
    assertEquals(recorder.of("certificate renewed").length, 5);
  });

  Deno.test(`${engine}: renewTls() goes on as before when the new options are of no use`, async () => {
    await using server = await serve({
      listen: "tls://127.0.0.1:0",
      wire: WIRE,
      handler,
      tls: { ...SERVER_TLS.tls, engine },
    });
    await assertRejects(
      () => server.renewTls({ cert: "none", key: "none", engine }),
    );
    await using client = await connect({
      to: server.endpoint,
      wire: WIRE,
      ...CLIENT_TLS,
    });
    client.send("ahoy");
    assertEquals(await client.receive(), "ahoy");
  });
}

Deno.test("renewTls() changes whom a server lets in", async () => {
  const { tls } = MUTUAL_SERVER_TLS;
  const recorder = new Recorder();
  await using server = await serve({
    listen: "tls://127.0.0.1:0",
    wire: WIRE,
    handler,
    observe: recorder.observe,
    tls,
  });
  const fares = async () => {
    await using client = await connect({
      to: server.endpoint,
      wire: WIRE,
      ...MUTUAL_CLIENT_TLS,
    });
    client.send("ahoy");
    return await client.receive();
  };
  assertEquals(await fares(), "ahoy");
  const clients = { caCerts: [pem("other_ca")] };
  await server.renewTls({ ...tls, clients });
  assertEquals(await fares(), undefined);
  await recorder.until("handshake failed", 1);
  await server.renewTls({ ...SERVER_TLS.tls, engine: "node" });
  assertEquals(await fares(), "ahoy");
  // Suspended and resumed, it has not forgotten.
  await server.suspend();
  await server.renewTls(tls);
  await server.resume();
  assertEquals(await fares(), "ahoy");
});

Deno.test("a server shows the certificate of the name that is asked for", async () => {
  await using server = await serve({
    listen: "tls://127.0.0.1:0",
    wire: WIRE,
    handler,
    tls: {
      ...SERVER_TLS.tls,
      names: { "*.example.org": { cert: pem("wildcard"), key: pem("key") } },
    },
  });
  const shown = async (serverName: string) => {
    await using client = await connect({
      to: server.endpoint,
      wire: WIRE,
      tls: { ...CLIENT_TLS.tls, engine: "node", serverName },
    });
    const { identity } = client;
    assertEquals(identity?.protocol, "TLSv1.3");
    assert(identity?.cipher?.startsWith("TLS_"), identity?.cipher);
    return identity?.certificate?.commonName;
  };
  assertEquals(await shown("localhost"), "localhost");
  assertEquals(await shown("hub.Example.org"), "example.org");
  await assertRejects(() => shown("a.hub.example.org"));
});

Deno.test("serve() refuses options of TLS that no engine heeds", async () => {
  const cases: [object, string][] = [
    [{ ciphers: "ALL" }, "No engine heeds 'tls.ciphers'"],
    [{ clients: { caCerts: [], crl: "" } }, "'tls.clients.crl'"],
    [
      { engine: "native", ...MUTUAL_SERVER_TLS.tls },
      "The native engine has no client certificates",
    ],
  ];
  for (const [options, message] of cases) {
    const tls = { ...SERVER_TLS.tls, ...options };
    if (message.startsWith("The native")) {
      Object.assign(tls, { engine: "native" });
    }
    await assertRejects(
      () => serve({ listen: "tls://127.0.0.1:0", wire: WIRE, handler, tls }),
      Error,
      message,
    );
  }
});
