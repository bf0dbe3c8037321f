/**
 * What a server's connections cost over QUIC: one load, a bare loop on the
 * runtime's QUIC, against an echo that is a bare loop too, and against `serve`,
 * in turn, in one process. Fails below the floor.
 *
 *     deno run --allow-net=127.0.0.1 --allow-read=tests benches/quic.ts
 *
 * @module
 */

import { bytes, fixedSize, raw, serve, type Wire } from "../mod.ts";
import { CLIENT_TLS, SERVER_TLS } from "../tests/support/tls.ts";

/** Ours, as a share of what the bare loop does. */
const FLOOR = 0.8;
const ROUNDS = 5;
const ROUND_MS = 600;
const PING_BYTES = 64;
const ALPN = ["x"];
const BLOCK = new Uint8Array(64 * 1024);

/** What `streams` streams get done in a second. */
type Measure = (conn: Deno.QuicConn, streams: number) => Promise<number>;

/** What each of `streams` does until `over()`; the sum of what they count, per second. */
async function perSecond(
  streams: number,
  run: (over: () => boolean) => Promise<number>,
): Promise<number> {
  const startMs = performance.now();
  const over = () => performance.now() - startMs > ROUND_MS;
  const counts = await Promise.all(
    Array.from({ length: streams }, () => run(over)),
  );
  const count = counts.reduce((sum, count) => sum + count, 0);
  return count / (performance.now() - startMs) * 1000;
}

// The bare loop

const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
const listener = endpoint.listen({ ...SERVER_TLS.tls, alpnProtocols: ALPN });

async function echo(stream: Deno.QuicBidirectionalStream): Promise<void> {
  const reader = stream.readable.getReader({ mode: "byob" });
  const writer = stream.writable.getWriter();
  let buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const { value, done } = await reader.read(buffer);
    if (done) break;
    await writer.write(value);
    buffer = new Uint8Array(value.buffer);
  }
  await writer.close();
}

void (async () => {
  const conn = await listener.accept();
  for await (const stream of conn.incomingBidirectionalStreams) {
    void echo(stream);
  }
})();

// The load

function dial(port: number): Promise<Deno.QuicConn> {
  return Deno.connectQuic<false>({
    hostname: "127.0.0.1",
    port,
    alpnProtocols: ALPN,
    caCerts: CLIENT_TLS.tls.caCerts,
  });
}

const pings: Measure = (conn, streams) =>
  perSecond(streams, async (over) => {
    const stream = await conn.createBidirectionalStream();
    const reader = stream.readable.getReader({ mode: "byob" });
    const writer = stream.writable.getWriter();
    let buffer = new Uint8Array(1024);
    const ping = new Uint8Array(PING_BYTES);
    let count = 0;
    for (; !over(); count++) {
      await writer.write(ping);
      for (let got = 0; got < PING_BYTES;) {
        const { value } = await reader.read(buffer);
        got += value!.length;
        buffer = new Uint8Array(value!.buffer);
      }
    }
    await writer.close();
    await reader.read(buffer);
    return count;
  });

const echoedBytes: Measure = (conn, streams) =>
  perSecond(streams, async (over) => {
    const stream = await conn.createBidirectionalStream();
    const reader = stream.readable.getReader({ mode: "byob" });
    const writer = stream.writable.getWriter();
    const writing = (async () => {
      while (!over()) await writer.write(BLOCK);
      await writer.close();
    })();
    let count = 0;
    let buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const { value, done } = await reader.read(buffer);
      if (done) break;
      count += value.length;
      buffer = new Uint8Array(value.buffer);
    }
    await writing;
    return count;
  });

// Ours

async function ours(
  wire: Wire<Uint8Array, Uint8Array>,
): Promise<Deno.QuicConn> {
  const server = await serve<Uint8Array, Uint8Array>({
    tls: { ...SERVER_TLS.tls, alpn: ALPN },
    listen: "quic://127.0.0.1:0",
    wire,
    handler: { message: (peer, message) => void peer.send(message) },
  });
  const [port] = server.endpoint.match(/\d+$/)!;
  return await dial(Number(port));
}

// Side by side

const bare = await dial(endpoint.addr.port);
const framed = await ours(fixedSize(bytes(), { frameBytes: PING_BYTES }));
const unframed = await ours(raw(bytes()));

const CASES: [string, number, Measure, Deno.QuicConn, string, number][] = [
  ["ping-pongs, 1 stream", 1, pings, framed, "/s", 1],
  ["ping-pongs, 50 streams", 50, pings, framed, "/s", 1],
  ["echoed bytes, 1 stream", 1, echoedBytes, unframed, "MB/s", 1e6],
  ["echoed bytes, 8 streams", 8, echoedBytes, unframed, "MB/s", 1e6],
];

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

let failed = false;
for (const [name, streams, measure, served, unit, scale] of CASES) {
  const found: [number[], number[]] = [[], []];
  for (let round = -1; round < ROUNDS; round++) {
    const both = [await measure(bare, streams), await measure(served, streams)];
    // The first round is for the compiler.
    if (round >= 0) both.forEach((value, side) => found[side]!.push(value));
  }
  const [theirs, mine] = found.map(median) as [number, number];
  // Each round against its neighbour, as other work on the machine slows both down.
  const share = median(found[1]!.map((mine, at) => mine / found[0]![at]!));
  failed ||= share < FLOOR;
  console.log(
    name.padEnd(24),
    `bare ${Math.round(theirs / scale)} ${unit}`.padEnd(20),
    `ours ${Math.round(mine / scale)} ${unit}`.padEnd(20),
    `${share.toFixed(2)} x${share < FLOOR ? `, below ${FLOOR}` : ""}`,
  );
}
Deno.exit(failed ? 1 : 0);
