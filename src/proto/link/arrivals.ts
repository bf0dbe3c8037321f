interface Entry<T> {
  readonly item: T;
  readonly arriveMs: number;
  readonly order: number;
}

function isBefore(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.arriveMs < b.arriveMs ||
    a.arriveMs === b.arriveMs && a.order < b.order;
}

/** What is under way, the next to arrive first; what arrives at the same time keeps its order: a binary heap. */
export class Arrivals<T> {
  readonly #heap: Entry<T>[] = [];
  #order = 0;

  /** When the next one arrives; Infinity if nothing is under way. */
  get nextMs(): number {
    return this.#heap[0]?.arriveMs ?? Infinity;
  }

  /** How many are under way. */
  get size(): number {
    return this.#heap.length;
  }

  /** Sends `item`. */
  add(item: T, arriveMs: number): void {
    const entry = { item, arriveMs, order: this.#order++ };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Takes the next one. */
  take(): T {
    const heap = this.#heap;
    const { item } = heap[0]!;
    const last = heap.pop()!;
    const { length } = heap;
    if (length === 0) return item;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(heap[child + 1]!, heap[child]!)) {
        child++;
      }
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return item;
  }
}
