import { assertEquals } from "@std/assert";
import { bytes } from "../../../../src/proto/codec/bytes.ts";
import { FrameReader } from "../../../../src/proto/frame_reader.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { fixedSize } from "../../../../src/proto/framing/fixed_size.ts";
import { raw } from "../../../../src/proto/framing/raw.ts";

Deno.test("bytes() decodes to a copy that outlives the buffer", () => {
  const buffer = new Uint8Array([1, 2, 3, 4]);
  const message = bytes().decode(buffer.subarray(1, 3));
  buffer.fill(9);
  assertEquals(message, new Uint8Array([2, 3]));
});

Deno.test("bytes() decodes to a view of the buffer when it borrows", () => {
  const buffer = new Uint8Array([1, 2, 3, 4]);
  const message = bytes({ borrow: true }).decode(buffer.subarray(1, 3));
  assertEquals(message.buffer, buffer.buffer);
  assertEquals(message, new Uint8Array([2, 3]));
});

Deno.test("bytes() reads streams the same either way", () => {
  for (const borrow of [false, true]) {
    const reader = new FrameReader(
      fixedSize(bytes({ borrow }), { frameBytes: 1 }),
    );
    const seen: number[] = [];
    for (const [byte] of reader.push(new Uint8Array([5, 6, 7]))) {
      seen.push(byte!);
    }
    assertEquals(seen, [5, 6, 7]);
  }
});

Deno.test("bytes() encodes a copy", () => {
  const sent = new Uint8Array([1, 2]);
  const frame = encodeFrame(raw(bytes()), sent);
  sent.fill(0);
  assertEquals(frame, new Uint8Array([1, 2]));
});
