import { TCP_FLAGS } from "../ip_packet/transport.ts";

/** What a NAT knows of a TCP connection: the states of RFC 6146, section 3.5.2.2. */
export type TcpState =
  /** The inside has sent a SYN. */
  | "syn inside"
  /** The outside has sent a SYN. */
  | "syn outside"
  /** Both have, in whatever order. */
  | "established"
  /** The inside has sent a FIN. */
  | "fin inside"
  /** The outside has sent a FIN. */
  | "fin outside"
  /** Both have. */
  | "closing"
  /** One of them has sent a RST; if it was none of its own, the connection goes on. */
  | "reset";

/**
 * The state after a segment; undefined if the segment begins no connection where there is none.
 *
 * @example Usage
 * ```ts
 * import { nextTcpState } from "./tcp_state.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const SYN = 2;
 * assertEquals(nextTcpState(undefined, SYN, true), "syn inside");
 * assertEquals(nextTcpState("syn inside", SYN, false), "established");
 * ```
 */
export function nextTcpState(
  state: TcpState | undefined,
  flags: number,
  isFromInside: boolean,
): TcpState | undefined {
  const isReset = (flags & TCP_FLAGS.rst) !== 0;
  const isSyn = (flags & TCP_FLAGS.syn) !== 0 && !isReset;
  const opening = isFromInside ? "syn inside" : "syn outside";
  switch (state) {
    case undefined:
      return isSyn && (flags & TCP_FLAGS.ack) === 0 ? opening : undefined;
    case "syn inside":
    case "syn outside":
      return isSyn && state !== opening ? "established" : state;
    case "reset":
      if (isReset) return state;
      return isSyn ? opening : "established";
    case "closing":
      return isSyn ? opening : state;
  }
  if (isReset) return "reset";
  if ((flags & TCP_FLAGS.fin) === 0) return state;
  const [mine, other] = isFromInside
    ? ["fin inside", "fin outside"] as const
    : ["fin outside", "fin inside"] as const;
  return state === other ? "closing" : mine;
}

/** Whether a connection in this state may be idle for hours. */
export function isLasting(state: TcpState): boolean {
  return state === "established" || state === "fin inside" ||
    state === "fin outside";
}
