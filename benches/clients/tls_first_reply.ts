/**
 * How long it takes from the dial to the first answer, one connection after the
 * other. Prints one line of JSON.
 *
 *     deno run --allow-net --allow-read --no-check tls_first_reply.ts ENDPOINT COUNT AUTHORITY [CERT KEY]
 *
 * @module
 */

import { bytes, connect, lengthPrefixed } from "../../mod.ts";

const [to = "", count = "200", ...files] = Deno.args;
const [ca = "", cert, key] = files.map((path) => Deno.readTextFileSync(path));
const tls = {
  caCerts: [ca],
  ...(cert === undefined || key === undefined ? {} : { cert, key }),
};

const wire = lengthPrefixed(bytes());
const times: number[] = [];
const startedMs = performance.now();
for (let turn = 0; turn < Number(count); turn++) {
  const beganMs = performance.now();
  const client = await connect({ to, wire, tls });
  client.send(new Uint8Array(64));
  await client.receive();
  times.push(performance.now() - beganMs);
  client.abort();
}
const elapsedMs = performance.now() - startedMs;
times.sort((a, b) => a - b);
const at = (share: number) => times[Math.floor(times.length * share)];
console.log(JSON.stringify({
  p50Ms: at(0.5),
  p99Ms: at(0.99),
  total: times.length,
  perSecond: times.length * 1000 / elapsedMs,
}));
