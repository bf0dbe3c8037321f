/** Measurements of a run of any length, in bounded memory. */
export class Samples {
  readonly #kept: Float64Array;
  #length = 0;
  #stride = 1;
  #skip = 0;

  /** Keeps at most `capacity` measurements, spread evenly over the run. */
  constructor(capacity = 1 << 19) {
    this.#kept = new Float64Array(capacity);
  }

  /** Adds a measurement. */
  add(value: number): void {
    if (--this.#skip > 0) return;
    if (this.#length === this.#kept.length) this.#halve();
    this.#skip = this.#stride;
    this.#kept[this.#length++] = value;
  }

  /** The measurements that were kept, in order. */
  get values(): Float64Array {
    return this.#kept.subarray(0, this.#length);
  }

  /** Keeps every second, and of those to come as few. */
  #halve(): void {
    this.#length = Math.ceil(this.#length / 2);
    for (let index = 1; index < this.#length; index++) {
      this.#kept[index] = this.#kept[index * 2]!;
    }
    this.#stride *= 2;
  }
}
