import { assert, assertEquals } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { json } from "../../src/proto/codec/json.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { Group, type GroupOptions } from "../../src/server/group.ts";
import { serve } from "../../src/server/serve.ts";
import { RawClient } from "../support/raw_client.ts";
import { Recorder } from "../support/recorder.ts";
import { stalled, waitUntil, within } from "../support/wait.ts";

interface Message {
  /** Counts the messages, from 0. */
  number?: number;
  key?: number;
  missed?: number;
  padding?: string;
}

const WIRE = lengthPrefixed(json<Message>());
const PADDING = "x".repeat(20_000);
const COUNT = 200;

interface Outcome {
  /** What the slow member got in the end, in order. */
  slow: Message[];
  /** The numbers that the fast member got. */
  fast: number[];
  /** Whether the group was slow while nobody read. */
  wasSlow: boolean;
  recorder: Recorder;
  skipped: number;
  recipients: number[];
}

/**
 * Tells a group of two numbers, 20 KB each and 4 MB in all, one a turn. One of
 * the two begins to read when all is said, over a socket that holds 200 KB.
 */
async function tell(options: GroupOptions<Message>): Promise<Outcome> {
  const folder = await Deno.makeTempDir({ prefix: "portolan-" });
  const recorder = new Recorder();
  const group = new Group<Message>({
    maxWaitingBytes: 1_000_000,
    gap: (missed) => ({ missed }),
    ...options,
  });
  try {
    await using server = await serve({
      listen: `unix:${folder}/a.sock`,
      wire: WIRE,
      handler: { open: (peer) => group.add(peer), message() {} },
      observe: recorder.observe,
    });
    using slow = await RawClient.connect(server.endpoint);
    const fast: number[] = [];
    await using client = await connect({ to: server.endpoint, wire: WIRE });
    await waitUntil("both members", () => group.size === 2);
    const recipients: number[] = [];
    for (let number = 0; number < COUNT; number++) {
      const message = { number, key: number % 7, padding: PADDING };
      recipients.push(group.broadcast(message));
      const received = await within("the fast one", client.receive());
      fast.push(received!.number!);
    }
    await stalled(() => server.counters.bytesOut);
    const wasSlow = group.isSlow;
    const drained = group.drained()
      .then(() => group.broadcast({ number: COUNT }));
    const messages = await readAll(slow);
    await within("the group", drained);
    assertEquals(client.ending, undefined);
    const { skipped } = server.counters;
    return { slow: messages, fast, wasSlow, recorder, skipped, recipients };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Reads up to the last number, or to the end of the stream. */
async function readAll(client: RawClient): Promise<Message[]> {
  const messages: Message[] = [];
  const decoder = new TextDecoder();
  while (messages.at(-1)?.number !== COUNT) {
    let payload: Uint8Array;
    try {
      payload = await client.receiveFrame();
    } catch {
      break;
    }
    messages.push(JSON.parse(decoder.decode(payload)));
  }
  return messages;
}

function numbersOf(messages: readonly Message[]): number[] {
  return messages.flatMap(({ number }) => number ?? []);
}

/** The numbers `[from, to)`. */
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

function missedBy(messages: readonly Message[]): number {
  return messages.reduce((sum, { missed = 0 }) => sum + missed, 0);
}

Deno.test("a group that waits loses nothing to a slow reader", async () => {
  const outcome = await tell({ slow: "wait", maxWaitingBytes: 1 << 23 });
  assert(outcome.wasSlow);
  assertEquals(numbersOf(outcome.slow), range(0, COUNT + 1));
  assertEquals(outcome.fast, range(0, COUNT));
  assertEquals(outcome.skipped, 0);
  assertEquals(
    outcome.recorder.warnings.map(({ type }) => type),
    ["slow", "slow"],
  );
});

Deno.test("a group that drops the oldest tells a slow reader how many, where they are missing", async () => {
  const outcome = await tell({ slow: "drop oldest" });
  assert(outcome.wasSlow);
  const at = outcome.slow.findIndex(({ missed }) => missed !== undefined);
  const { missed = 0 } = outcome.slow[at]!;
  assertEquals(numbersOf(outcome.slow), [
    ...range(0, at),
    ...range(at + missed, COUNT + 1),
  ]);
  assertEquals([missedBy(outcome.slow), outcome.skipped], [missed, missed]);
  assertEquals(outcome.fast, range(0, COUNT));
  assertEquals(outcome.recorder.of("gap").length, 1);
  assertEquals(outcome.recipients, Array(COUNT).fill(2));
});

Deno.test("a group that drops the newest keeps what a slow reader was promised", async () => {
  const outcome = await tell({ slow: "drop newest" });
  assert(outcome.wasSlow);
  const missed = missedBy(outcome.slow);
  assert(missed > 0);
  assertEquals(numbersOf(outcome.slow), [...range(0, COUNT - missed), COUNT]);
  assertEquals(outcome.skipped, missed);
  assertEquals(outcome.fast, range(0, COUNT));
});

Deno.test("a group that coalesces gives a slow reader the last of each key", async () => {
  const outcome = await tell({ slow: "coalesce", key: ({ key }) => key });
  assert(outcome.wasSlow);
  const numbers = numbersOf(outcome.slow);
  assertEquals(numbers.slice(-8), range(COUNT - 7, COUNT + 1));
  assertEquals(numbers.slice(0, -8), range(0, numbers.length - 8));
  assertEquals([missedBy(outcome.slow), outcome.skipped], [0, 0]);
  assertEquals(outcome.fast, range(0, COUNT));
});

Deno.test("a group that closes cuts a slow reader off, and nobody else", async () => {
  const outcome = await tell({ slow: "close" });
  assertEquals(outcome.wasSlow, false);
  const numbers = numbersOf(outcome.slow);
  assertEquals(numbers, range(0, numbers.length));
  assert(numbers.length < COUNT);
  assertEquals(outcome.fast, range(0, COUNT));
  const [limit, ...more] = outcome.recorder.of("limit");
  assertEquals([limit?.limit, more.length], ["maxWaitingBytes", 0]);
  assertEquals(outcome.recorder.of("closed")[0]?.ending.cause, "limit");
  assertEquals([outcome.recipients[0], outcome.recipients.at(-1)], [2, 1]);
});
