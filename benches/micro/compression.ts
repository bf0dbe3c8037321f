/**
 * What compression saves on JSON like that of a chat, and what it costs: a
 * table of bytes, and of messages per second of one core, there and back.
 *
 *     deno run benches/micro/compression.ts
 *
 * @module
 */

import process from "node:process";
import {
  ByteWriter,
  checksummed,
  type Codec,
  compressed,
  json,
  seededRandom,
} from "../../mod.ts";

const ROUNDS = 5;
const ROUND_MS = 150;

const WORDS = `the a to of and is in it that you for on with are this be have
  not but at we they will can all was one if what so there when up out about
  no yes ok thanks hello morning evening lunch tomorrow today week later soon
  meeting release build test server client branch deploy review merge failed
  passed fixed broken latency timeout logs metrics harbour ship anchor sail
  rope chart wind tide crew captain deck mast lighthouse storm calm watch bell`
  .split(/\s+/);

const random = seededRandom(1);

/** Small numbers far more often than large ones, as words are in a language. */
function below(count: number): number {
  return Math.floor(random() ** 2 * count);
}

function chatMessage(i: number): unknown {
  const words = Array.from(
    { length: 4 + below(30) },
    () => WORDS[below(WORDS.length)],
  );
  return {
    type: "message",
    id: `m${1_000_000 + i}`,
    room: ["general", "harbour", "support"][below(3)],
    from: ["ada", "grace", "edsger", "barbara", "linus"][below(5)],
    at: new Date(1_700_000_000_000 + i * 1733).toISOString(),
    text: words.join(" "),
  };
}

/** Several different messages of one kind, each with `count` lines of chat. */
function samples(count: number): unknown[] {
  return Array.from({ length: 32 }, (_, i) => {
    const lines = Array.from(
      { length: count },
      (_, k) => chatMessage(i * 997 + k),
    );
    return count === 1 ? lines[0] : { type: "history", messages: lines };
  });
}

const writer = new ByteWriter(1 << 20);

function encodeAll(codec: Codec<unknown>, messages: unknown[]): Uint8Array[] {
  return messages.map((message) => {
    writer.truncate();
    codec.encode(message, writer);
    return writer.view().slice();
  });
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** How often `step` can be done in a second of the processor, in the round that was disturbed least. */
function rate(step: (i: number) => void): number {
  for (let i = 0; i < 200; i++) step(i);
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = processorMs();
    let count = 0;
    let ms = 0;
    while (ms < ROUND_MS) {
      for (let k = 0; k < 64; k++) step(count++);
      ms = processorMs() - start;
    }
    best = Math.max(best, count / ms * 1000);
  }
  return best;
}

function columns(...cells: (string | number)[]): string {
  const [codec, ...numbers] = cells.map(String);
  const padded = numbers.map((cell) => cell.padStart(10));
  return `| ${codec!.padEnd(12)} | ${padded.join(" | ")} |`;
}

const thousands = (value: number) => (value / 1000).toFixed(1);

const codecs: Codec<unknown>[] = [
  json(),
  checksummed(json()),
  ...(["zstd", "deflate", "gzip", "brotli"] as const).map((algorithm) =>
    compressed(json(), { algorithm, thresholdBytes: 1 })
  ),
];

for (const count of [1, 3, 10, 100]) {
  const messages = samples(count);
  const plainBytes = encodeAll(json(), messages)
    .reduce((sum, { length }) => sum + length, 0);
  const average = Math.round(plainBytes / messages.length);
  console.log(`\nChat of ${count} (${average} bytes of JSON on average)\n`);
  console.log(columns("codec", "bytes", "saved", "enc. k/s", "dec. k/s"));
  console.log(columns("---", ...Array(4).fill("---:")));
  for (const codec of codecs) {
    const frames = encodeAll(codec, messages);
    const bytes = frames.reduce((sum, { length }) => sum + length, 0);
    const encodes = rate((i) => {
      writer.truncate();
      codec.encode(messages[i % 32], writer);
    });
    const decodes = rate((i) => codec.decode(frames[i % 32]!));
    console.log(columns(
      codec.name,
      Math.round(bytes / messages.length),
      `${((1 - bytes / plainBytes) * 100).toFixed(0)} %`,
      thousands(encodes),
      thousands(decodes),
    ));
  }
}
