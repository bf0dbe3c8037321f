import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { EndpointError } from "../../src/io/endpoint_error.ts";
import type { ClientTlsOptions } from "../../src/io/tls/options.ts";
import { TlsError, type TlsFault } from "../../src/io/tls/tls_error.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lines } from "../../src/proto/framing/delimited.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { serve, type ServeOptions } from "../../src/server/serve.ts";
import type { Server } from "../../src/server/server.ts";
import { Recorder } from "../support/recorder.ts";
import {
  CLIENT_TLS,
  MUTUAL_CLIENT_TLS,
  MUTUAL_SERVER_TLS,
  pem,
  SERVER_TLS,
} from "../support/tls.ts";
import { turns, within } from "../support/wait.ts";

const WIRE = lines(text());
const key = pem("key");
type LineServer = Server<string, string>;

function start(
  recorder: Recorder,
  options: Partial<ServeOptions<string, string, undefined>>,
): Promise<LineServer> {
  return serve({
    listen: "tls://127.0.0.1:0",
    wire: WIRE,
    handler: { message: (peer, line) => peer.send(line) },
    observe: recorder.observe,
    ...options,
  });
}

/** The fault that the server's observer was told. */
async function serverFault(recorder: Recorder): Promise<TlsFault | undefined> {
  await recorder.until("handshake failed", 1);
  const { error } = recorder.of("handshake failed")[0]!;
  assert(error instanceof TlsError, String(error));
  return error.fault;
}

/** How a client fares that asks for an echo: the fault, or the answer. */
async function ask(
  { endpoint }: LineServer,
  tls: ClientTlsOptions,
): Promise<string | undefined> {
  try {
    const localhost = endpoint.replace("127.0.0.1", "localhost");
    await using client = await connect({ to: localhost, wire: WIRE, tls });
    client.send("ahoy");
    return await within("the answer", client.receive());
  } catch (error) {
    if (!(error instanceof EndpointError)) throw error;
    assert(error.cause instanceof TlsError, String(error.cause));
    return error.cause.fault;
  }
}

const SERVERS: [string, TlsFault, TlsFault?][] = [
  ["expired", "expired"],
  ["early", "not yet valid"],
  ["wrong_name", "wrong name"],
  ["self_signed", "self-signed", "unknown authority"],
  ["stranger", "unknown authority"],
  ["sha1", "weak signature"],
  ["client", "wrong purpose"],
];

for (const [name, fault, nativeFault = fault] of SERVERS) {
  Deno.test(`a client refuses a server's certificate: ${name}`, async () => {
    const recorder = new Recorder();
    await using server = await start(recorder, {
      tls: { cert: pem(name), key },
    });
    assertEquals(await ask(server, CLIENT_TLS.tls), nativeFault, "native");
    const { caCerts } = CLIENT_TLS.tls;
    assertEquals(await ask(server, { caCerts, engine: "node" }), fault, "node");
    // A name of which a certificate says nothing is found out by the client alone, and it need not tell.
    if (fault !== "wrong name") await recorder.until("handshake failed", 1);
  });
}

const CLIENTS: [string, TlsFault][] = [
  ["expired", "expired"],
  ["early", "not yet valid"],
  ["self_signed", "self-signed"],
  ["stranger", "unknown authority"],
  ["sha1", "weak signature"],
  ["wildcard", "wrong purpose"],
];

for (const [name, fault] of CLIENTS) {
  for (const engine of ["native", "node"] as const) {
    Deno.test(`a server refuses a client's certificate: ${name}, shown by ${engine}`, async () => {
      for (const optional of [false, true]) {
        const recorder = new Recorder();
        const { tls } = MUTUAL_SERVER_TLS;
        const clients = { ...tls.clients, optional };
        await using server = await start(recorder, {
          tls: { ...tls, clients },
        });
        const shown = { ...CLIENT_TLS.tls, cert: pem(name), key, engine };
        // In TLS 1.3 a client is through before the server has seen its certificate.
        const fared = await ask(server, shown);
        assert(fared === undefined || fared === "ended by peer", fared);
        assertEquals(await serverFault(recorder), fault);
        assertEquals(server.counters.accepted, 0);
      }
    });
  }
}

