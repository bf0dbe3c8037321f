/** Remembers where sources were sent. */
export class StickySources {
  /** The one that was seen last is last. */
  readonly #homes = new Map<string, { backend: string; seenMs: number }>();

  /** Where `source` was sent, if that was not before `sinceMs`. */
  find(source: string | undefined, sinceMs: number): string | undefined {
    const home = source === undefined ? undefined : this.#homes.get(source);
    return home !== undefined && home.seenMs >= sinceMs
      ? home.backend
      : undefined;
  }

  /** Remembers where it was sent; keeps no more than `most`. */
  set(
    source: string | undefined,
    backend: string,
    seenMs: number,
    most: number,
  ): void {
    if (source === undefined) return;
    this.#homes.delete(source);
    this.#homes.set(source, { backend, seenMs });
    for (const oldest of this.#homes.keys()) {
      if (this.#homes.size <= most) return;
      this.#homes.delete(oldest);
    }
  }
}
