/**
 * Sends every binary frame back: the public API and nothing beside it, with the
 * default time-outs, and room for more connections than the default.
 *
 *     deno run --allow-net --no-check benches/servers/binary_echo.ts PORT
 *
 * @module
 */

import { bytes, lengthPrefixed, serve } from "../../mod.ts";

const server = await serve({
  listen: `tcp://127.0.0.1:${Deno.args[0] ?? 0}`,
  wire: lengthPrefixed(bytes({ borrow: true })),
  limits: { maxConnections: 20_000, firstMessageMs: 600_000 },
  handler: { message: (peer, frame) => peer.send(frame) },
});
console.log(`listening ${server.endpoints[0]}`);
