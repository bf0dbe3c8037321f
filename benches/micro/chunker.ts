/**
 * Cutting random bytes into chunks, alone and with the SHA-256 of each.
 *
 *     deno bench benches/micro/chunker.ts
 *
 * @module
 */

import { createHash } from "node:crypto";
import { seededRandom } from "../../src/bytes/random.ts";
import { Chunker } from "../../src/proto/transfer/chunker.ts";
import { randomBytes } from "../../tests/support/transfer.ts";

const data = randomBytes(16 * 1024 * 1024, seededRandom(1));

function cut(averageBytes: number, take: (chunk: Uint8Array) => void): void {
  const chunker = new Chunker(averageBytes);
  let start = 0;
  for (let at = 0; (at = chunker.next(data, at)) >= 0; start = at) {
    take(data.subarray(start, at));
  }
}

for (const averageBytes of [2048, 8192, 65536]) {
  const group = `16 MiB, ${averageBytes} bytes on average`;
  Deno.bench("Chunker", { group, baseline: true }, () => {
    cut(averageBytes, () => {});
  });
  Deno.bench("Chunker and SHA-256", { group }, () => {
    cut(averageBytes, (chunk) => createHash("sha256").update(chunk).digest());
  });
}
