import { RPC_CODES } from "./errors.ts";
import type { RpcOutcome } from "./messages.ts";
import { NODE_BYTES } from "../codec/work_limits.ts";
import { snapshot } from "./snapshot.ts";

/** How long answers are kept for callers that ask again, and how many. `Infinity` switches a limit off. */
export interface DedupeLimits {
  /** Milliseconds that an answer is kept after it was given. @default {60_000} */
  ms?: number;
  /** Calls that are kept at most, running ones included. @default {100_000} */
  maxEntries?: number;
  /** Bytes that keys and answers may take, by estimate. @default {67_108_864} */
  maxBytes?: number;
}

/** The defaults of {@linkcode DedupeLimits}. */
export const DEFAULT_DEDUPE_LIMITS: Required<DedupeLimits> = {
  ms: 60_000,
  maxEntries: 100_000,
  maxBytes: 64 * 1024 * 1024,
};

/** A call that is carried out once, however many ask for it. */
export interface DedupeEntry<Caller> {
  /** What it is known by. */
  readonly key: string;
  /** What is called. */
  readonly method: string;
  /** On whose behalf it runs. */
  readonly first: Caller;
  /** Who waits for the outcome, the first one included. */
  readonly callers: Set<Caller>;
  /** What became of it; undefined while it runs. */
  outcome: RpcOutcome | undefined;
  /** What it takes. */
  bytes: number;
  /** When it is forgotten. */
  expiresMs: number;
}

/** What is told to those who ask for an answer that was not kept. */
const NOT_KEPT: RpcOutcome = {
  error: {
    code: RPC_CODES.answerNotKept,
    message: "The call was carried out before, and its answer was not kept",
  },
};

/** Bytes of an entry beside its key and its answer. */
const ENTRY_BYTES = 12 * NODE_BYTES;

/**
 * Remembers calls by their idempotency keys, so that each is carried out once within the window. What it remembers is
 * never dropped before its time: when the window is full, new calls are refused, which is safe, where a forgotten one
 * would be carried out twice.
 *
 * @example Usage
 * ```ts
 * import { DedupeWindow } from "./dedupe_window.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const window = new DedupeWindow<string>({ ms: 1000 });
 * const entry = window.open("order-17", "pay", "ann", 0)!;
 * assertEquals(window.settle(entry, { result: "paid" }, 20), {
 *   result: "paid",
 * });
 * assertEquals(window.get("order-17", 1019)?.outcome, { result: "paid" });
 * assertEquals(window.get("order-17", 1020), undefined);
 * ```
 */
export class DedupeWindow<Caller> {
  readonly #limits: Required<DedupeLimits>;
  readonly #running = new Map<string, DedupeEntry<Caller>>();
  /** In the order in which they expire. */
  readonly #settled = new Map<string, DedupeEntry<Caller>>();
  #bytes = 0;

  /** Starts empty. */
  constructor(limits: DedupeLimits = {}) {
    this.#limits = { ...DEFAULT_DEDUPE_LIMITS, ...limits };
  }

  /** Calls that are remembered. */
  get size(): number {
    return this.#running.size + this.#settled.size;
  }

  /** What they take, by estimate. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The call with `key`, if it runs or was answered less than `ms` ago. */
  get(key: string, nowMs: number): DedupeEntry<Caller> | undefined {
    this.#expire(nowMs);
    return this.#running.get(key) ?? this.#settled.get(key);
  }

  /** Remembers a call that begins; undefined if there is no room for it. `key` must be new. */
  open(
    key: string,
    method: string,
    first: Caller,
    nowMs: number,
  ): DedupeEntry<Caller> | undefined {
    this.#expire(nowMs);
    const bytes = ENTRY_BYTES + 2 * key.length;
    const { maxEntries, maxBytes } = this.#limits;
    if (this.size >= maxEntries || this.#bytes + bytes > maxBytes) {
      return undefined;
    }
    const entry: DedupeEntry<Caller> = {
      key,
      method,
      first,
      callers: new Set([first]),
      outcome: undefined,
      bytes,
      expiresMs: Infinity,
    };
    this.#running.set(key, entry);
    this.#bytes += bytes;
    return entry;
  }

  /** Notes what became of a running call, and returns what its callers are told. */
  settle(
    entry: DedupeEntry<Caller>,
    outcome: RpcOutcome,
    nowMs: number,
  ): RpcOutcome {
    const kept = snapshot(outcome, this.#limits.maxBytes - this.#bytes);
    entry.outcome = kept === undefined ? NOT_KEPT : kept.value as RpcOutcome;
    entry.bytes += kept?.bytes ?? 0;
    this.#bytes += kept?.bytes ?? 0;
    entry.expiresMs = nowMs + this.#limits.ms;
    entry.callers.clear();
    this.#running.delete(entry.key);
    this.#settled.set(entry.key, entry);
    return kept === undefined ? outcome : entry.outcome;
  }

  #expire(nowMs: number): void {
    for (const [key, entry] of this.#settled) {
      if (entry.expiresMs > nowMs) return;
      this.#settled.delete(key);
      this.#bytes -= entry.bytes;
    }
  }
}
