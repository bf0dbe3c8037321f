/** How a link between two hosts behaves, in each of its directions. */
export interface LinkOptions {
  /** Milliseconds that a packet is under way. @default {1} */
  latencyMs?: number;
  /** Up to this many milliseconds more, at random; the order within a connection stays. @default {0} */
  jitterMs?: number;
  /** What all connections of the link carry together, in bytes per second. @default {Infinity} */
  bytesPerSecond?: number;
  /** Share of the packets that are lost, from 0 to below 1; they are sent again later, which delays what follows. @default {0} */
  lossRate?: number;
  /** Connections are reset after a random time, in milliseconds on average. @default {Infinity} */
  meanLifetimeMs?: number;
}

/** The defaults of {@linkcode LinkOptions}. */
export const DEFAULT_LINK_OPTIONS: Required<LinkOptions> = {
  latencyMs: 1,
  jitterMs: 0,
  bytesPerSecond: Infinity,
  lossRate: 0,
  meanLifetimeMs: Infinity,
};

/** How long TCP waits for an acknowledgement at first; Linux's TCP_RTO_MIN. */
export const RETRANSMIT_MS = 200;

/**
 * Puts `given` over `defaults`.
 *
 * @throws {RangeError} If a value is negative, or the loss is total.
 */
export function completeLink(
  given: LinkOptions,
  defaults: Required<LinkOptions>,
): Required<LinkOptions> {
  const options = { ...defaults, ...given };
  for (const [name, value] of Object.entries(options)) {
    if (!(name in DEFAULT_LINK_OPTIONS)) {
      throw new TypeError(
        `Cannot use a link: the options are ${
          Object.keys(DEFAULT_LINK_OPTIONS).join(", ")
        }: current value is "${name}"`,
      );
    }
    if (!(value >= 0)) {
      throw new RangeError(
        `Cannot use a link: '${name}' must be 0 or more: current value is ${value}`,
      );
    }
  }
  if (options.lossRate >= 1) {
    throw new RangeError(
      `Cannot use a link: 'lossRate' must be below 1: current value is ${options.lossRate}`,
    );
  }
  return options;
}

/** One direction of a link: tells when what departs arrives. Pure: the caller brings time and chance. */
export class Link {
  /** False while nothing gets through. */
  up = true;
  /** How it behaves from now on. */
  options: Required<LinkOptions>;
  readonly #random: () => number;
  /** When what has departed so far is on its way. */
  #freeMs = 0;

  /** Draws loss and jitter from `random`. */
  constructor(options: Required<LinkOptions>, random: () => number) {
    this.options = options;
    this.#random = random;
  }

  /** When `bytes` that depart at `nowMs` arrive; a packet that is lost is sent again, each time after twice the wait. */
  arrivalMs(bytes: number, nowMs: number): number {
    const { latencyMs, jitterMs, bytesPerSecond, lossRate } = this.options;
    const departMs = Math.max(nowMs, this.#freeMs) +
      bytes / bytesPerSecond * 1000;
    this.#freeMs = departMs;
    let delayMs = latencyMs + this.#random() * jitterMs;
    for (let waitMs = RETRANSMIT_MS; this.#random() < lossRate; waitMs *= 2) {
      delayMs += waitMs;
    }
    return departMs + delayMs;
  }

  /** After how many milliseconds a connection over this link is reset: exponential, as failures without memory are. */
  lifetimeMs(): number {
    const { meanLifetimeMs } = this.options;
    const drawn = -Math.log(1 - this.#random());
    return meanLifetimeMs === Infinity ? Infinity : drawn * meanLifetimeMs;
  }
}
