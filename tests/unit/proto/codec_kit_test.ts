import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Codec } from "../../../src/proto/codec/codec.ts";
import { json } from "../../../src/proto/codec/json.ts";
import { text } from "../../../src/proto/codec/text.ts";
import { checkWire } from "../../../src/proto/codec_kit.ts";
import { RemoteProtocolError } from "../../../src/proto/errors.ts";
import { delimited, lines } from "../../../src/proto/framing/delimited.ts";
import type { Deframer, Wire } from "../../../src/proto/framing/framing.ts";
import { lengthPrefixed } from "../../../src/proto/framing/length_prefixed.ts";

const SAMPLES = ["hello", "", "x".repeat(40)];

/** A sound wire whose deframer differs in what is given. */
function framedBy(
  change: (sound: Deframer) => Partial<Deframer> & ThisType<Deframer>,
): Wire<string> {
  const { codec, framing } = lengthPrefixed(text());
  return {
    codec,
    framing: {
      name: "broken",
      maxFrameBytes: framing.maxFrameBytes,
      begin: (writer) => framing.begin(writer),
      end: (writer, mark) => framing.end(writer, mark),
      deframer() {
        const sound = framing.deframer();
        const deframer: Deframer = {
          maxFrameBytes: sound.maxFrameBytes,
          start: 0,
          end: 0,
          wanted: 0,
          next(bytes, from, to) {
            sound.maxFrameBytes = this.maxFrameBytes;
            const result = sound.next(bytes, from, to);
            this.start = sound.start;
            this.end = sound.end;
            return result;
          },
          finish: (bytes, from, to) => sound.finish(bytes, from, to),
        };
        return Object.assign(deframer, change(sound));
      },
    },
  };
}

function codedBy(change: Partial<Codec<string>>): Wire<string> {
  return lengthPrefixed({ ...text(), ...change });
}

function assertFails(wire: Wire<string>, ...words: string[]): void {
  const error = assertThrows(() => checkWire(wire, SAMPLES, { seed: 77 }));
  assert(error instanceof Error);
  for (const word of [...words, "(seed 77)"]) {
    assert(error.message.includes(word), error.message);
  }
}

Deno.test("checkWire() reports what it did, the same for the same seed", () => {
  const wire = lengthPrefixed(json());
  const report = checkWire(wire, [{ a: 1 }, null], { mutations: 50, seed: 3 });
  assertEquals(report.samples, 2);
  assertEquals(report.streamBytes, 19);
  assertEquals(report.splits, 20);
  assertEquals(report.truncations, 19);
  assertEquals(report.mutations, 100);
  assert(report.refusals > 0 && report.refusals <= 100);
  assertEquals(
    checkWire(wire, [{ a: 1 }, null], { mutations: 50, seed: 3 }),
    report,
  );
});

Deno.test("checkWire() draws the cuts of long streams", () => {
  const report = checkWire(lengthPrefixed(text()), ["x".repeat(5000)], {
    maxCuts: 10,
    mutations: 1,
  });
  assertEquals(report.splits, 10);
  assertEquals(report.truncations, 10);
});

Deno.test("checkWire() throws RangeError when there are no samples", () => {
  assertThrows(() => checkWire(lines(text()), []), RangeError);
});

Deno.test("checkWire() finds a codec that does not give back what it got", () => {
  assertFails(
    codedBy({ decode: (frame) => text().decode(frame).toUpperCase() }),
    "read back sample 0",
    "Message 0 differs",
  );
  const swap = { equal: (a: string, b: string) => a === b.toUpperCase() };
  checkWire(
    codedBy({ decode: (frame) => text().decode(frame).toUpperCase() }),
    SAMPLES,
    swap,
  );
});

Deno.test("checkWire() finds a sample that cannot be written", () => {
  const wire = delimited(text(), { delimiter: "l" });
  assertFails(wire, "write sample 0", "contains the delimiter");
});

