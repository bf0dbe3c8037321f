import { assert, assertEquals, assertRejects } from "@std/assert";
import { parseEndpoint } from "../../../../src/io/endpoint.ts";
import {
  type NodeTlsEngine,
  systemNodeTls,
} from "../../../../src/io/tls/node_engine.ts";
import { listenByNode } from "../../../../src/io/tls/node_listener.ts";
import { NodeTlsServer } from "../../../../src/io/tls/node_server.ts";
import type { ServerTlsOptions } from "../../../../src/io/tls/options.ts";
import { proveOptions } from "../../../../src/io/tls/prove.ts";
import { MUTUAL_SERVER_TLS, pem, SERVER_TLS } from "../../../support/tls.ts";

const key = pem("key");
const { clients } = MUTUAL_SERVER_TLS.tls;

function prove(
  options: Partial<ServerTlsOptions>,
  engine: NodeTlsEngine,
): Promise<void> {
  const tls = { ...SERVER_TLS.tls, ...options };
  return proveOptions(new NodeTlsServer(tls, engine), tls);
}

/** Each option, and an engine that ignores it. */
const IGNORED: [string, Partial<ServerTlsOptions>, NodeTlsEngine][] = [
  ["tls.clients", { clients }, {
    ...systemNodeTls,
    accept: (raw, options) =>
      systemNodeTls.accept(raw, { ...options, requestCert: false }),
  }],
  ["tls.clients", { clients }, {
    ...systemNodeTls,
    verifyError: () => "",
  }],
  ["tls.clients", { clients: { ...clients, optional: true } }, {
    ...systemNodeTls,
    verifyError: () => "",
  }],
  ["tls.minVersion", { minVersion: "TLSv1.3" }, {
    ...systemNodeTls,
    createSecureContext: ({ minVersion: _, ...options }) =>
      systemNodeTls.createSecureContext(options),
  }],
  ["tls.maxVersion", { maxVersion: "TLSv1.2" }, {
    ...systemNodeTls,
    createSecureContext: ({ maxVersion: _, ...options }) =>
      systemNodeTls.createSecureContext(options),
  }],
  ["tls.alpn", { alpn: ["hub/1"] }, {
    ...systemNodeTls,
    accept: (raw, { ALPNProtocols: _, ...options }) =>
      systemNodeTls.accept(raw, options),
  }],
  [
    "tls.names",
    { names: { "*.example.org": { cert: pem("wildcard"), key } } },
    {
      ...systemNodeTls,
      accept: (raw, { SNICallback: _, ...options }) =>
        systemNodeTls.accept(raw, options),
    },
  ],
];

for (const [option, options, ignorant] of IGNORED) {
  const shown = JSON.stringify(Object.keys(options));
  Deno.test(`proveOptions() names ${option} when the engine ignores it: ${shown}`, async () => {
    await prove(options, systemNodeTls);
    await assertRejects(
      () => prove(options, ignorant),
      Deno.errors.NotSupported,
      `The runtime ignores '${option}'`,
    );
  });
}

Deno.test("proveOptions() finds nothing to say about options that are heeded", async () => {
  const names = { "example.org": { cert: pem("wildcard"), key } };
  const all = { names, alpn: ["a", "b"], minVersion: "TLSv1.3" as const };
  await prove({}, systemNodeTls);
  await prove(all, systemNodeTls);
  await prove({ ...all, clients }, systemNodeTls);
  await prove(
    { ...all, clients: { ...clients, optional: true } },
    systemNodeTls,
  );
  const { minVersion: _, ...rest } = all;
  await prove({ ...rest, clients, maxVersion: "TLSv1.2" }, systemNodeTls);
});

Deno.test("proveOptions() takes an engine that cannot tell for one that ignores", async () => {
  const mute: NodeTlsEngine = {
    ...systemNodeTls,
    verifyError() {
      throw new TypeError("nothing is told");
    },
  };
  await assertRejects(() => prove({ clients }, mute), Deno.errors.NotSupported);
});

Deno.test("listenByNode() does not listen when an option is ignored", async () => {
  const [, , ignorant] = IGNORED[0]!;
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  const endpoint = parseEndpoint(`tls://127.0.0.1:${port}`);
  assert(endpoint.scheme === "tls");
  const { tls } = MUTUAL_SERVER_TLS;
  await assertRejects(
    () => listenByNode(endpoint, { tls }, ignorant),
    Deno.errors.NotSupported,
    "a client that nobody has signed is let in",
  );
  await assertRejects(
    () => Deno.connect({ port }),
    Deno.errors.ConnectionRefused,
  );
  const listener = await listenByNode(endpoint, { tls });
  assertEquals(listener.endpoint, endpoint);
  listener.close();
});
