import { createHash } from "node:crypto";
import { alarm, type Clock, systemClock } from "../io/clock.ts";
import type { Timer } from "../proto/timer_wheel.ts";
import {
  type AuditHead,
  CHECKPOINT_EVENT,
  checkpointText,
  sealRecord,
} from "../proto/security/audit_chain.ts";
import {
  AuditError,
  type AuditEvent,
  auditFields,
  type AuditSink,
} from "./audit.ts";
import type { CheckpointKey } from "./checkpoint.ts";

/** SHA-256 of a text, in hexadecimal. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Where an {@linkcode AuditLog} keeps its lines. */
export interface AuditStore {
  /** The last record that is there. */
  readonly head: AuditHead;
  /** What the first record of this run has to say about what was found, such as a torn line. */
  readonly found: readonly {
    event: string;
    [field: string]: unknown;
  }[];
  /** Appends lines, each with its line feed: all or nothing. */
  append(lines: string): Promise<void>;
  /** Makes sure that what was appended survives a crash of the machine. */
  sync(): Promise<void>;
  /** Keeps the last checkpoint where the end of the log does not take it away. */
  keepCheckpoint(line: string): Promise<void>;
  /** Ends it. */
  close(): Promise<void>;
}

/** Options of {@linkcode AuditLog}. */
export interface AuditLogOptions {
  /**
   * What happens while nothing can be written, as on a full disk. `refuse`: the event is refused, and a login with it.
   * `count`: work goes on, and the next record that can be written tells how many are lost.
   *
   * @default {"refuse"}
   */
  whenFull?: "refuse" | "count";
  /**
   * When records are safe from a crash of the machine: `always` before the event counts as written, `interval` a bounded
   * time later, `never` when the system likes.
   *
   * @default {"always"}
   */
  sync?: "always" | "interval" | "never";
  /** Milliseconds after which `interval` makes records safe. @default {1_000} */
  syncMs?: number;
  /** Signs the chain from time to time. */
  checkpointKey?: CheckpointKey;
  /** Records after which there is a checkpoint. @default {1_000} */
  checkpointRecords?: number;
  /** Milliseconds after a record until there is a checkpoint. @default {60_000} */
  checkpointMs?: number;
  /** Is told each checkpoint, to keep it on another machine. */
  checkpointed?: (line: string) => void;
  /** Records that may wait to be written. @default {10_000} */
  maxQueuedRecords?: number;
  /** Where deadlines take their time from. @default {systemClock} */
  clock?: Clock;
  /** The time, in milliseconds since 1970. @default {Date.now} */
  now?: () => number;
}

type Fields = { event: string; [field: string]: unknown };

interface Queued {
  fields: Fields & { time: string };
  done: PromiseWithResolvers<void>;
}

type Defaulted =
  | "whenFull"
  | "sync"
  | "syncMs"
  | "checkpointRecords"
  | "checkpointMs"
  | "maxQueuedRecords"
  | "clock"
  | "now";

const DEFAULTS: Required<Pick<AuditLogOptions, Defaulted>> = {
  whenFull: "refuse",
  sync: "always",
  syncMs: 1_000,
  checkpointRecords: 1_000,
  checkpointMs: 60_000,
  maxQueuedRecords: 10_000,
  clock: systemClock,
  now: () => Date.now(),
};

/**
 * An append-only log in which each record holds the hash of the one before. What is recorded while a write is under way
 * leaves in the next one, all of it at once.
 *
 * @example Usage
 * ```ts
 * import { AuditLog, type AuditStore } from "./audit_log.ts";
 * import { NO_RECORD } from "../proto/security/audit_chain.ts";
 * import { assertMatch } from "@std/assert";
 *
 * let written = "";
 * const store: AuditStore = {
 *   head: NO_RECORD,
 *   found: [],
 *   append: async (lines) => void (written += lines),
 *   sync: async () => {},
 *   keepCheckpoint: async () => {},
 *   close: async () => {},
 * };
 * await using log = new AuditLog(store);
 * await log.record({ event: "logout", who: "ada" });
 * assertMatch(written, /^\{"seq":1,.*"event":"logout","who":"ada","hash":"[0-9a-f]{64}"\}\n$/);
 * ```
 */
export class AuditLog implements AuditSink, AsyncDisposable {
  readonly #store: AuditStore;
  readonly #options: AuditLogOptions & typeof DEFAULTS;
  readonly #clock: Clock;
  readonly #now: () => number;
  #head: AuditHead;
  #queue: Queued[] = [];
  #writing: Promise<void> | undefined;
  #lost = 0;
  /** How many of them a record has told of. */
  #toldLost = 0;
  /** Records since the last checkpoint. */
  #unsigned = 0;
  #wantsCheckpoint = false;
  #syncTimer: Timer | undefined;
  #checkpointTimer: Timer | undefined;
  #isClosed = false;

