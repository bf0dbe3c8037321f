/**
 * A thousand requests over one TCP connection, with 1, 64 and 1,000 of them in
 * flight: the bare protocol of `Client.request`, and JSON-RPC with everything
 * that it brings. Both ends share one thread.
 *
 *     deno bench --allow-net benches/micro/rpc.ts
 *
 * @module
 */

import {
  byKey,
  connect,
  json,
  lengthPrefixed,
  rpcClient,
  rpcHandler,
  serve,
} from "../../mod.ts";

const REQUESTS = 1000;
const TEXT = "x".repeat(64);

const listen = "tcp://127.0.0.1:0";
const wire = lengthPrefixed(json<{ id: number; text: string }>());
const rpcWire = lengthPrefixed(json());

const echo = await serve({
  listen,
  wire,
  handler: { message: (peer, message) => peer.send(message) },
});
const methods = {
  echo: (params: { text: string }) => params,
  echoLater: (params: { text: string }) => Promise.resolve(params),
};
const service = await serve({
  listen,
  wire: rpcWire,
  handler: rpcHandler({ methods, window: { ms: 1000, maxEntries: 1e6 } }),
});
const plain = await connect({
  to: echo.endpoint,
  wire,
  correlate: byKey("id"),
});
const rpc = rpcClient<typeof methods>(
  await connect({ to: service.endpoint, wire: rpcWire }),
);

/** Makes all requests, `inFlight` of them at a time. */
async function load(
  inFlight: number,
  request: (n: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < REQUESTS) await request(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

let keys = 0;
const params = { text: TEXT };

/** What is asked in each of the ways. */
const WAYS: Record<string, (n: number) => Promise<unknown>> = {
  "Client.request": (id) => plain.request({ id, text: TEXT }),
  "RpcClient.request": () => rpc.request("echo", params),
  "RpcClient.request, slow method": () => rpc.request("echoLater", params),
  "RpcClient.request, with a key": () =>
    rpc.request("echo", params, { idempotencyKey: `key ${++keys}` }),
};

for (const inFlight of [1, 64, 1000]) {
  for (const [name, request] of Object.entries(WAYS)) {
    // Only what is declared `async` is waited for.
    Deno.bench(name, {
      group: `${inFlight} in flight`,
      baseline: name === "Client.request",
    }, async () => {
      await load(inFlight, request);
    });
  }
}
