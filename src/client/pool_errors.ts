/**
 * No resource became free in time. `cause` is why none could be created lately, if that failed.
 *
 * @example Usage
 * ```ts
 * import { createPool } from "./pool.ts";
 * import { PoolTimeoutError } from "./pool_errors.ts";
 * import { assertRejects } from "@std/assert";
 *
 * await using pool = createPool({ create: () => ({}), destroy() {}, max: 1 });
 * await using _lease = await pool.take();
 * await assertRejects(() => pool.take({ waitMs: 1 }), PoolTimeoutError);
 * ```
 */
export class PoolTimeoutError extends Error {
  /** The name that stack traces show. */
  override readonly name = "PoolTimeoutError";
  /** How long it was waited. */
  readonly waitMs: number;

  /** Creates the error. */
  constructor(waitMs: number, cause?: unknown) {
    super(
      `Cannot take from the pool: nothing became free within ${waitMs} ms`,
      cause === undefined ? undefined : { cause },
    );
    this.waitMs = waitMs;
  }
}

/**
 * All resources are lent, and as many borrowers wait as may.
 *
 * @example Usage
 * ```ts
 * import { createPool } from "./pool.ts";
 * import { PoolFullError } from "./pool_errors.ts";
 * import { assertRejects } from "@std/assert";
 *
 * const limits = { max: 1, maxWaiters: 0 };
 * await using pool = createPool({ create: () => ({}), destroy() {}, ...limits });
 * await using _lease = await pool.take();
 * await assertRejects(() => pool.take(), PoolFullError);
 * ```
 */
export class PoolFullError extends Error {
  /** The name that stack traces show. */
  override readonly name = "PoolFullError";

  /** Creates the error. */
  constructor(maxWaiters: number) {
    super(
      `Cannot take from the pool: too many wait already: current value of 'maxWaiters' is ${maxWaiters}`,
    );
  }
}

/**
 * The pool is being drained, or was.
 *
 * @example Usage
 * ```ts
 * import { createPool } from "./pool.ts";
 * import { PoolClosedError } from "./pool_errors.ts";
 * import { assertRejects } from "@std/assert";
 *
 * const pool = createPool({ create: () => ({}), destroy() {} });
 * await pool.drain();
 * await assertRejects(() => pool.take(), PoolClosedError);
 * ```
 */
export class PoolClosedError extends Error {
  /** The name that stack traces show. */
  override readonly name = "PoolClosedError";

  /** Creates the error. */
  constructor() {
    super("Cannot take from the pool: it is being drained, or was");
  }
}
