/**
 * Connects to a server and reads whatever comes: `reader.ts ENDPOINT`. It says
 * so when it is connected.
 *
 * @module
 */

import { parseEndpoint } from "../../../mod.ts";

const endpoint = parseEndpoint(Deno.args[0] ?? "");
if (endpoint.scheme !== "tcp") throw new TypeError("Cannot read: not TCP");
const { hostname, port } = endpoint;
const conn = await Deno.connect({ hostname, port });
console.log("connected");
const into = new Uint8Array(65536);
while (await conn.read(into) !== null);
