import type { ServerEvent } from "../../observe/events.ts";
import type {
  Impairments,
  LinkDirection,
} from "../../proto/link/impairments.ts";
import type { LinkEnding } from "./stream_connection.ts";

/** A connection, or a session of datagrams, that has gone through a link. */
export interface LinkAccess {
  /** Counts the connections of a link. */
  readonly id: number;
  /** Where it came from. */
  readonly address: string;
  /** Bytes that the client sent. */
  readonly bytesUp: number;
  /** Bytes that the server sent. */
  readonly bytesDown: number;
  /** Milliseconds from its beginning to its end. */
  readonly durationMs: number;
  /** Why it ended; `idle` is for sessions of datagrams. */
  readonly ending: LinkEnding | "idle";
}

/** Everything that a link tells its observer. */
export type LinkEvent =
  /** A listener's: see {@linkcode ServerEvent}. */
  | Extract<
    ServerEvent,
    {
      type:
        | "listening"
        | "refused"
        | "waiting"
        | "accept failed"
        | "handshake failed";
    }
  >
  /** The target took no connection; the client's was reset. */
  | { type: "connect failed"; address: string; to: string; error: unknown }
  /** A connection or session has ended. */
  | { type: "ended"; access: LinkAccess }
  /** A device for packets is gone: nothing passes any more. */
  | { type: "device failed"; error: unknown }
  /** The schedule or somebody else has changed how the link behaves. */
  | { type: "changed"; set: Impairments; direction?: LinkDirection };
