/** Settles as `p` does, or rejects with the signal's reason if that is first. */
export function abortable<T>(p: Promise<T>, signal: AbortSignal): Promise<T>;
/** Iterates `p` until it ends, or throws the signal's reason. */
export function abortable<T>(
  p: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T>;

/** Options of {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Ends the wait early, with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Settles as `p` does, or rejects with a `TimeoutError` after `ms`
 * milliseconds.
 */
export function deadline<T>(
  p: Promise<T>,
  ms: number,
  options?: DeadlineOptions,
): Promise<T>;

/** A function whose calls wait until no other follows. */
export interface DebouncedFunction<T extends unknown[]> {
  /** Calls the function after the wait, unless called again meanwhile. */
  (...args: T): void;
  /** Forgets the waiting call. */
  clear(): void;
  /** Makes the waiting call at once. */
  flush(): void;
  /** Tells whether a call is waiting. */
  readonly pending: boolean;
}

/** Options of {@linkcode debounce}. */
export interface DebounceOptions {
  /** Forgets the waiting call when aborted. */
  signal?: AbortSignal;
}

/** Makes a function whose calls wait `wait` ms until no other follows. */
export function debounce<T extends unknown[]>(
  fn: (this: DebouncedFunction<T>, ...args: T) => void,
  wait: number,
  options?: DebounceOptions,
): DebouncedFunction<T>;

/** Options of {@linkcode delay}. */
export interface DelayOptions {
  /** Ends the wait early, with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Whether the wait keeps the process alive.
   *
   * @default {true}
   */
  persistent?: boolean;
}

/** Resolves after `ms` milliseconds. */
export function delay(ms: number, options?: DelayOptions): Promise<void>;

/** Joins several async iterables into one, in the order of arrival. */
export class MuxAsyncIterator<T> implements AsyncIterable<T> {
  /** Adds an iterable. */
  add(iterable: AsyncIterable<T>): void;
  /** Iterates over what all of them yield. */
  iterate(): AsyncIterableIterator<T>;
  /** Iterates over what all of them yield. */
  [Symbol.asyncIterator](): AsyncIterator<T>;
}

/** Options of {@linkcode poll}. */
export interface PollOptions {
  /** Ends the polling, with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Time between two calls, in milliseconds.
   *
   * @default {1000}
   */
  interval?: number;
}

/** Calls `fn` again and again until `isDone` accepts its result. */
export function poll<T>(
  fn: () => T | PromiseLike<T>,
  isDone: (result: T) => boolean,
  options?: PollOptions,
): Promise<T>;

/** Maps an iterable with at most `poolLimit` calls running at a time. */
export function pooledMap<T, R>(
  poolLimit: number,
  array: Iterable<T> | AsyncIterable<T>,
  iteratorFn: (data: T) => Promise<R>,
): AsyncIterableIterator<R>;

/** Thrown by {@linkcode retry} after the last attempt; `cause` tells why. */
export class RetryError extends Error {
  /** Makes the error from the last failure and the number of attempts. */
  constructor(cause: unknown, attempts: number);
}

/** Options of {@linkcode retry}. */
export interface RetryOptions {
  /**
   * Factor between two waits.
   *
   * @default {2}
   */
  multiplier?: number;
  /**
   * Longest wait, in milliseconds.
   *
   * @default {60000}
   */
  maxTimeout?: number;
  /**
   * Attempts in all.
   *
   * @default {5}
   */
  maxAttempts?: number;
  /**
   * First wait, in milliseconds.
   *
   * @default {1000}
   */
  minTimeout?: number;
  /**
   * Share of each wait that is random, from 0 to 1.
   *
   * @default {1}
   */
  jitter?: number;
  /** Tells whether an error is worth another attempt; all are by default. */
  isRetriable?: (error: unknown) => boolean;
  /** Ends the waiting, with the signal's reason. */
  signal?: AbortSignal;
}

/** Calls `fn` until it succeeds, waiting longer after each failure. */
export function retry<T>(
  fn: (() => Promise<T>) | (() => T),
  options?: RetryOptions,
): Promise<T>;

/** Branches an async iterable into `n` (2 by default) that all see it whole. */
export function tee<T>(
  iterable: AsyncIterable<T>,
  n?: number,
): AsyncIterable<T>[];
