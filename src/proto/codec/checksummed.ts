import { crc32c } from "../../bytes/crc32c.ts";
import { RemoteProtocolError } from "../errors.ts";
import type { Codec } from "./codec.ts";

const CHECKSUM_BYTES = 4;

/**
 * Puts the CRC-32C of each payload after it, four bytes, most significant first, and refuses payloads whose checksum
 * is wrong. Finds what memory, disks and boxes in between get wrong past the sums of TCP and Ethernet; it proves nothing
 * about who sent what. Outermost when wrappers are combined, so that nothing is inflated or parsed unchecked.
 *
 * @param codec What the payload is.
 *
 * @example Usage
 * ```ts
 * import { checksummed } from "./checksummed.ts";
 * import { text } from "./text.ts";
 * import { ByteWriter } from "../../bytes/writer.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const codec = checksummed(text());
 * const writer = new ByteWriter();
 * codec.encode("123456789", writer);
 * assertEquals(writer.view().subarray(9), new Uint8Array([0xe3, 0x06, 0x92, 0x83]));
 * assertEquals(codec.decode(writer.view()), "123456789");
 * writer.bytes[0]! ^= 1;
 * assertThrows(() => codec.decode(writer.view()), Error, "checksum");
 * ```
 */
export function checksummed<In, Out>(
  codec: Codec<In, Out>,
): Codec<In, Out> {
  function decode(frame: Uint8Array, spentBytes?: number): In {
    const end = frame.length - CHECKSUM_BYTES;
    if (end < 0) {
      throw malformed(`${frame.length} bytes are too few for a checksum`);
    }
    const payload = frame.subarray(0, end);
    const computed = crc32c(payload);
    const received = (frame[end]! << 24 | frame[end + 1]! << 16 |
      frame[end + 2]! << 8 | frame[end + 3]!) >>> 0;
    if (received !== computed) {
      throw malformed(
        `checksum must be ${hex(computed)}: current value is ${hex(received)}`,
      );
    }
    return codec.decode(payload, spentBytes);
  }

  return {
    name: `${codec.name}+crc32c`,
    text: false,
    decode,
    encode(value, writer) {
      const start = writer.length;
      codec.encode(value, writer);
      writer.u32(crc32c(writer.bytes.subarray(start, writer.length)));
    },
  };
}

function hex(checksum: number): string {
  return `0x${checksum.toString(16).padStart(8, "0")}`;
}

function malformed(reason: string): RemoteProtocolError {
  return new RemoteProtocolError(
    "malformed",
    `Cannot decode message: ${reason}`,
    { recoverable: true },
  );
}
