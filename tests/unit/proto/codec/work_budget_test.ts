import { assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../../../src/bytes/writer.ts";
import { checksummed } from "../../../../src/proto/codec/checksummed.ts";
import { compressed } from "../../../../src/proto/codec/compressed.ts";
import { json } from "../../../../src/proto/codec/json.ts";
import { msgpack } from "../../../../src/proto/codec/msgpack.ts";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";

/** 200 numbers: 201 nodes of 16 bytes each, whatever they are written as. */
const message = Array.from({ length: 200 }, (_, i) => i % 10);
const DECODED_BYTES = 201 * 16;

Deno.test("inflating and decoding a frame spend one budget, to the byte", () => {
  for (const codecOf of [json, msgpack]) {
    const plain = new ByteWriter();
    codecOf().encode(message, plain);
    const neededBytes = plain.length + DECODED_BYTES;
    for (const missing of [0, 1]) {
      const limits = { maxDecodedBytes: neededBytes - missing };
      const codec = checksummed(
        compressed(codecOf({ limits }), {
          algorithm: "zstd",
          thresholdBytes: 1,
          limits,
        }),
      );
      const writer = new ByteWriter();
      codec.encode(message, writer);
      const decode = () => codec.decode(writer.view());
      if (missing === 0) assertEquals(decode(), message);
      else {
        const error = assertThrows(
          decode,
          RemoteProtocolError,
          "decoded bytes",
        );
        assertEquals([error.code, error.recoverable], ["too_complex", true]);
      }
      // What was not inflated has the whole budget.
      assertEquals(codecOf({ limits }).decode(plain.view()), message);
    }
  }
});
