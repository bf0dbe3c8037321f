/**
 * Sends every WebSocket message back, through the public API.
 *
 *     deno run --allow-net --no-check benches/servers/web_socket_echo.ts PORT [deflate]
 *
 * @module
 */

import { bytes, lengthPrefixed, serve } from "../../mod.ts";

const [port = "0", mode = "plain"] = Deno.args;

const { endpoints } = await serve({
  listen: `ws://127.0.0.1:${port}`,
  wire: lengthPrefixed(bytes({ borrow: true })),
  webSocket: { compress: mode === "deflate" },
  limits: { maxConnections: 20_000, firstMessageMs: 600_000 },
  handler: { message: (peer, message) => peer.send(message) },
});
console.log(`listening ${endpoints[0]}`);
