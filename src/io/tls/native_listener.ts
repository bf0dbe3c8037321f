import { setImmediate } from "node:timers";
import { abortable } from "../abortable.ts";
import { closeQuietly } from "../close_quietly.ts";
import type { Endpoint } from "../endpoint.ts";
import type { PeerIdentity } from "../peer_identity.ts";
import type { Conn, Listener, TransportListenOptions } from "../transport.ts";
import type { ServerTlsOptions } from "./options.ts";
import { tlsError } from "./tls_error.ts";

type NetEndpoint = Extract<Endpoint, { scheme: "tcp" | "tls" | "quic" }>;

/** Whether the runtime shares ports: it ends the process where it is asked to and may not. */
const CAN_SHARE = "listenDatagram" in Deno;

/** Turns of the event loop without anybody who wants to be accepted, before a listener gives way to another. */
const QUIET_TURNS = 2;
/** Turns after which it does so all the same. */
const MAX_TURNS = 1000;

/** What all connections proved that agreed on the same protocol. */
const identities = new Map<string, PeerIdentity>();

/** A listener whose connections speak TLS by the runtime's own engine. */
class NativeTlsListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #open: (tls: ServerTlsOptions, port: number) => Deno.TlsListener;
  #listener: Deno.TlsListener;
  #accepting = false;
  #accepted = 0;

  constructor(
    endpoint: NetEndpoint,
    listener: Deno.TlsListener,
    open: (tls: ServerTlsOptions, port: number) => Deno.TlsListener,
  ) {
    this.#listener = listener;
    this.#open = open;
    const { port } = listener.addr as Deno.NetAddr;
    this.endpoint = { ...endpoint, port };
  }

  async accept(): Promise<Conn> {
    while (true) {
      const listener = this.#listener;
      this.#accepting = true;
      try {
        const conn = await listener.accept();
        this.#accepted++;
        return conn;
      } catch (error) {
        // It has given way to the one with the new certificate.
        if (listener === this.#listener) throw error;
      } finally {
        this.#accepting = false;
      }
    }
  }

  async shake(conn: Conn, signal: AbortSignal): Promise<Conn> {
    const tls = conn as Deno.TlsConn;
    const shaking = shakeNative(tls, "client", undefined);
    try {
      return await abortable(shaking, signal);
    } catch (error) {
      if (signal.aborted) holdOnTo(tls, shaking);
      throw error;
    }
  }

  async renew(tls: ServerTlsOptions): Promise<void> {
    const { port } = this.#listener.addr as Deno.NetAddr;
    if (!canNative(tls)) {
      throw new Deno.errors.NotSupported(
        "The native engine cannot do what the new options ask for: start with engine: 'node'",
      );
    }
    if (!CAN_SHARE) {
      throw new Deno.errors.NotSupported(
        "A new certificate without a gap needs the runtime's flag --unstable-net, or engine: 'node'",
      );
    }
    const old = this.#listener;
    const fresh = this.#open(tls, port);
    await this.#isQuiet();
    this.#listener = fresh;
    old.close();
  }

  /** Waits until nobody waits to be accepted, as far as that is to be seen: closing the listener resets who does. */
  async #isQuiet(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < MAX_TURNS && quiet < QUIET_TURNS; turn++) {
      const before = this.#accepted;
      await new Promise((resolve) => setImmediate(resolve));
      quiet = this.#accepting && before === this.#accepted ? quiet + 1 : 0;
    }
  }

  close(): void {
    this.#listener.close();
  }
}

/**
 * The runtime never lets go of a connection that is closed in the middle of its handshake, while the peer keeps it open.
 * So it stays open here too, and counts, until the peer has finished or left.
 */
function holdOnTo(conn: Deno.TlsConn, shaking: Promise<Conn>): void {
  const close = conn.close.bind(conn);
  const released = shaking.then(
    () => closeQuietly({ close }),
    () => {},
  );
  Object.assign(conn, { close() {}, released });
}

/** Whether the native engine can do all that is asked for. */
export function canNative(tls: ServerTlsOptions): boolean {
  const { clients, names, minVersion, maxVersion } = tls;
  return clients === undefined && names === undefined &&
    (minVersion ?? "TLSv1.2") === "TLSv1.2" &&
    (maxVersion ?? "TLSv1.3") === "TLSv1.3";
}

/** Listens by the runtime's own engine. */
export function listenNative(
  endpoint: NetEndpoint,
  options: TransportListenOptions,
  tls: ServerTlsOptions,
): { listener: Listener; socket: Deno.TlsListener } {
  const { hostname } = endpoint;
  const open = (tls: ServerTlsOptions, port: number): Deno.TlsListener =>
    Deno.listenTls({
      hostname,
      port,
      cert: tls.cert,
      key: tls.key,
      reusePort: CAN_SHARE,
      tcpBacklog: options.backlog ?? 4096,
      ...(tls.alpn === undefined ? {} : { alpnProtocols: tls.alpn }),
    });
  let { port } = endpoint;
  if (CAN_SHARE && options.reusePort !== true) {
    // The port is shared with the listener that brings a new certificate, and with nobody else.
    const alone = Deno.listen({ hostname, port });
    ({ port } = alone.addr);
    alone.close();
  }
  const socket = open(tls, port);
  return { listener: new NativeTlsListener(endpoint, socket, open), socket };
}

/**
 * Shakes hands over a connection of the runtime's own engine, which then knows its identity.
 *
 * @throws {TlsError} If that fails.
 */
export async function shakeNative(
  conn: Deno.TlsConn,
  peer: "client" | "server",
  signal: AbortSignal | undefined,
): Promise<Conn> {
  const abort = () => closeQuietly(conn);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    signal?.throwIfAborted();
    const { alpnProtocol } = await conn.handshake();
    return alpnProtocol === null ? conn : identified(conn, alpnProtocol);
  } catch (error) {
    closeQuietly(conn);
    signal?.throwIfAborted();
    throw tlsError(error, peer);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function identified(conn: Deno.TlsConn, alpn: string): Conn {
  let identity = identities.get(alpn);
  if (identity === undefined) identities.set(alpn, identity = { alpn });
  return Object.assign(conn, { identity });
}