Deno.test("a server refuses a client's RSA key of 1,024 bits", async () => {
  // Neither engine of ours would show such a certificate.
  const output = await new Deno.Command("openssl", { args: ["version"] })
    .output().catch(() => undefined);
  if (output === undefined) {
    return console.log("skipped: openssl is not installed");
  }
  const recorder = new Recorder();
  await using server = await start(recorder, MUTUAL_SERVER_TLS);
  const { port } = new URL(server.endpoint.replace("tls:", "http:"));
  const folder = new URL("../testdata/tls/", import.meta.url).pathname;
  await new Deno.Command("openssl", {
    args: [
      ...["s_client", "-connect", `127.0.0.1:${port}`, "-quiet"],
      ...["-cert", `${folder}weak.pem`, "-key", `${folder}weak_key.pem`],
      ...["-cipher", "DEFAULT@SECLEVEL=0"],
    ],
    stdin: "null",
  }).output();
  await recorder.until("handshake failed", 1);
  const { error } = recorder.of("handshake failed")[0]!;
  assert(error instanceof TlsError, String(error));
  assertEquals(error.fault, "forged");
});

Deno.test("a server refuses a client without a certificate, and tells it", async () => {
  for (const engine of ["native", "node"] as const) {
    const recorder = new Recorder();
    await using server = await start(recorder, MUTUAL_SERVER_TLS);
    await using client = await connect({
      to: server.endpoint,
      wire: WIRE,
      tls: { ...CLIENT_TLS.tls, engine },
    });
    const ending = await within("the end", client.closed);
    assertEquals(
      ending.reason,
      "broken TLS: the peer wants a certificate: show one (--cert FILE --key FILE, tls.cert and tls.key)",
    );
    assertEquals(await serverFault(recorder), "no certificate");
  }
});

Deno.test("a server lets in who needs no certificate, and knows who has one", async () => {
  const who: (string | undefined)[] = [];
  const { tls } = MUTUAL_SERVER_TLS;
  await using server = await serve({
    listen: "tls://127.0.0.1:0",
    wire: WIRE,
    handler: {
      message(peer, line) {
        who.push(peer.identity?.certificate?.subject);
        peer.send(line);
      },
    },
    tls: { ...tls, clients: { ...tls.clients, optional: true } },
  });
  assertEquals(await ask(server, CLIENT_TLS.tls), "ahoy");
  assertEquals(await ask(server, MUTUAL_CLIENT_TLS.tls), "ahoy");
  assertEquals(who, [undefined, "CN=ada"]);
});

Deno.test("a server refuses certificates that were taken back, denied or not liked", async () => {
  const { X509Certificate } = await import("node:crypto");
  const { serialNumber, fingerprint256 } = new X509Certificate(pem("revoked"));
  const issuer = "CN=Portolan test authority";
  const serialNumbers = new Set([serialNumber]);
  const { tls } = MUTUAL_SERVER_TLS;
  const { caCerts } = tls.clients;
  const other = { issuer: "CN=Another", serialNumbers: new Set<string>() };
  const old = {
    issuer,
    serialNumbers: new Set<string>(),
    nextUpdate: new Date("2020-02-02"),
  };
  const fingerprint = fingerprint256.replaceAll(":", "").toLowerCase();
  const cases: [object, TlsFault][] = [
    [{ revoked: [{ issuer, serialNumbers }] }, "revoked"],
    [{ revoked: [other] }, "no revocation list"],
    [{ revoked: [old] }, "no revocation list"],
    [{ denied: [serialNumber] }, "denied"],
    [{ denied: [fingerprint] }, "denied"],
    [{ refuse: () => "not today" }, "refused"],
  ];
  for (const [rules, fault] of cases) {
    const recorder = new Recorder();
    await using server = await start(recorder, {
      tls: { ...tls, clients: { caCerts, ...rules } },
    });
    const shown = { ...CLIENT_TLS.tls, cert: pem("revoked"), key };
    assertEquals(await ask(server, shown), undefined);
    assertEquals(await serverFault(recorder), fault);
  }
  // Others of the same authority are let in.
  await using server = await start(new Recorder(), {
    tls: { ...tls, clients: { caCerts, revoked: [{ issuer, serialNumbers }] } },
  });
  assertEquals(await ask(server, MUTUAL_CLIENT_TLS.tls), "ahoy");
});

