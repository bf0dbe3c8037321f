import type { Client } from "../client/client.ts";
import type { Peer } from "../io/peer.ts";

/** Who came in at a gateway, before anything is known of it. */
export type GatewayPeer = Peer<Uint8Array, Uint8Array, unknown>;

/** Sends to a peer; the promise resolves when it takes more, or has ended. */
export function pass(
  peer: Pick<GatewayPeer, "send" | "drained" | "ending">,
  bytes: Uint8Array,
): Promise<void> | undefined {
  if (peer.send(bytes) || peer.ending !== undefined) return undefined;
  // Its end is told by the connection itself.
  return peer.drained().catch(() => {});
}

/** What carries bytes between a gateway's client and the service. */
export interface Bridge {
  /** Takes a message of the client; the promise resolves when more may come. */
  fromPeer(bytes: Uint8Array): Promise<void> | undefined;
  /** The client has ended its direction; the promise resolves when the service has said its last word. */
  finish(): Promise<unknown> | undefined;
  /** The client's connection has ended. */
  peerClosed(peer: GatewayPeer): void;
}

/** Copies bytes both ways, for as long as the client's connection lasts. */
export class PlainBridge implements Bridge {
  readonly #target: Client<Uint8Array>;

  constructor(peer: GatewayPeer, target: Client<Uint8Array>) {
    this.#target = target;
    void target.closed.then((ending) => {
      if (ending.error === undefined) void peer.close("the service has closed");
      else peer.abort("the service is lost");
    });
  }

  fromPeer(bytes: Uint8Array): Promise<void> | undefined {
    return pass(this.#target, bytes);
  }

  async finish(): Promise<void> {
    await this.#target.end();
    await this.#target.closed;
  }

  peerClosed(peer: GatewayPeer): void {
    if (peer.ending?.error === undefined) void this.#target.close();
    else this.#target.abort("the client is lost");
  }
}
