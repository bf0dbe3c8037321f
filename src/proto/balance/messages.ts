import type { BackendStatus } from "./backend.ts";
import type { BackendOptions, BalanceMachineOptions } from "./options.ts";

/** Something that a {@linkcode BalanceMachine} is told. All of it can be written as JSON. */
export type BalanceInput =
  /** A connection wants a backend. `source` is the address that it comes from. */
  | { type: "connection"; id: number; source?: string | undefined }
  /** It could not be connected to the backend that was chosen; it wants another. */
  | { type: "failed"; id: number; latencyMs: number }
  /** Its backend has answered for the first time. */
  | { type: "answered"; id: number; latencyMs: number }
  /**
   * It has ended; `ok` is false if it was the backend's fault. `latencyMs` is how long the backend had not answered, 0 if it
   * was asked nothing; it does not count if it had answered.
   */
  | { type: "ended"; id: number; ok: boolean; latencyMs: number }
  /** A backend was checked. */
  | { type: "checked"; backend: string; ok: boolean }
  /** A backend joins. */
  | { type: "add"; backend: BackendOptions }
  /** A backend takes no more connections, and keeps those that it has. */
  | { type: "drain"; backend: string }
  /** A backend that was drained takes connections again. */
  | { type: "ready"; backend: string }
  /** A backend gets another weight. */
  | { type: "weight"; backend: string; weight: number }
  /** A backend drains, and leaves once it has no connections. */
  | { type: "remove"; backend: string }
  /** All options are others; backends that stay keep their connections and their history. */
  | { type: "configure"; options: BalanceMachineOptions }
  /** Time has passed. */
  | { type: "time" };

/** What a {@linkcode BalanceMachine} wants done. */
export type BalanceOutput =
  /** Connect it to this backend. */
  | { type: "pick"; id: number; backend: string; why: string }
  /** It waits until a backend has room. */
  | { type: "wait"; id: number; why: string }
  /** Turn it away. */
  | { type: "refuse"; id: number; why: string }
  /** A backend has become another. */
  | { type: "status"; backend: string; status: BackendStatus; why: string };
