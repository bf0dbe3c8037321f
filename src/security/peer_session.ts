import type { Peer } from "../io/peer.ts";
import type { Timer } from "../proto/timer_wheel.ts";
import type { TokenBucket } from "../proto/token_bucket.ts";
import type { Principal } from "./authentication.ts";

/** Who a peer is at the moment, and what goes with that. */
export interface PeerSession {
  /** Who it is. */
  principal: Principal;
  /** It has proved nothing. */
  isAnonymous: boolean;
  /** The network that it comes from. */
  readonly source: string;
  /** What limits count it under: ids and networks do not meet. */
  key: string;
  /** Ends the session when the proof runs out. */
  expiry?: Timer | undefined;
  /** What belongs to a login in the middle of the session. */
  memory: Map<unknown, unknown>;
  /** Tries to log in again that have failed since the last one that did not. */
  failed: number;
  /** Messages that were denied. */
  denied: number;
  /** How often the audit log is told of a message that was not taken. */
  readonly told: TokenBucket;
}

const SESSIONS = new WeakMap<object, PeerSession>();

/** Remembers who a peer is; the memory ends with the peer. */
export function setSession(peer: object, session: PeerSession): void {
  SESSIONS.set(peer, session);
}

/** The session of a peer that has logged in, or was let in as nobody. */
export function sessionOf(peer: object): PeerSession | undefined {
  return SESSIONS.get(peer);
}

/**
 * Who a peer of a handler of {@linkcode authenticated} is at the moment; undefined before its login.
 *
 * @example Usage
 * ```ts
 * import { authenticated, connect, lines, principalOf, serve, text } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using server = await serve({
 *   listen: "memory:who am I",
 *   wire,
 *   handler: authenticated<string, string>({
 *     authenticators: [],
 *     anonymous: { roles: ["guest"] },
 *     credentials: () => undefined,
 *     answer: { challenge: () => undefined, refused: ({ code }) => code },
 *   }, {
 *     message: (peer) => peer.send(`${principalOf(peer)?.roles}`),
 *   }),
 * });
 * await using client = await connect({ to: server.endpoint, wire });
 * client.send("who am I?");
 * assertEquals(await client.receive(), "guest");
 * ```
 */
export function principalOf<In, Out>(
  peer: Peer<In, Out, unknown>,
): Principal | undefined {
  return SESSIONS.get(peer)?.principal;
}
