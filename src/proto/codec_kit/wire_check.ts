import { seededRandom } from "../../bytes/random.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { RemoteProtocolError } from "../errors.ts";
import { FrameReader } from "../frame_reader.ts";
import { writeFrame } from "../frame_writer.ts";
import type { Wire } from "../framing/framing.ts";
import { mutate } from "./mutate.ts";
import { sameValue } from "./same_value.ts";
import { strictWire } from "./strict_wire.ts";

/** Options of `checkWire()`. */
export interface CheckWireOptions<In, Out = In> {
  /** Decides every random choice; a failure names it. @default {1} */
  seed?: number;
  /** How many mutated streams and as many mutated payloads to read. @default {1000} */
  mutations?: number;
  /** How many places to cut a stream or a frame at; all of them if it has no more. @default {4096} */
  maxCuts?: number;
  /** Whether the framing delivers a last frame that lacks its end on purpose, as `lines()` does. @default {false} */
  allowUnterminated?: boolean;
  /** Whether what was read is what was sent. @default {sameValue} */
  equal?: (received: In, sent: Out) => boolean;
}

/** What `checkWire()` did. */
export interface WireReport {
  /** Samples that went through unharmed. */
  samples: number;
  /** Bytes of all samples, framed. */
  streamBytes: number;
  /** Places where the stream was cut in two. */
  splits: number;
  /** Places where a frame was cut off. */
  truncations: number;
  /** Mutated streams and payloads that were read. */
  mutations: number;
  /** How many of those ended in a `RemoteProtocolError`. */
  refusals: number;
}

/** The checks of `checkWire()`, each of which throws when it fails. */
export class WireCheck<In, Out> {
  readonly stream: Uint8Array;
  readonly #wire: Wire<In, Out>;
  readonly #samples: readonly Out[];
  readonly #frames: Uint8Array[] = [];
  readonly #options: Required<CheckWireOptions<In, Out>>;
  readonly #random: () => number;

