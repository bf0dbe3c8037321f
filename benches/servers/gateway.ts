/**
 * A gateway before a TCP service, through the public API.
 *
 *     deno run --allow-net --no-check benches/servers/gateway.ts PORT SERVICE_PORT
 *
 * @module
 */

import { gateway } from "../../mod.ts";

const [port = "0", service = ""] = Deno.args;

const { endpoints } = await gateway({
  listen: `ws://127.0.0.1:${port}`,
  to: `tcp://127.0.0.1:${service}`,
});
console.log(`listening ${endpoints[0]}`);
