/** Something that happened in a {@linkcode VirtualNetwork}. */
export interface NetworkEvent {
  /** When, in milliseconds of the network's clock. */
  atMs: number;
  /**
   * What. About a connection: it was `connected` or `refused`, an attempt was `unanswered`; bytes were `delivered`, the
   * stream `ended`, the connection was `reset` or `timed out`, all of them as its receiver saw it. About hosts: they
   * were `partitioned` or `healed`; one was `killed`, `crashed` or `restarted`.
   */
  type:
    | "connected"
    | "refused"
    | "unanswered"
    | "delivered"
    | "ended"
    | "reset"
    | "timed out"
    | "partitioned"
    | "healed"
    | "killed"
    | "crashed"
    | "restarted";
  /** Where it came from: a host, or one with a port such as `client:49152`. */
  from: string;
  /** Where it went. */
  to: string;
  /** How many bytes were delivered; else 0. */
  bytes: number;
}

/** Is told every {@linkcode NetworkEvent}. */
export type NetworkObserver = (event: NetworkEvent) => void;

/**
 * An event as one line of a trace.
 *
 * @example Usage
 * ```ts
 * import { formatNetworkEvent } from "./network_event.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const line = formatNetworkEvent({
 *   atMs: 1250,
 *   type: "delivered",
 *   from: "client:49152",
 *   to: "server:9999",
 *   bytes: 21,
 * });
 * assertEquals(line, "1250 client:49152 > server:9999 delivered 21");
 * ```
 */
export function formatNetworkEvent(event: NetworkEvent): string {
  const { atMs, type, from, to, bytes } = event;
  const route = from === to ? from : `${from} > ${to}`;
  return `${atMs} ${route} ${type}${bytes > 0 ? ` ${bytes}` : ""}`;
}
