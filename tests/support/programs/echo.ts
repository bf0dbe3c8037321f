/**
 * An echo server in a process of its own, for tests that take away its
 * descriptors or its flags: `echo.ts ENDPOINT [LIMITS [OPTIONS]]`, both in
 * JSON. It prints its endpoints, and what its log warns of.
 *
 * @module
 */

import { json, lengthPrefixed, logEvents, serve } from "../../../mod.ts";

const [listen = "", limits = "{}", options = "{}"] = Deno.args;
try {
  const server = await serve({
    listen,
    wire: lengthPrefixed(json()),
    handler: {
      message: (peer, message) =>
        void peer.send(message === "memory?" ? Deno.memoryUsage() : message),
    },
    limits: JSON.parse(limits),
    ...JSON.parse(options),
    observe: logEvents({
      debug() {},
      info() {},
      warn: (message) => console.log(`warning: ${message}`),
      error: (message) => console.log(`error: ${message}`),
    }),
  });
  for (const endpoint of server.endpoints) console.log(`listening ${endpoint}`);
  Deno.addSignalListener("SIGTERM", () => void server.drain());
  await server.closed;
  Deno.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
