/**
 * CRC-32C of payloads of several sizes, and what it adds to a message: our
 * function, the runtime's CRC-32 (of another polynomial) and the loop of one
 * byte a step that most programs have.
 *
 *     deno bench benches/micro/crc32c.ts
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { ByteWriter, checksummed, crc32c, json } from "../../mod.ts";

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) {
    crc = crc & 1 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
  }
  return crc;
});

function byteByByte(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) {
    crc = crc >>> 8 ^ table[(crc ^ bytes[i]!) & 0xff]!;
  }
  return ~crc >>> 0;
}

for (const length of [64, 1024, 65536]) {
  const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
  const group = `${length} bytes`;
  Deno.bench("crc32c()", { group, baseline: true }, () => {
    crc32c(bytes);
  });
  Deno.bench("a table, byte by byte", { group }, () => {
    byteByByte(bytes);
  });
  Deno.bench("node:zlib crc32()", { group }, () => {
    crc32(bytes);
  });
}

const message = { type: "say", room: "harbour", text: "x".repeat(64) };
const writer = new ByteWriter();
for (const codec of [json(), checksummed(json())]) {
  Deno.bench(`${codec.name}, there and back`, { group: "message" }, () => {
    writer.truncate();
    codec.encode(message, writer);
    codec.decode(writer.view());
  });
}
