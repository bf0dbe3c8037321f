import type { RemoteProtocolError } from "../proto/errors.ts";
import type { Agreement } from "../proto/hello/agreement.ts";
import type { Wire } from "../proto/framing/framing.ts";
import type { Clock } from "./clock.ts";
import type { Connection } from "./connection.ts";
import type { Counters } from "./counters.ts";
import type { Handler } from "./handler.ts";
import type { ConnectionLimits } from "./limits.ts";

/** The limits that can bite on a connection. */
export type ConnectionLimitName =
  | keyof ConnectionLimits
  | "maxFrameBytes"
  | "maxWaitingBytes";

/** What the connections of one server or client share. */
export interface ConnectionHost<In, Out, State> {
  /** Framing and codec. */
  readonly wire: Wire<In, Out>;
  /** What the hello agreed on; undefined without one. */
  readonly agreement?: Agreement | undefined;
  /** What happens on the connection. */
  readonly handler: Handler<In, Out, State>;
  /** What it may cost. */
  readonly limits: Required<ConnectionLimits>;
  /**
   * Whether to read on from a peer that takes too little of what it is sent. One of the two ends has to, or each may wait
   * for the other: clients do.
   */
  readonly readsOn: boolean;
  /** Its time. */
  readonly clock: Clock;
  /** Where it counts. */
  readonly counters: Counters;
  /** A limit bit. */
  limited(
    peer: Connection<In, Out, State>,
    limit: ConnectionLimitName,
    detail: string,
  ): void;
  /** The peer sent something that is no message. */
  invalid(peer: Connection<In, Out, State>, error: RemoteProtocolError): void;
  /** The peer became slow, or caught up. */
  slow(peer: Connection<In, Out, State>, slow: boolean): void;
  /** A group did not deliver messages to a slow peer. */
  gap(peer: Connection<In, Out, State>, group: string, missed: number): void;
  /** A callback that has no connection left to end threw. */
  callbackFailed(peer: Connection<In, Out, State>, error: unknown): void;
  /** The connection has ended; nothing more happens on it. */
  ended(peer: Connection<In, Out, State>): void;
}

/** Messages for one connection that are queued outside of it, by a group. */
export interface Feed {
  /** Hands over what must come before a message that is about to be sent directly. */
  settle(): void;
  /** The peer takes more again. */
  resume(): void;
  /** The connection begins to end. */
  leave(): void;
}
