/**
 * The hub's protocol: every message is one JSON object with a `type`, in UTF-8,
 * behind a 4-byte big-endian length. `docs/hub-protocol.md` is its description
 * for people who write clients.
 *
 * @module
 */

/** What a client may say. */
export type ToHub =
  | { type: "ping"; timestamp?: unknown; ttl_ms?: number }
  | { type: "echo"; content: unknown; timestamp?: unknown }
  | { type: "broadcast"; content: unknown }
  | { type: "get_stats" }
  | { type: "identify"; name: string }
  | { type: "list" }
  | { type: "direct"; to: string; content: unknown }
  | { type: "join"; room: string }
  | { type: "leave"; room: string }
  | { type: "room_message"; room: string; content: unknown }
  | LoginMessage
  | { type: "logout" }
  | CustomMessage;

/** How a client proves who it is, where the hub asks for that. */
export type LoginMessage =
  & { type: "login" }
  & (
    | { user: string; password: string }
    | { token: string }
    | { device: string; mac?: string }
  );

/** A message of a type that a program has registered a handler for. */
export interface CustomMessage {
  /** The registered type. */
  type: string;
  [field: string]: unknown;
}

/** Why the hub refuses a message or a connection. */
export type ErrorCode =
  | "malformed"
  | "too_complex"
  | "forbidden_key"
  | "frame_too_large"
  | "invalid_frame"
  | "invalid_message"
  | "unknown_type"
  | "invalid_name"
  | "name_taken"
  | "no_such_client"
  | "recipient_slow"
  | "not_in_room"
  | "too_many_rooms"
  | "too_many_connections"
  | "unavailable"
  | "login_refused"
  | "denied"
  | "too_many_messages"
  | "handler_failed";

/** Somebody in a list. */
export interface ClientEntry {
  client_id: string;
  name?: string;
}

/** A figure that should cover all hubs of a cluster. */
export interface MaybePartial {
  /** A hub did not answer in time: the figure is without it. */
  partial?: true;
}

/** What the hub says. */
export type FromHub =
  | {
    type: "pong";
    ping_timestamp: unknown;
    pong_timestamp: string;
    client_id: string;
  }
  | {
    type: "echo_response";
    content: unknown;
    timestamp: string;
    echoed_by: string;
  }
  | { type: "broadcast"; content: unknown; from: string; timestamp: string }
  | { type: "broadcast_sent"; recipients: number; timestamp: string }
    & MaybePartial
  | ServerStats
  | { type: "identified"; name: string; client_id: string }
  | { type: "clients"; clients: ClientEntry[]; total: number } & MaybePartial
  | { type: "direct"; content: unknown; from: string; timestamp: string }
  | { type: "direct_sent"; to: string; timestamp: string }
  | { type: "joined"; room: string; members: number } & MaybePartial
  | { type: "left"; room: string }
  | {
    type: "room_message";
    room: string;
    content: unknown;
    from: string;
    timestamp: string;
  }
  | {
    type: "room_message_sent";
    room: string;
    recipients: number;
    timestamp: string;
  } & MaybePartial
  | {
    type: "logged_in";
    user: string;
    roles: readonly string[];
    method: string;
    /** Logs in again, once; kept secret. */
    session?: string;
    /** When the login ends. */
    expires?: string;
  }
  | { type: "challenge"; challenge: string }
  | { type: "logged_out" }
  | { type: "gap"; missed: number }
  | { type: "name_lost"; name: string; code: "name_taken"; message: string }
  | { type: "going_away"; come_back_in_ms: number }
  | {
    type: "error";
    code: ErrorCode;
    message: string;
    /** Why a login was refused. */
    reason?: string;
    /** When to try again. */
    retry_after_ms?: number;
  }
  | CustomMessage;

/** The answer to `get_stats`. */
export interface ServerStats extends MaybePartial {
  type: "server_stats";
  connected_clients: number;
  uptime_seconds: number;
  total_messages: number;
  server_start_time: string;
  current_time: string;
  named_clients: number;
  rooms: number;
  total_connections: number;
  messages_out: number;
  bytes_in: number;
  bytes_out: number;
  /** How many hubs these are the sums of; absent where there is no cluster. */
  hubs?: number;
}

/** Types that the hub sends without being asked; everything else answers a request, in order. */
const UNASKED: ReadonlySet<string> = new Set([
  "broadcast",
  "direct",
  "room_message",
  "gap",
  "name_lost",
  "going_away",
]);

/** Whether `message` answers a request of the client that received it. */
export function isAnswer(message: FromHub): boolean {
  return !UNASKED.has(message.type);
}
