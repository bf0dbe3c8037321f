import { assert, assertEquals, assertThrows } from "@std/assert";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import {
  decodeResume,
  encodeResume,
  type ResumeMessage,
} from "../../../../src/proto/resume/messages.ts";
import { ResumableStream } from "../../../../src/proto/resume/resumable_stream.ts";
import { checkProperty, fc } from "../../../support/property.ts";

const MESSAGES: ResumeMessage[] = [
  { type: "data", number: 1, data: new Uint8Array([1, 2, 3]) },
  { type: "data", number: 2 ** 40 + 5, data: new Uint8Array() },
  { type: "end", number: 2 ** 32 },
  { type: "ack", number: 0 },
  { type: "start", number: 0, token: undefined },
  { type: "start", number: 7, token: new Uint8Array(16).fill(9) },
  {
    type: "started",
    number: 9,
    token: new Uint8Array(16).fill(1),
    keepMs: 60_000,
  },
  { type: "gone", reason: "nobody knows this session" },
];

Deno.test("decodeResume() reads what encodeResume() has written", () => {
  for (const message of MESSAGES) {
    assertEquals(decodeResume(encodeResume(message)), message);
  }
});

Deno.test("decodeResume() refuses what is no message", () => {
  const wrong = [
    [],
    [6, 0, 0, 0, 0, 0, 0],
    [0, 0, 0],
    [2, 0, 0, 0, 0, 0, 1, 1],
    [3, 0, 0, 0, 0, 0, 0, 1, 2, 3],
    [4, 0, 0, 0, 0, 0, 0],
  ];
  for (const bytes of wrong) {
    assertThrows(
      () => decodeResume(Uint8Array.from(bytes)),
      RemoteProtocolError,
      "Cannot read a message of a resumable stream",
    );
  }
});

Deno.test("ResumableStream refuses a gap, a foreign acknowledgement and a forgotten past", () => {
  const data = new Uint8Array(1);
  const one = (message: ResumeMessage) => {
    const stream = new ResumableStream();
    stream.send(data);
    return () => stream.receive(message);
  };
  for (
    const message of [
      { type: "data", number: 2, data },
      { type: "ack", number: 2 },
      { type: "start", number: 0, token: undefined },
    ] as const
  ) assertThrows(one(message), RemoteProtocolError);
  const stream = new ResumableStream();
  stream.send(data);
  stream.receive({ type: "ack", number: 1 });
  assertThrows(() => stream.unacknowledged(0), RemoteProtocolError);
  assertEquals(stream.unacknowledged(1), []);
});

Deno.test("ResumableStream is full until the other end acknowledges", () => {
  const ours = new ResumableStream({ maxUnacknowledgedBytes: 1000 });
  const theirs = new ResumableStream({ acknowledgeBytes: 500 });
  const wire: Uint8Array[] = [];
  while (!ours.isFull) wire.push(ours.send(new Uint8Array(100)));
  for (const message of wire) theirs.receive(decodeResume(message));
  const ack = theirs.acknowledgement();
  assert(ack !== undefined);
  assertEquals(theirs.acknowledgement(), undefined);
  ours.receive(decodeResume(ack));
  assert(!ours.isFull);
});

Deno.test("ResumableStream loses nothing and doubles nothing over connections that break anywhere", () => {
  checkProperty(
    fc.record({
      chunks: fc.array(fc.uint8Array({ minLength: 1, maxLength: 8 }), {
        maxLength: 30,
      }),
      cuts: fc.array(fc.nat({ max: 12 }), { maxLength: 20 }),
    }),
    ({ chunks, cuts }) => {
      const ours = new ResumableStream({ maxUnacknowledgedBytes: 400 });
      const theirs = new ResumableStream({ acknowledgeBytes: 100 });
      const got: number[] = [];
      const todo = [...chunks];
      let hasEnded = false;
      let sentEnd = false;
      const deliver = (bytes: Uint8Array) => {
        const received = theirs.receive(decodeResume(bytes));
        if (received === "end") hasEnded = true;
        else if (received !== undefined) got.push(...received);
      };
      for (const cut of [...cuts, Infinity]) {
        // A connection that carries `cut` messages there, and half as many acknowledgements back.
        let there = cut;
        let back = Math.floor(cut / 2);
        const flow = [...ours.unacknowledged(theirs.received)];
        for (;;) {
          const next = flow.shift() ??
            (todo.length > 0 && !ours.isFull
              ? ours.send(todo.shift()!)
              : todo.length === 0 && !sentEnd
              ? (sentEnd = true, ours.end())
              : undefined);
          if (next !== undefined && there-- > 0) deliver(next);
          const ack = theirs.acknowledgement(next === undefined);
          if (ack !== undefined && back-- > 0) ours.receive(decodeResume(ack));
          if (
            there < 0 || back < 0 || next === undefined && ack === undefined
          ) {
            break;
          }
        }
      }
      assertEquals(got, chunks.flatMap((chunk) => [...chunk]));
      assert(hasEnded);
    },
  );
});
