/**
 * Bytes to text and back: which of the runtime's ways is the fastest for how
 * many bytes.
 *
 *     deno bench benches/micro/utf8.ts
 *
 * @module
 */

import { Buffer } from "node:buffer";

const lossy = new TextDecoder();
const fatal = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();
const output = new Uint8Array(65536);
const outputBuffer = Buffer.from(output.buffer);

for (const length of [64, 127, 256, 1024, 16384]) {
  const text = JSON.stringify("x".repeat(length - 2));
  const bytes = encoder.encode(text);
  const buffer = Buffer.from(bytes.buffer);
  const group = `decode ${length} bytes`;
  Deno.bench("TextDecoder", { group, baseline: true }, () => {
    lossy.decode(bytes.subarray(0, length));
  });
  Deno.bench("TextDecoder, fatal", { group }, () => {
    fatal.decode(bytes.subarray(0, length));
  });
  Deno.bench("Buffer", { group }, () => {
    buffer.toString("utf8", 0, length);
  });
}

for (const length of [64, 127, 1024, 16384]) {
  const text = JSON.stringify("x".repeat(length - 2));
  const group = `encode ${length} bytes`;
  Deno.bench("TextEncoder.encodeInto", { group, baseline: true }, () => {
    encoder.encodeInto(text, output.subarray(4));
  });
  Deno.bench("Buffer", { group }, () => {
    outputBuffer.write(text, 4, "utf8");
  });
}