  /** Goes on with the chain of a store, which is its alone. */
  constructor(store: AuditStore, options: AuditLogOptions = {}) {
    this.#store = store;
    this.#options = { ...DEFAULTS, ...options };
    this.#clock = this.#options.clock;
    this.#now = this.#options.now;
    this.#head = store.head;
    for (const fields of store.found) {
      void this.#enqueue(fields).catch(() => {});
    }
  }

  /** The last record that was written. */
  get head(): AuditHead {
    return this.#head;
  }

  /** Records that could not be written, in this run. */
  get lost(): number {
    return this.#lost;
  }

  /** Writes an event down; see {@linkcode AuditSink.record}. */
  async record(event: AuditEvent): Promise<void> {
    const fields = { event: event.event, ...auditFields(event) };
    if (this.#options.whenFull === "refuse") return await this.#enqueue(fields);
    // Nobody waits for a record that nothing depends on.
    this.#enqueue(fields).catch(() => {});
  }

  #enqueue(fields: Fields): Promise<void> {
    const { maxQueuedRecords } = this.#options;
    if (this.#isClosed || this.#queue.length >= maxQueuedRecords) {
      this.#lost++;
      const why = this.#isClosed
        ? "the log is closed"
        : `${maxQueuedRecords} records wait to be written`;
      return Promise.reject(new AuditError(`Cannot write the record: ${why}`));
    }
    const done = Promise.withResolvers<void>();
    const time = new Date(this.#now()).toISOString();
    this.#queue.push({ fields: { ...fields, time }, done });
    this.#writing ??= this.#write();
    return done.promise;
  }

  async #write(): Promise<void> {
    // What is recorded in the same turn leaves together.
    await Promise.resolve();
    while (this.#queue.length > 0 || this.#wantsCheckpoint) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        await this.#append(batch);
        for (const { done } of batch) done.resolve();
      } catch (cause) {
        this.#lost += batch.length;
        const error = new AuditError("Cannot write the record", { cause });
        for (const { done } of batch) done.reject(error);
      }
    }
    this.#writing = undefined;
  }

  async #append(batch: readonly Queued[]): Promise<void> {
    const { checkpointKey, checkpointRecords, sync } = this.#options;
    const time = new Date(this.#now()).toISOString();
    let head = this.#head;
    const lines: string[] = [];
    const add = (fields: Fields & { time: string }) => {
      const sealed = sealRecord(head, fields, sha256);
      lines.push(`${sealed.line}\n`);
      head = sealed.head;
    };
    const lost = this.#lost;
    const count = lost - this.#toldLost;
    if (count > 0) add({ event: "records lost", time, count });
    for (const { fields } of batch) add(fields);
    const unsigned = this.#unsigned + lines.length;
    const key = this.#wantsCheckpoint || unsigned >= checkpointRecords
      ? checkpointKey
      : undefined;
    this.#wantsCheckpoint = false;
    if (key !== undefined) {
      const { algorithm } = key;
      const signature = key.sign(checkpointText(head));
      add({ event: CHECKPOINT_EVENT, time, algorithm, signature });
    }
    await this.#store.append(lines.join(""));
    this.#head = head;
    this.#toldLost = lost;
    this.#unsigned = key === undefined ? unsigned : 0;
    if (sync === "always" || key !== undefined) await this.#store.sync();
    else if (sync === "interval") this.#syncLater();
    if (key !== undefined) {
      await this.#store.keepCheckpoint(lines.at(-1)!);
      this.#options.checkpointed?.(lines.at(-1)!);
    } else if (checkpointKey !== undefined) this.#checkpointLater();
  }

  #syncLater(): void {
    this.#syncTimer ??= alarm(this.#clock, this.#options.syncMs, () => {
      this.#syncTimer = undefined;
      // A disk that fails here fails the next record too.
      this.#store.sync().catch(() => {});
    });
  }

  #checkpointLater(): void {
    const { checkpointMs } = this.#options;
    this.#checkpointTimer ??= alarm(this.#clock, checkpointMs, () => {
      this.#checkpointTimer = undefined;
      this.checkpoint().catch(() => {});
    });
  }

  /** Signs what was written; does nothing without a key, or if all of it is signed. */
  async checkpoint(): Promise<void> {
    await this.#writing;
    const { checkpointKey } = this.#options;
    if (checkpointKey === undefined || this.#unsigned === 0) return;
    this.#wantsCheckpoint = true;
    await (this.#writing ??= this.#write());
  }

  /** Writes what waits, signs it, and closes the store. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.checkpoint();
      if (this.#options.sync !== "never") await this.#store.sync();
    } finally {
      for (const timer of [this.#syncTimer, this.#checkpointTimer]) {
        if (timer !== undefined) this.#clock.cancel(timer);
      }
      await this.#store.close();
    }
  }

  /** The same as {@linkcode AuditLog.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