Deno.test("a client pins the server's key, asks about strangers, and refuses", async () => {
  const { createHash, X509Certificate } = await import("node:crypto");
  const { publicKey } = new X509Certificate(pem("cert"));
  const spki = publicKey.export({ type: "spki", format: "der" });
  const pin = createHash("sha256").update(spki).digest("base64");
  await using server = await start(new Recorder(), SERVER_TLS);
  const { caCerts } = CLIENT_TLS.tls;
  const cases: [ClientTlsOptions, string][] = [
    [{ caCerts, pins: ["other", pin] }, "ahoy"],
    [{ caCerts, pins: ["other"] }, "wrong pin"],
    [{ pins: [pin] }, "unknown authority"],
    [{ trust: () => true }, "ahoy"],
    [{ trust: () => Promise.resolve(false) }, "unknown authority"],
    [{ trust: () => true, pins: ["other"] }, "wrong pin"],
    [{ caCerts, refuse: () => "not today" }, "refused"],
    [{ caCerts, refuse: () => undefined }, "ahoy"],
  ];
  for (const [tls, fared] of cases) {
    assertEquals(await ask(server, tls), fared, Object.keys(tls).join());
  }
  // Nobody is asked about what is wrong in another way.
  await using expired = await start(new Recorder(), {
    tls: { cert: pem("expired"), key },
  });
  const trust = () => true;
  assertEquals(await ask(expired, { trust, caCerts }), "expired");
  assertEquals(await ask(expired, { trust }), "unknown authority");
});

Deno.test("a client verifies no server where it was told so, and warns", async () => {
  await using server = await start(new Recorder(), {
    tls: { cert: pem("self_signed"), key },
  });
  const warnings: string[] = [];
  const warn = (warning: string) => void warnings.push(warning);
  const dangerouslySkipVerification = true;
  const tls = { dangerouslySkipVerification, warn };
  assertEquals(await ask(server, tls), "ahoy");
  assertEquals(warnings, [
    "TLS IS NOT SAFE: whoever answers as localhost is believed",
  ]);
});

Deno.test("a client tells for which name a certificate is", async () => {
  await using server = await start(new Recorder(), {
    tls: { cert: pem("wrong_name"), key },
  });
  for (const engine of ["native", "node"] as const) {
    for (const serverName of [undefined, "other.example"]) {
      const tls = { ...CLIENT_TLS.tls, engine };
      const options = { to: server.endpoint, wire: WIRE };
      if (serverName !== undefined) {
        await using client = await connect({
          ...options,
          tls: { ...tls, serverName },
        });
        assertEquals(client.ending, undefined);
        continue;
      }
      const error = await assertRejects(
        () => connect({ ...options, tls }),
        EndpointError,
      );
      assert(error.message.includes("other.example"), error.message);
      assert(error.message.includes("127.0.0.1"), error.message);
    }
  }
});

