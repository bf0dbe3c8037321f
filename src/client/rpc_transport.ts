import { ConnectionEndedError, type Ending, type Peer } from "../io/peer.ts";
import type { PersistentClient } from "./persistent.ts";

/** What a {@linkcode RpcTransport} tells. */
export interface RpcTransportListener {
  /** A message has arrived; the next one waits for the promise, if there is one. */
  message(message: unknown): unknown;
  /** There is a connection again: requests with an idempotency key are sent once more. */
  connected(): void;
  /** The connection has ended, because of `cause`; `final` if there will be no other. */
  disconnected(cause: unknown, final: boolean): void;
}

/** A way for requests and answers to a server: one connection, or one after the other. */
export interface RpcTransport {
  /** Whether there is a connection now. */
  readonly connected: boolean;
  /**
   * Queues a message on the connection; returns whether to go on, or to wait for `drained`. Without a connection it
   * drops the message.
   *
   * @throws {LocalProtocolError} If the message cannot be put into the wire.
   */
  send(message: unknown): boolean;
  /** Resolves once the server takes more; rejects, or resolves, if the connection ends before. */
  drained(): Promise<void>;
  /** Tells `listener` everything from now on; called once. */
  listen(listener: RpcTransportListener): void;
  /** Ends the connection, and makes no other. */
  close(): Promise<void>;
}

/** The messages of one connection. */
export class PeerTransport implements RpcTransport {
  readonly #peer: Peer<unknown, unknown, unknown>;

  /** Takes all that `peer` receives. */
  constructor(peer: Peer<unknown, unknown, unknown>) {
    this.#peer = peer;
  }

  get connected(): boolean {
    return this.#peer.ending === undefined;
  }

  send(message: unknown): boolean {
    return this.#peer.send(message);
  }

  drained(): Promise<void> {
    return this.#peer.drained();
  }

  listen(listener: RpcTransportListener): void {
    const peer = this.#peer;
    // What comes after the connection has begun to end is not waited for.
    const ended = () =>
      listener.disconnected(lost(peer.address, peer.ending!), true);
    if (peer.signal.aborted) ended();
    else peer.signal.addEventListener("abort", ended, { once: true });
    void this.#receive(listener);
  }

  async #receive(listener: RpcTransportListener): Promise<void> {
    try {
      await receiveAll(this.#peer, listener);
    } catch (error) {
      this.#peer.abort(error instanceof Error ? error.message : String(error));
    }
  }

  close(): Promise<void> {
    return this.#peer.close();
  }
}

/** The messages of all connections of a client that stays. */
export class PersistentTransport implements RpcTransport {
  readonly #client: PersistentClient<unknown, unknown>;

  /** Takes all that `client` receives. */
  constructor(client: PersistentClient<unknown, unknown>) {
    this.#client = client;
  }

  get connected(): boolean {
    return this.#client.server !== undefined;
  }

  send(message: unknown): boolean {
    return this.#client.send(message);
  }

  drained(): Promise<void> {
    return this.#client.drained();
  }

  listen(listener: RpcTransportListener): void {
    void this.#watch(listener);
    void receiveAll(this.#client, listener);
  }

  async #watch(listener: RpcTransportListener): Promise<void> {
    let reason = "closed";
    for await (const status of this.#client.status()) {
      if (status.type === "connected") listener.connected();
      if (status.type === "closed") reason = status.reason;
      if (status.type === "disconnected") {
        listener.disconnected(lost(status.server, status.ending), false);
      }
    }
    const ending: Ending = { cause: "local closed", reason };
    listener.disconnected(lost("the server", ending), true);
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

function lost(from: string, ending: Ending): ConnectionEndedError {
  return new ConnectionEndedError(`get an answer from ${from}`, ending);
}

async function receiveAll(
  source: { receive(): Promise<unknown> },
  listener: RpcTransportListener,
): Promise<void> {
  for (;;) {
    const message = await source.receive();
    if (message === undefined) return;
    const result = listener.message(message);
    if (result instanceof Promise) await result;
  }
}
