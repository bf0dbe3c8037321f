/**
 * Sends every binary frame back over TLS: the public API and nothing beside it.
 *
 *     deno run --allow-net --allow-read --no-check tls_echo.ts CERT KEY native|node|mutual AUTHORITY
 *
 * @module
 */

import { bytes, lengthPrefixed, serve } from "../../mod.ts";

const [certFile = "", keyFile = "", engine = "native", caFile = ""] = Deno.args;
const [cert, key, ca] = [certFile, keyFile, caFile].map((path) =>
  Deno.readTextFileSync(path)
) as [string, string, string];

const { endpoints } = await serve({
  listen: "tls://127.0.0.1:0",
  wire: lengthPrefixed(bytes({ borrow: true })),
  limits: { maxConnections: 20_000, firstMessageMs: 600_000 },
  handler: { message: (peer, frame) => peer.send(frame) },
  tls: engine === "mutual"
    ? { cert, key, clients: { caCerts: [ca] } }
    : { cert, key, engine: engine === "node" ? "node" : "native" },
});
console.log(`listening ${endpoints[0]}`);
