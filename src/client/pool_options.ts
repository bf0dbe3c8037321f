import { type Clock, systemClock } from "../io/clock.ts";

/** Why a pool destroyed a resource. */
export type PoolDestroyReason =
  /** It was idle for `idleMs`, and more than `min` were there. */
  | "idle"
  /** `isAlive` or `check` refused it. */
  | "unhealthy"
  /** Its borrower discarded it. */
  | "discarded"
  /** `create` brought it after its time was up. */
  | "late"
  /** The pool is being drained. */
  | "drained";

/** What a pool tells its observer. */
export type PoolEvent =
  /** A resource was created. */
  | { type: "created" }
  /** `create` failed, or took too long. */
  | { type: "create failed"; error: unknown }
  /** A resource was given to `destroy`; `error` is what its check threw, if that was why. */
  | { type: "destroyed"; reason: PoolDestroyReason; error?: unknown }
  /** `destroy` failed. */
  | { type: "destroy failed"; error: unknown };

/** Options of {@linkcode createPool}. */
export interface PoolOptions<T> {
  /** Makes a resource; `signal` is aborted after `createMs`. */
  create: (signal: AbortSignal) => T | Promise<T>;
  /** Ends a resource. */
  destroy: (resource: T) => unknown;
  /** Tells at once whether a resource is still good; asked when it comes back and before it is handed out. */
  isAlive?: (resource: T) => boolean;
  /** Tells whether a resource that was idle for `checkAfterMs` is still good, for example by a ping; it may throw. */
  check?: (resource: T, signal: AbortSignal) => boolean | Promise<boolean>;
  /** Resources that are kept even if nobody needs them. @default {0} */
  min?: number;
  /** Resources at a time, beside those that are being destroyed. @default {10} */
  max?: number;
  /** Milliseconds after which an idle resource is destroyed. @default {60_000} */
  idleMs?: number;
  /** Milliseconds after which an idle resource is checked before it is handed out. @default {5000} */
  checkAfterMs?: number;
  /** Milliseconds that `check` may take. @default {1000} */
  checkMs?: number;
  /** Milliseconds that `create` may take. @default {10_000} */
  createMs?: number;
  /** Borrowers that may wait while all resources are lent; further ones are refused at once. @default {1000} */
  maxWaiters?: number;
  /** Milliseconds that a borrower waits. @default {5000} */
  waitMs?: number;
  /** Is told what happens. */
  observe?: (event: PoolEvent) => void;
  /** Where deadlines take their time from. @default {systemClock} */
  clock?: Clock;
  /** Numbers in [0, 1) that spread the attempts to make up `min` after failures. @default {Math.random} */
  random?: () => number;
}

/** Options of {@linkcode Pool.take}. */
export interface TakeOptions {
  /** Milliseconds to wait; the pool's `waitMs` unless told. */
  waitMs?: number;
  /** Gives up when aborted. */
  signal?: AbortSignal;
}

/** Options of {@linkcode Pool.drain}. */
export interface PoolDrainOptions {
  /** Milliseconds that borrowers get; then their resources are destroyed under them. @default {10_000} */
  deadlineMs?: number;
}

type Defaulted =
  | "min"
  | "max"
  | "idleMs"
  | "checkAfterMs"
  | "checkMs"
  | "createMs"
  | "maxWaiters"
  | "waitMs"
  | "observe"
  | "clock"
  | "random";

/** Options with every default filled in. */
export type CompletePoolOptions<T> =
  & PoolOptions<T>
  & Required<Pick<PoolOptions<T>, Defaulted>>;

const DEFAULTS: Required<Pick<PoolOptions<unknown>, Defaulted>> = {
  min: 0,
  max: 10,
  idleMs: 60_000,
  checkAfterMs: 5000,
  checkMs: 1000,
  createMs: 10_000,
  maxWaiters: 1000,
  waitMs: 5000,
  observe() {},
  clock: systemClock,
  random: Math.random,
};

/** Fills in the defaults; refuses limits that contradict each other. */
export function completePoolOptions<T>(
  options: PoolOptions<T>,
): CompletePoolOptions<T> {
  const complete = { ...DEFAULTS, ...options };
  const { min, max } = complete;
  if (!(max >= 1)) {
    throw new RangeError(
      `Cannot make a pool: 'max' must be at least 1: current value is ${max}`,
    );
  }
  if (!(min >= 0 && min <= max)) {
    throw new RangeError(
      `Cannot make a pool: 'min' must be between 0 and 'max', which is ${max}: current value is ${min}`,
    );
  }
  return complete;
}
