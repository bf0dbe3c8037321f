import type { DedupeEntry } from "./dedupe_window.ts";
import type { RpcErrorObject } from "./errors.ts";
import type { RpcId, RpcRequest, RpcResponse } from "./messages.ts";
import type { RpcServerMachine } from "./server_machine.ts";

/** The answers to one batch, which leave together. */
export class Batch {
  /** Those that are there. */
  readonly answers: RpcResponse[] = [];
  /** Answers that are still to come, and one for the batch itself while it is read. */
  missing = 1;
}

/** One request or notification on its way. */
export class RpcCall {
  /** What its answer is known by; undefined for a notification. */
  readonly id: RpcId | undefined;
  /** What is called. */
  readonly method: string;
  /** With what. */
  readonly params: unknown;
  /** When it is aborted. */
  dueMs: number;
  /** Items that may be sent; undefined if none were asked for. */
  credit: number | undefined;
  /** What the window remembers of it, if it has an idempotency key. */
  entry: DedupeEntry<RpcCall> | undefined;
  /** Its caller has been answered, or is not interested any more. */
  ended = false;
  /** Why it was to stop; undefined if it may go on. */
  aborted: RpcErrorObject | undefined;
  /** Called when it is to stop. */
  onAbort: (() => void) | undefined;
  /** Called when more items may be sent. */
  onCredit: (() => void) | undefined;
  /** The machine of its connection. */
  readonly machine: RpcServerMachine;
  /** The batch that it came in. */
  readonly batch: Batch | undefined;

  /** Creates a call from a request that is sound. */
  constructor(
    machine: RpcServerMachine,
    request: RpcRequest,
    dueMs: number,
    batch: Batch | undefined,
  ) {
    const { id, method, params, stream } = request;
    this.machine = machine;
    this.batch = batch;
    this.id = id;
    this.method = method;
    this.params = params ?? undefined;
    this.dueMs = dueMs;
    if (stream !== undefined && id !== undefined) {
      this.credit = stream === true ? Infinity : stream;
    }
  }

  /** Tells whoever carries it out to stop. */
  abort(reason: RpcErrorObject): void {
    if (this.aborted !== undefined) return;
    this.aborted = reason;
    this.onAbort?.();
  }
}
