const PORTS = 65_536;

/** The ports of one external address and protocol, each taken at most once. Pure: the caller brings chance. */
export class PortPool {
  readonly #taken = new Uint32Array(PORTS / 32);
  readonly #random: () => number;

  /** Has all ports free; `random` is in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Whether a port is taken. */
  has(port: number): boolean {
    return (this.#taken[port >>> 5]! >>> (port & 31) & 1) === 1;
  }

  /** Takes a port. */
  add(port: number): void {
    this.#taken[port >>> 5]! |= 1 << (port & 31);
  }

  /** Gives a port back. */
  delete(port: number): void {
    this.#taken[port >>> 5]! &= ~(1 << (port & 31));
  }

  /**
   * A free port from `first` to `last`, at random; with `parity`, an odd one for 1, an even one for 0. Undefined if
   * none is left. Looks at 32 ports at a time, so that a pool that is used up costs little.
   */
  find(first: number, last: number, parity?: number): number | undefined {
    const wanted = parity === undefined
      ? 0xffffffff
      : parity === 0
      ? 0x55555555
      : 0xaaaaaaaa;
    const low = first >>> 5;
    const words = (last >>> 5) - low + 1;
    const start = Math.floor(this.#random() * words);
    for (let index = 0; index < words; index++) {
      const word = low + (start + index) % words;
      let free = ~this.#taken[word]! & wanted;
      if (word === first >>> 5) free &= -1 << (first & 31);
      if (word === last >>> 5) free &= -1 >>> (31 - (last & 31));
      if (free === 0) continue;
      // From a bit at random on, around the word.
      const from = Math.floor(this.#random() * 32);
      const above = free & -1 << from;
      return word * 32 + lowestBit(above === 0 ? free : above);
    }
    return undefined;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