  constructor(
    wire: Wire<In, Out>,
    samples: readonly Out[],
    options: CheckWireOptions<In, Out>,
  ) {
    this.#wire = strictWire(wire);
    this.#samples = samples;
    this.#options = {
      seed: 1,
      mutations: 1000,
      maxCuts: 4096,
      allowUnterminated: false,
      equal: sameValue,
      ...options,
    };
    this.#random = seededRandom(this.#options.seed);
    const writer = new ByteWriter();
    for (const [i, sample] of samples.entries()) {
      const before = writer.length;
      this.#try(`write sample ${i}`, () => writeFrame(wire, sample, writer));
      this.#frames.push(writer.bytes.slice(before, writer.length));
    }
    this.stream = writer.bytes.slice(0, writer.length);
  }

  /** Each frame alone, and the stream byte by byte. */
  roundTrips(): void {
    for (const [i, frame] of this.#frames.entries()) {
      this.#try(`read back sample ${i}`, () => this.#read([frame], i, i + 1));
    }
    const bytes = Array.from(this.stream, (byte) => new Uint8Array([byte]));
    this.#try("read the stream byte by byte", () => this.#read(bytes));
  }

  /** The stream in two chunks, cut at every place. */
  splits(): number {
    const cuts = this.#cuts(this.stream.length + 1);
    for (const cut of cuts) {
      const chunks = [this.stream.subarray(0, cut), this.stream.subarray(cut)];
      this.#try(`read the stream cut at ${cut}`, () => this.#read(chunks));
    }
    return cuts.length;
  }

  /** A frame between foreign bytes, before and after the range given. */
  surroundings(): void {
    for (const [i, frame] of this.#frames.entries()) {
      const bytes = this.#randomBytes(frame.length + 32);
      const from = 16;
      const end = from + frame.length;
      bytes.set(frame, from);
      for (const to of [end, bytes.length]) {
        this.#try(
          `find sample ${i} in [${from}, ${to}) of ${bytes.length} bytes`,
          () => {
            const deframer = this.#wire.framing.deframer();
            expect(deframer.next(bytes, from, to), end, "end of the frame");
          },
        );
      }
    }
  }

  /** Each frame cut off at every place. */
  truncations(): number {
    let count = 0;
    for (const [i, frame] of this.#frames.entries()) {
      for (const cut of this.#cuts(frame.length)) {
        count++;
        this.#try(
          `refuse sample ${i} cut off at ${cut} of ${frame.length} bytes`,
          () => this.#truncation(frame, cut),
        );
      }
    }
    return count;
  }

  #truncation(frame: Uint8Array, cut: number): void {
    const deframer = this.#wire.framing.deframer();
    expect(deframer.next(frame, 0, cut), -1, "result of 'next'");
    let result: number | string;
    try {
      result = deframer.finish(frame, 0, cut);
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      result = error.code;
    }
    if (this.#options.allowUnterminated && result === cut) return;
    expect(result, cut === 0 ? -1 : "truncated", "result of 'finish'");
  }

  /** Each frame at its maximum, and one byte over it: refused before it is complete, if it is more than its payload. */
  maximum(): void {
    for (const [i, frame] of this.#frames.entries()) {
      const deframer = this.#wire.framing.deframer();
      deframer.next(frame, 0, frame.length);
      const payloadBytes = deframer.end - deframer.start;
      if (payloadBytes === 0) continue;
      this.#try(`accept sample ${i} at its maximum`, () => {
        const exact = this.#wire.framing.deframer();
        exact.maxFrameBytes = payloadBytes;
        expect(exact.next(frame, 0, frame.length), frame.length, "end");
      });
      this.#try(`refuse sample ${i} one byte over the maximum`, () => {
        const less = this.#wire.framing.deframer();
        less.maxFrameBytes = payloadBytes - 1;
        const seen = payloadBytes < frame.length
          ? frame.length - 1
          : frame.length;
        const code = refusal(() => less.next(frame, 0, seen));
        expect(code, "frame_too_large", `code after ${seen} bytes`);
      });
    }
  }

  /** Mutated streams through the whole wire, and mutated payloads through the codec alone. */
  mutations(): Pick<WireReport, "mutations" | "refusals"> {
    let refusals = 0;
    for (let round = 0; round < this.#options.mutations; round++) {
      this.#try(`survive mutation ${round} of the stream`, () => {
        refusals += this.#drain(mutate(this.stream, this.#random));
      });
      const frame = this.#frames[this.#below(this.#frames.length)]!;
      const deframer = this.#wire.framing.deframer();
      deframer.next(frame, 0, frame.length);
      const payload = frame.subarray(deframer.start, deframer.end);
      this.#try(`survive mutation ${round} of a payload`, () => {
        const mutant = mutate(payload, this.#random);
        const code = refusal(() => this.#wire.codec.decode(mutant));
        if (code !== undefined) refusals++;
      });
    }
    return { mutations: 2 * this.#options.mutations, refusals };
  }

  /** Reads hostile bytes to their end, in two chunks; 1 if that ended in a refusal. */
  #drain(bytes: Uint8Array): number {
    const reader = new FrameReader(this.#wire);
    const cut = this.#below(bytes.length + 1);
    let refused = 0;
    for (const chunk of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      reader.push(chunk);
      let again = true;
      while (again) {
        again = false;
        try {
          for (const _ of reader);
        } catch (error) {
          if (!(error instanceof RemoteProtocolError)) throw error;
          refused = 1;
          again = error.recoverable;
        }
      }
    }
    return refused;
  }

  /** Reads `chunks` and compares with the samples from `first` to before `end`. */
  #read(
    chunks: readonly Uint8Array[],
    first = 0,
    end = this.#samples.length,
  ): void {
    const reader = new FrameReader(this.#wire);
    let next = first;
    const compare = (): void => {
      for (const received of reader) {
        if (next >= end) throw new Error(`Message ${next} is one too many`);
        if (!this.#options.equal(received, this.#samples[next]!)) {
          throw new Error(`Message ${next} differs from what was sent`);
        }
        next++;
      }
    };
    for (const chunk of chunks) {
      reader.push(chunk);
      compare();
    }
    expect(reader.bufferedBytes, 0, "bytes left over");
    reader.finish();
    compare();
    expect(next, end, "messages");
  }

  /** All integers below `count`, or as many of them as allowed. */
  #cuts(count: number): number[] {
    const { maxCuts } = this.#options;
    return count <= maxCuts
      ? Array.from({ length: count }, (_, i) => i)
      : Array.from({ length: maxCuts }, () => this.#below(count));
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #randomBytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.#below(256));
  }

  #try(what: string, run: () => void): void {
    try {
      run();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(
        `Cannot ${what}: ${reason} (seed ${this.#options.seed})`,
        { cause },
      );
    }
  }
}

/** The code of the `RemoteProtocolError` that `run` throws; undefined if it throws none. */
function refusal(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof RemoteProtocolError) return error.code;
    throw error;
  }
  return undefined;
}

function expect(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) {
    throw new Error(`Expected ${what} ${expected}: current value is ${actual}`);
  }
}
