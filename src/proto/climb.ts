/**
 * When to try which of several roads: one after the other, each with a head start before the next, which begins at once
 * when all that were begun have failed (RFC 8305, section 5). It does nothing by itself: its time is passed in.
 */
export class Climb {
  /** Indexes of the roads that are still to be begun, in their order. */
  readonly #order: number[];
  readonly #headStartMs: number;
  #underWay = 0;
  #nextMs: number;

  /** Starts with `preferred`, if there is one, and goes on with the others of `count` roads as given. */
  constructor(
    count: number,
    preferred: number | undefined,
    headStartMs: number,
    nowMs: number,
  ) {
    const given = Array.from({ length: count }, (_, index) => index);
    this.#order = preferred === undefined
      ? given
      : [preferred, ...given.filter((index) => index !== preferred)];
    this.#headStartMs = headStartMs;
    this.#nextMs = nowMs;
  }

  /** The road to begin now; undefined if it is not time yet, or all were begun. */
  next(nowMs: number): number | undefined {
    if (nowMs < this.#nextMs) return undefined;
    const index = this.#order.shift();
    if (index === undefined) return undefined;
    this.#underWay++;
    this.#nextMs = nowMs + this.#headStartMs;
    return index;
  }

  /** Milliseconds until another begins; undefined if none will. */
  waitMs(nowMs: number): number | undefined {
    return this.#order.length === 0
      ? undefined
      : Math.max(0, this.#nextMs - nowMs);
  }

  /** One that was begun came to nothing. */
  failed(nowMs: number): void {
    if (--this.#underWay === 0) this.#nextMs = nowMs;
  }

  /** Whether all were begun and none of them is under way. */
  get isLost(): boolean {
    return this.#underWay === 0 && this.#order.length === 0;
  }
}

/** Which road won, by network, for a while. */
export class WinnerMemory {
  readonly #keepMs: number;
  readonly #maxNetworks: number;
  readonly #winners = new Map<string, { road: string; untilMs: number }>();

  /** Remembers for `keepMs`, of `maxNetworks` networks at most. */
  constructor(keepMs: number, maxNetworks = 100) {
    this.#keepMs = keepMs;
    this.#maxNetworks = maxNetworks;
  }

  /** The road that won last in `network`, if that is not too long ago. */
  recall(network: string, nowMs: number): string | undefined {
    const winner = this.#winners.get(network);
    return winner !== undefined && nowMs < winner.untilMs
      ? winner.road
      : undefined;
  }

  /**
   * Notes that `road` has won. One that wins because it was remembered is not remembered any longer for it, or a better
   * road that was closed for a moment would never be tried again.
   */
  remember(network: string, road: string, nowMs: number): void {
    if (this.recall(network, nowMs) === road) return;
    this.#winners.delete(network);
    if (this.#winners.size >= this.#maxNetworks) {
      const [oldest] = this.#winners.keys();
      this.#winners.delete(oldest!);
    }
    this.#winners.set(network, { road, untilMs: nowMs + this.#keepMs });
  }
}
