import type { Deframer, Framing, Wire } from "../framing/framing.ts";

/** The same wire, whose deframers throw when a result breaks the contract of {@linkcode Deframer}. */
export function strictWire<In, Out>(wire: Wire<In, Out>): Wire<In, Out> {
  const { codec, framing } = wire;
  return { codec, framing: new StrictFraming(framing) };
}

class StrictFraming implements Framing {
  readonly name: string;
  readonly maxFrameBytes: number;
  readonly begin: Framing["begin"];
  readonly end: Framing["end"];
  readonly #framing: Framing;

  constructor(framing: Framing) {
    this.name = framing.name;
    this.maxFrameBytes = framing.maxFrameBytes;
    this.begin = framing.begin.bind(framing);
    this.end = framing.end.bind(framing);
    this.#framing = framing;
  }

  deframer(): Deframer {
    return new StrictDeframer(this.#framing.deframer());
  }
}

class StrictDeframer implements Deframer {
  readonly #deframer: Deframer;

  constructor(deframer: Deframer) {
    this.#deframer = deframer;
  }

  get maxFrameBytes(): number {
    return this.#deframer.maxFrameBytes;
  }
  set maxFrameBytes(value: number) {
    this.#deframer.maxFrameBytes = value;
  }
  get start(): number {
    return this.#deframer.start;
  }
  get end(): number {
    return this.#deframer.end;
  }
  get wanted(): number {
    return this.#deframer.wanted;
  }

  next(bytes: Uint8Array, from: number, to: number): number {
    return this.#checked(this.#deframer.next(bytes, from, to), from, to);
  }

  finish(bytes: Uint8Array, from: number, to: number): number {
    return this.#checked(this.#deframer.finish(bytes, from, to), from, to);
  }

  #checked(result: number, from: number, to: number): number {
    if (result === -1) return result;
    const { start, end } = this.#deframer;
    const inside = from <= start && start <= end && end <= result;
    if (!inside || result > to) {
      throw new Error(
        `Frame [${start}, ${end}) that ends at ${result} is not in [${from}, ${to})`,
      );
    }
    if (result === from) {
      throw new Error(`Frame at ${from} takes no byte, so reading never ends`);
    }
    return result;
  }
}
