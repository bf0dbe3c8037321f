import type { Handler, HandlerCallbacks } from "../handler.ts";
import type { Peer } from "../peer.ts";
import type { PeerIdentity } from "../peer_identity.ts";

/** Handshakes under way, by what their streams show as identity. */
const handshakes = new WeakMap<PeerIdentity, Promise<void>>();

/** Notes that what comes from `identity` may be a replay until `handshake` is resolved. */
export function markEarly(
  identity: PeerIdentity,
  handshake: Promise<void>,
): void {
  handshakes.set(identity, handshake);
  handshake.then(() => handshakes.delete(identity), () => {});
}

/** The handshake that `peer` has not completed yet; undefined if it has. */
function handshakeOf(
  { identity }: Pick<Peer<never, never>, "identity">,
): Promise<void> | undefined {
  return identity && handshakes.get(identity);
}

/** A handler that is safe from replays; made by {@linkcode EarlyDataGuard}. */
export interface EarlyData {
  /** The handler to serve with. */
  readonly handler: unknown;
  /** Whether a message may be carried out twice. */
  readonly idempotent: (message: never) => boolean;
}

/**
 * Lets a server hear what QUIC clients say before their handshake is complete (0-RTT), but act on such messages only that
 * may be carried out twice: whoever records the first packets can send them again (RFC 9001, section 9.2). All others wait
 * for the handshake, and so do `open` and a handler that is a loop.
 *
 * @example Usage
 * ```ts
 * import { EarlyDataGuard } from "./early_data.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const guard = new EarlyDataGuard<string, string>(
 *   { message: (peer, line) => peer.send(line.toUpperCase()) },
 *   (line) => line.startsWith("get "),
 * );
 * // serve({ listen: "quic://…", handler: guard.handler, quic: { earlyData: guard }, … })
 * assertEquals(typeof guard.handler, "object");
 * ```
 */
export class EarlyDataGuard<In, Out = In, State = undefined>
  implements EarlyData {
  /** The handler to serve with. */
  readonly handler: Handler<In, Out, State>;

  /** Whether a message may be carried out twice. */
  readonly idempotent: (message: In) => boolean;

  /** Guards `handler`; `idempotent` says whether a message may be carried out twice. */
  constructor(
    handler: Handler<In, Out, State>,
    idempotent: (message: In) => boolean,
  ) {
    this.idempotent = idempotent;
    this.handler = typeof handler === "function"
      ? afterHandshake(handler)
      : guarded(handler, idempotent);
  }
}

/** `callback`, once the peer's handshake is complete. */
function afterHandshake<P extends Pick<Peer<never, never>, "identity">, R>(
  callback: (peer: P) => R | Promise<R>,
): (peer: P) => R | Promise<R> {
  return (peer) => {
    const handshake = handshakeOf(peer);
    return handshake === undefined
      ? callback(peer)
      : handshake.then(() => callback(peer));
  };
}

function guarded<In, Out, State>(
  handler: HandlerCallbacks<In, Out, State>,
  idempotent: (message: In) => boolean,
): HandlerCallbacks<In, Out, State> {
  const { open, invalid, finish, drain, close } = handler;
  return {
    ...(open && { open: afterHandshake(open.bind(handler)) }),
    ...(invalid && { invalid: invalid.bind(handler) }),
    ...(finish && { finish: finish.bind(handler) }),
    ...(drain && { drain: drain.bind(handler) }),
    ...(close && { close: close.bind(handler) }),
    message(peer, message): unknown {
      const handshake = handshakeOf(peer);
      return handshake === undefined || idempotent(message)
        ? handler.message(peer, message)
        : handshake.then(() => handler.message(peer, message));
    },
  };
}
