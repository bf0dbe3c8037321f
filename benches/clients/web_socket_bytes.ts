/**
 * Sends blocks to a WebSocket that sends them back, and counts the bytes that
 * return, whatever messages they come in.
 *
 *     deno run --allow-net --no-check benches/clients/web_socket_bytes.ts PORT CONNECTIONS BLOCK WINDOW SECONDS
 *
 * @module
 */

import { bytes, connect, lengthPrefixed } from "../../mod.ts";

const [port, connections, block, window, seconds] = Deno.args.map(Number) as [
  number,
  number,
  number,
  number,
  number,
];
const message = new Uint8Array(block).fill(0x78);
let returned = 0;

for (let count = 0; count < connections; count++) {
  let owed = 0;
  const client = await connect<Uint8Array>({
    to: `ws://127.0.0.1:${port}`,
    wire: lengthPrefixed(bytes({ borrow: true })),
    message(piece) {
      returned += piece.length;
      for (owed += piece.length; owed >= block; owed -= block) {
        client.send(message);
      }
    },
  });
  for (let sent = 0; sent < window; sent++) client.send(message);
}

const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));
await wait(seconds * 200);
const [startMs, before] = [performance.now(), returned];
await wait(seconds * 800);
const perSecond = (returned - before) / (performance.now() - startMs) * 1000;
console.log(JSON.stringify({ perSecond }));
Deno.exit(0);