for (const engine of ["native", "node"] as const) {
  Deno.test(`${engine}: plain text to a TLS port is refused, and others are served on`, async () => {
    const recorder = new Recorder();
    const tls = { ...SERVER_TLS.tls, engine };
    await using server = await start(recorder, { tls });
    const port = Number(new URL(server.endpoint.replace("tls:", "http:")).port);
    using plain = await Deno.connect({ port });
    await plain.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    assertEquals(await serverFault(recorder), "no TLS");
    assertEquals(await ask(server, CLIENT_TLS.tls), "ahoy");
  });

  Deno.test(`${engine}: a handshake that stalls is cut off, and others are served on`, async () => {
    const recorder = new Recorder();
    const tls = { ...SERVER_TLS.tls, engine };
    await using server = await start(recorder, {
      tls,
      limits: { handshakeMs: 300 },
    });
    const port = Number(new URL(server.endpoint.replace("tls:", "http:")).port);
    using silent = await Deno.connect({ port });
    // The beginning of a ClientHello.
    using slow = await Deno.connect({ port });
    await slow.write(Uint8Array.of(0x16, 3, 1, 1, 0, 1));
    await turns();
    assertEquals(await ask(server, CLIENT_TLS.tls), "ahoy");
    await recorder.until("handshake failed", 2);
    assertEquals(server.counters.accepted, 1);
    // The native engine does not let go of them before they do.
    if (engine === "native") return;
    for (const conn of [silent, slow]) {
      const end = conn.read(new Uint8Array(100)).catch(() => null);
      assertEquals(await within("the end", end), null);
    }
  });

  Deno.test(`${engine}: a client tells that a server does not speak TLS`, async () => {
    await using server = await serve({
      listen: "tcp://127.0.0.1:0",
      wire: WIRE,
      handler: { open: (peer) => void peer.send("220 ready"), message() {} },
    });
    const to = server.endpoint.replace("tcp:", "tls:");
    await assertRejects(
      () => connect({ to, wire: WIRE, tls: { engine } }),
      EndpointError,
      "the server does not speak TLS",
    );
  });

  Deno.test(`${engine}: clients without a protocol in common are refused`, async () => {
    const recorder = new Recorder();
    const tls = { ...SERVER_TLS.tls, alpn: ["hub/1"], engine };
    await using server = await start(recorder, { tls });
    const client = { ...CLIENT_TLS.tls, engine };
    assertEquals(
      await ask(server, { ...client, alpn: ["other/1"] }),
      "nothing in common",
    );
    assertEquals(await serverFault(recorder), "nothing in common");
    await using peer = await connect({
      to: server.endpoint,
      wire: WIRE,
      tls: { ...client, alpn: ["other/1", "hub/1"] },
    });
    assertEquals(peer.identity?.alpn, "hub/1");
  });
}

Deno.test("native: a handshake that stalls counts as a connection until it is over", async () => {
  const recorder = new Recorder();
  await using server = await start(recorder, {
    ...SERVER_TLS,
    limits: { handshakeMs: 50, maxConnections: 1 },
  });
  const port = Number(new URL(server.endpoint.replace("tls:", "http:")).port);
  const silent = await Deno.connect({ port });
  await recorder.until("handshake failed", 1);
  using second = await Deno.connect({ port });
  await recorder.until("refused", 1);
  silent.close();
  second.close();
  // There is room again once the runtime has noticed.
  while (await ask(server, CLIENT_TLS.tls) !== "ahoy") await turns();
});

Deno.test("TLS to a plain port, and plain text to a TLS port, are called by their name", async () => {
  const recorder = new Recorder();
  const wire = lengthPrefixed(text());
  await using plain = await serve({
    listen: "tcp://127.0.0.1:0",
    wire,
    handler: { message() {} },
    observe: recorder.observe,
  });
  const to = plain.endpoint.replace("tcp:", "tls:");
  await assertRejects(() => connect({ to, wire }), EndpointError);
  const { detail } = await recorder.until("limit");
  assert(detail.endsWith("; the peer seems to speak TLS"), detail);

  await using secured = await start(new Recorder(), { ...SERVER_TLS });
  await using client = await connect({
    to: secured.endpoint.replace("tls:", "tcp:"),
    wire,
  });
  client.send("ahoy");
  const { reason } = await within("the end", client.closed);
  assert(reason?.endsWith("; the peer seems to speak TLS"), reason);
});
