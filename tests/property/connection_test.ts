import { assertEquals } from "@std/assert";
import type { Handler } from "../../src/io/handler.ts";
import { bytes } from "../../src/proto/codec/bytes.ts";
import { encodeFrame } from "../../src/proto/frame_writer.ts";
import { delimited } from "../../src/proto/framing/delimited.ts";
import type { Wire } from "../../src/proto/framing/framing.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { varintPrefixed } from "../../src/proto/framing/varint_prefixed.ts";
import { serve } from "../../src/server/serve.ts";
import { checkAsyncProperty, fc } from "../support/property.ts";
import { RawClient } from "../support/raw_client.ts";
import { turns } from "../support/wait.ts";

type BytesHandler = Handler<Uint8Array, Uint8Array>;

const WIRES: Wire<Uint8Array>[] = [
  lengthPrefixed(bytes()),
  lengthPrefixed(bytes(), { lengthBytes: 2, byteOrder: "little" }),
  varintPrefixed(bytes()),
  delimited(bytes(), { delimiter: Uint8Array.of(0xff, 0xfe) }),
];

/** Echoes, in the ways in which a handler can be written. */
const HANDLERS: Record<string, (seen: Uint8Array[]) => BytesHandler> = {
  callback: (seen) => ({
    message(peer, message) {
      seen.push(message);
      peer.send(message);
    },
  }),
  "slow callback": (seen) => ({
    async message(peer, message) {
      seen.push(message);
      if (message.length % 3 === 0) await turns(1);
      peer.send(message);
    },
  }),
  loop: (seen) => async (peer) => {
    for await (const message of peer) {
      seen.push(message);
      if (!peer.send(message)) await peer.drained();
    }
  },
  streams: (seen) => (peer) => {
    const watch = new TransformStream<Uint8Array, Uint8Array>({
      transform(message, controller) {
        seen.push(message);
        controller.enqueue(message);
      },
    });
    return peer.readable.pipeThrough(watch).pipeTo(peer.writable);
  },
};

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

// No byte of a delimiter, so that every wire can carry every payload.
const payload = fc.oneof(
  { weight: 20, arbitrary: fc.uint8Array({ max: 0xf0, maxLength: 300 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1000, max: 70_000 })
      .map((length) => new Uint8Array(Math.min(length, 65_535)).fill(7)),
  },
);

Deno.test("a connection hands on what was sent, in whatever pieces it comes", async () => {
  let count = 0;
  await checkAsyncProperty(
    fc.record({
      wire: fc.constantFrom(...WIRES),
      handler: fc.constantFrom(...Object.keys(HANDLERS)),
      payloads: fc.array(payload, { maxLength: 40 }),
      sizes: fc.array(
        fc.oneof(
          fc.integer({ min: 1, max: 20 }),
          fc.integer({ min: 1, max: 5000 }),
        ),
        { minLength: 1, maxLength: 20 },
      ),
      pauses: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
    }),
    async ({ wire, handler, payloads, sizes, pauses }) => {
      const seen: Uint8Array[] = [];
      await using server = await serve({
        listen: `memory:splits${++count}`,
        wire,
        handler: HANDLERS[handler]!(seen),
      });
      using client = await RawClient.connect(server.endpoint);
      const stream = join(payloads.map((item) => encodeFrame(wire, item)));
      const sending = (async () => {
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          // Tiny pieces of a large frame only take time.
          const least = Math.ceil(stream.length / 500);
          const size = Math.max(sizes[turn % sizes.length]!, least);
          await client.send(stream.subarray(at, at + size));
          at += size;
          if (pauses[turn % pauses.length]) await turns(1);
        }
        await client.closeWrite();
      })();
      const [echo] = await Promise.all([client.receiveAll(), sending]);
      assertEquals(seen.length, payloads.length);
      assertEquals(join(seen), join(payloads));
      assertEquals(echo.length, stream.length);
      assertEquals(echo, stream);
    },
    60,
  );
});
