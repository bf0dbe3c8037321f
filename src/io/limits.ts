/** What one connection may cost. `Infinity` switches a limit off. */
export interface ConnectionLimits {
  /** Milliseconds without a byte from the peer before it is cut off. @default {600_000} */
  idleMs?: number;
  /** Milliseconds from the connection's start until the first whole message, and until `open` is done. @default {30_000} */
  firstMessageMs?: number;
  /** Milliseconds that one frame may take from its first byte to its last. @default {30_000} */
  frameMs?: number;
  /** Milliseconds that a write may make no progress before the peer is cut off. @default {30_000} */
  writeMs?: number;
  /** Milliseconds to wait for the peer to close too after we have. @default {2_000} */
  lingerMs?: number;
  /** Unsent bytes from which on the peer counts as slow: `send` says so, and its requests wait. @default {65_536} */
  slowBytes?: number;
  /** Unsent bytes at which the peer is cut off. @default {8_388_608} */
  maxBufferedBytes?: number;
  /** Messages per second on average; beyond it, reading waits. @default {Infinity} */
  messagesPerSecond?: number;
  /** Bytes per second on average; beyond it, reading waits. @default {Infinity} */
  bytesPerSecond?: number;
}

/** The defaults of {@linkcode ConnectionLimits}. */
export const DEFAULT_CONNECTION_LIMITS: Required<ConnectionLimits> = {
  idleMs: 600_000,
  firstMessageMs: 30_000,
  frameMs: 30_000,
  writeMs: 30_000,
  lingerMs: 2_000,
  slowBytes: 64 * 1024,
  maxBufferedBytes: 8 * 1024 * 1024,
  messagesPerSecond: Infinity,
  bytesPerSecond: Infinity,
};

/**
 * Fills in defaults and refuses what is not a positive number.
 *
 * @throws {RangeError} If a limit is not a number above 0.
 */
export function completeLimits<L extends object>(
  given: L | undefined,
  defaults: Required<L>,
): Required<L> {
  const limits = { ...defaults };
  for (const name of Object.keys(given ?? {}) as (keyof L & string)[]) {
    const value = given![name];
    if (value === undefined) continue;
    if (!(name in defaults)) {
      throw new TypeError(
        `Cannot use limits: the names are ${
          Object.keys(defaults).join(", ")
        } (a wire has maxFrameBytes): current value is "${name}"`,
      );
    }
    if (
      typeof defaults[name] === "number" &&
      !(typeof value === "number" && value > 0)
    ) {
      throw new RangeError(
        `Cannot use limits: '${name}' must be a number above 0: current value is ${value}`,
      );
    }
    limits[name] = value as Required<L>[typeof name];
  }
  return limits;
}
