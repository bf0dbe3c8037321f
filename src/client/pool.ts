import { alarm, type Clock, systemClock } from "../io/clock.ts";
import { Backoff } from "../proto/resilience/backoff.ts";
import type { Timer } from "../proto/timer_wheel.ts";
import {
  PoolClosedError,
  PoolFullError,
  PoolTimeoutError,
} from "./pool_errors.ts";
import { withTimeLimit } from "./time_limit.ts";
import { WaitQueue } from "./wait_queue.ts";

/** Why a pool destroyed a resource. */
export type PoolDestroyReason =
  /** It was idle for `idleMs`, and more than `min` were there. */
  | "idle"
  /** `isAlive` or `check` refused it. */
  | "unhealthy"
  /** Its borrower discarded it. */
  | "discarded"
  /** The pool is being drained. */
  | "drained";

/** What a pool tells its observer. */
export type PoolEvent =
  /** A resource was created. */
  | { type: "created" }
  /** `create` failed, or took too long. */
  | { type: "create failed"; error: unknown }
  /** A resource was given to `destroy`; `error` is what the check threw, if that was why. */
  | { type: "destroyed"; reason: PoolDestroyReason; error?: unknown }
  /** `destroy` failed. */
  | { type: "destroy failed"; error: unknown };

/** Options of {@linkcode createPool}. */
export interface PoolOptions<T> {
  /** Makes a resource; `signal` is aborted after `createMs`. */
  create: (signal: AbortSignal) => T | Promise<T>;
  /** Ends a resource. */
  destroy: (resource: T) => unknown;
  /** Tells at once whether a resource is still good: asked when it comes back and before it is handed out. */
  isAlive?: (resource: T) => boolean;
  /** Tells whether a resource that was idle for `checkAfterMs` is still good, by a ping for example; it may throw. */
  check?: (resource: T, signal: AbortSignal) => boolean | Promise<boolean>;
  /** Resources that are kept even if nobody needs them. @default {0} */
  min?: number;
  /** Resources at a time. @default {10} */
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
  /** Spreads attempts to make up `min` after failures; numbers in [0, 1). @default {Math.random} */
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

interface Entry<T> {
  readonly resource: T;
  idleSinceMs: number;
}

/** A borrowed resource. `await using` gives it back at the end of the block. Made by {@linkcode Pool.take}. */
export class Lease<T> implements Disposable, AsyncDisposable {
  /** What was borrowed; not to be used after it was given back. */
  readonly resource: T;
  #end: ((discard: boolean) => void) | undefined;

  /** Use {@linkcode Pool.take}. */
  constructor(resource: T, end: (discard: boolean) => void) {
    this.resource = resource;
    this.#end = end;
  }

  /** Gives the resource back; does nothing the second time. */
  release(): void {
    const end = this.#end;
    this.#end = undefined;
    end?.(false);
  }

  /** Gives the resource back to be destroyed, because it is broken. */
  discard(): void {
    const end = this.#end;
    this.#end = undefined;
    end?.(true);
  }

  /** Gives the resource back. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** Gives the resource back. */
  [Symbol.asyncDispose](): Promise<void> {
    this.release();
    return Promise.resolve();
  }
}
