import type { ServerObserver } from "../observe/events.ts";
import { type Clock, systemClock } from "../io/clock.ts";
import { KeyedLimit } from "../proto/security/keyed_limit.ts";
import { networkOf } from "./source.ts";

/** What happened, for the audit log. The names are fixed; the fields say more where there is more to say. */
export interface AuditEvent {
  /** What happened. */
  readonly event:
    /** Somebody proved who they are. */
    | "login accepted"
    /** Credentials proved nothing, or did not come in time. */
    | "login refused"
    /** The certificate of a peer was verified by the road, and refused here; or the handshake failed. */
    | "certificate refused"
    /** A message was not allowed. */
    | "denied"
    /** Somebody went over a limit. */
    | "limited"
    /** Somebody logged out. */
    | "logout"
    /** The connection of somebody who was logged in has ended. */
    | "ended"
    /** Whoever runs the program changed something: rules, accounts, keys. */
    | "configuration changed";
  /** Who: the id of a principal, or of whoever changed the configuration. */
  readonly who?: string | undefined;
  /** Who somebody said they are, without having proved it. */
  readonly claimed?: string | undefined;
  /** Where from: the network of the peer. */
  readonly source?: string | undefined;
  /** The endpoint that the peer came in by. */
  readonly endpoint?: string | undefined;
  /** The connection's id in its process. */
  readonly connection?: number | undefined;
  /** The authenticator, or the type of the credentials. */
  readonly method?: string | undefined;
  /** Why, as the peer was told. */
  readonly code?: string | undefined;
  /** Why, in more words. */
  readonly detail?: string | undefined;
  /** The type of the message that was denied. */
  readonly type?: string | undefined;
  /** The group that it was denied for. */
  readonly group?: string | undefined;
  /** How many: messages denied to a peer in all, when its connection has ended; failed handshakes that were left out. */
  readonly count?: number | undefined;
}

/** What takes audit events. */
export interface AuditSink {
  /**
   * Writes an event down. Resolves when that is done, or when nobody has to wait for it.
   *
   * @throws {AuditError} If it cannot be written, and what it is about must not happen then.
   */
  record(event: AuditEvent): Promise<void>;
}

/**
 * An event could not be written into the audit log; `cause` says why.
 *
 * @example Usage
 * ```ts
 * import { AuditError } from "./audit.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AuditError("Cannot write").name, "AuditError");
 * ```
 */
export class AuditError extends Error {
  /** The name that stack traces show. */
  override readonly name = "AuditError";
}

/** The longest text in a field of a record, in UTF-16 units; peers choose some of them. */
export const MAX_AUDIT_TEXT = 256;

/** The fields of a record that come from an event, in the order in which they are written. */
const FIELDS = [
  "who",
  "claimed",
  "source",
  "endpoint",
  "connection",
  "method",
  "code",
  "detail",
  "type",
  "group",
  "count",
] as const satisfies readonly (keyof AuditEvent)[];

/** The known fields of an event, of bounded length: whatever else an object carries does not get into the log. */
export function auditFields(event: AuditEvent): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const name of FIELDS) {
    const value = event[name];
    if (value === undefined) continue;
    fields[name] = typeof value === "number" ? value : shorten(String(value));
  }
  return fields;
}

function shorten(text: string): string {
  if (text.length <= MAX_AUDIT_TEXT) return text.toWellFormed();
  return `${text.slice(0, MAX_AUDIT_TEXT - 1).toWellFormed()}…`;
}

/**
 * Writes down the handshakes that fail: give it to `serve()` as `observe`. A source that fails all the time does not fill
 * the log: ten records at once and one a second, and the next record of any source tells how many were left out.
 *
 * @param next Is told every event too.
 * @param clock Where its time comes from.
 *
 * @example Usage
 * ```ts
 * import { type AuditEvent, auditHandshakes } from "./audit.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const events: AuditEvent[] = [];
 * const observe = auditHandshakes({ record: async (event) => void events.push(event) });
 * observe({
 *   type: "handshake failed",
 *   endpoint: "tls://0.0.0.0:9443",
 *   address: "192.0.2.7:4242",
 *   error: new Error("certificate has expired"),
 * });
 * assertEquals(events[0]?.detail, "certificate has expired");
 * ```
 */
export function auditHandshakes(
  audit: AuditSink,
  next?: ServerObserver,
  clock: Clock = systemClock,
): ServerObserver {
  const limit = new KeyedLimit({ ratePerSecond: 1, burst: 10 });
  let leftOut = 0;
  return (event) => {
    next?.(event);
    if (event.type !== "handshake failed") return;
    const { address, endpoint, error } = event;
    const source = networkOf({ address, endpoint });
    if (limit.tryTake(source, clock.now()) > 0) {
      leftOut++;
      return;
    }
    const count = leftOut === 0 ? undefined : leftOut;
    leftOut = 0;
    // What is lost is counted by the log.
    audit.record({
      event: "certificate refused",
      source,
      endpoint,
      detail: describe(error),
      count,
    }).catch(() => {});
  };
}

/** What an error says, and what caused it, if it does not say so itself. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, cause } = error;
  const why = cause === undefined ? "" : describe(cause);
  return message.includes(why) ? message : `${message}: ${why}`;
}