Deno.test("checkWire() finds a codec that fails with another error", () => {
  const fragile = codedBy({
    decode(frame) {
      const message = text().decode(frame);
      if (message !== "" && !SAMPLES.includes(message)) {
        throw new TypeError("Undefined is not a function");
      }
      return message;
    },
  });
  assertFails(fragile, "survive mutation", "Undefined is not a function");
});

Deno.test("checkWire() finds a deframer that looks past the end", () => {
  const wire = framedBy((sound) => ({
    next(bytes, from) {
      const result = sound.next(bytes, from, bytes.length);
      this.start = sound.start;
      this.end = sound.end;
      return result;
    },
  }));
  assertFails(wire, "is not in");
});

Deno.test("checkWire() finds a deframer that takes what follows the frame", () => {
  const wire = framedBy((sound) => ({
    next(bytes, from, to) {
      const result = sound.next(bytes, from, to);
      this.start = sound.start;
      this.end = sound.end;
      return result < 0 ? result : to;
    },
  }));
  assertFails(wire);
});

Deno.test("checkWire() finds a deframer that believes in offset 0", () => {
  const wire = framedBy((sound) => ({
    next(bytes, from, to) {
      const result = sound.next(bytes, from, to);
      this.start = 4;
      this.end = sound.end;
      return result;
    },
  }));
  assertFails(wire);
});

Deno.test("checkWire() finds a deframer that takes the header for consumed", () => {
  const wire = framedBy((sound) => {
    let headerBytes = 0;
    return {
      next(bytes, from, to) {
        const result = sound.next(bytes, from + headerBytes, to);
        headerBytes = result < 0 && to - from >= 4 ? 4 : 0;
        this.start = sound.start;
        this.end = sound.end;
        return result;
      },
    };
  });
  assertFails(wire, "read the stream");
});

Deno.test("checkWire() finds a value made of a cut-off frame", () => {
  const wire = framedBy(() => ({
    finish(_bytes, from, to) {
      this.start = from;
      this.end = to;
      return from === to ? -1 : to;
    },
  }));
  assertFails(wire, "cut off at 1", "truncated");
  assertThrows(() => checkWire(lines(text()), ["ab"]), Error, "cut off");
  checkWire(lines(text()), ["ab"], { allowUnterminated: true });
});

Deno.test("checkWire() finds a cut-off frame that is passed over in silence", () => {
  assertFails(framedBy(() => ({ finish: () => -1 })), "cut off", "truncated");
});

Deno.test("checkWire() finds a maximum that is off by one", () => {
  const shifted = (by: number): Wire<string> =>
    framedBy((sound) => ({
      next(bytes, from, to) {
        sound.maxFrameBytes = this.maxFrameBytes + by;
        const result = sound.next(bytes, from, to);
        this.start = sound.start;
        this.end = sound.end;
        return result;
      },
    }));
  assertFails(shifted(-1), "at its maximum");
  assertFails(shifted(1), "one byte over the maximum");
});

Deno.test("checkWire() finds a maximum that is only known after buffering", () => {
  const wire = framedBy((sound) => ({
    next(bytes, from, to) {
      const result = sound.next(bytes, from, to);
      this.start = sound.start;
      this.end = sound.end;
      if (result >= 0 && this.end - this.start > this.maxFrameBytes) {
        throw new RemoteProtocolError("frame_too_large", "Too late");
      }
      return result;
    },
  }));
  assertFails(wire, "one byte over the maximum");
});

Deno.test("checkWire() finds a deframer that never gets on", () => {
  const wire = framedBy((sound) => ({
    next(bytes, from, to) {
      const result = sound.next(bytes, from, to);
      this.start = sound.start;
      this.end = sound.end;
      // An empty frame is found again and again.
      if (this.start === this.end) this.start = this.end = from;
      return this.start === this.end ? from : result;
    },
  }));
  assertFails(wire, "reading never ends");
});
