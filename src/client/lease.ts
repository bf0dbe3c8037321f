/** Where a lease goes back to. */
export interface Lender<T> {
  /** The lease has ended; `broken` if its resource must not be lent again. */
  returned(lease: Lease<T>, broken: boolean): void;
}

/**
 * A borrowed resource; `using` or `await using` gives it back at the end of the block. Made by {@linkcode Pool.take}.
 *
 * @example Usage
 * ```ts
 * import { createPool } from "./pool.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = createPool({ create: () => new Map(), destroy() {} });
 * {
 *   await using lease = await pool.take();
 *   lease.resource.set("port", "Genova");
 *   assertEquals(pool.lent, 1);
 * }
 * assertEquals(pool.lent, 0);
 * ```
 */
export class Lease<T> implements Disposable, AsyncDisposable {
  /** What was borrowed; not to be used after it was given back. */
  readonly resource: T;
  #lender: Lender<T> | undefined;

  /** Use {@linkcode Pool.take}. */
  constructor(resource: T, lender: Lender<T>) {
    this.resource = resource;
    this.#lender = lender;
  }

  /** Gives the resource back; does nothing if it was given back before. */
  release(): void {
    this.#return(false);
  }

  /** Gives the resource back because it is broken: the pool destroys it. */
  discard(): void {
    this.#return(true);
  }

  #return(broken: boolean): void {
    const lender = this.#lender;
    this.#lender = undefined;
    lender?.returned(this, broken);
  }

  /** Gives the resource back. */
  [Symbol.dispose](): void {
    this.#return(false);
  }

  /** Gives the resource back. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#return(false);
    return Promise.resolve();
  }
}
