import { abortable } from "../abortable.ts";
import type { ClientTlsOptions } from "../tls/options.ts";
import type { TransportConnectOptions } from "../transport.ts";
import { DEFAULT_ALPN } from "./connection.ts";
import { inTurn } from "./gate.ts";
import { transportOptions } from "./options.ts";
import type { QuicEndpoint } from "./server.ts";
import { refuseOptions } from "./support.ts";

/** What the runtime's QUIC client cannot do; the ladder's other roads can. */
const UNSUPPORTED = [
  ["cert"],
  ["key"],
  ["pins"],
  ["refuse"],
  ["trust"],
  ["dangerouslySkipVerification", true],
  ["engine", "node"],
] as const;

/** How to open a QUIC connection. */
export interface DialQuicOptions
  extends Pick<TransportConnectOptions, "signal" | "tls" | "quic"> {
  /** The socket of an earlier connection, with the tickets that it got. */
  from?: Deno.QuicEndpoint | undefined;
  /** Whether the connection may be handed out before its handshake is complete. */
  early?: boolean | undefined;
}

/** What {@linkcode dialQuic} opens. */
export interface DialledQuic {
  /** The connection. */
  quic: Deno.QuicConn;
  /** Whether its handshake goes on. */
  isEarly: boolean;
}

/** Opens a QUIC connection. */
export function dialQuic(
  endpoint: QuicEndpoint,
  options: DialQuicOptions,
): Promise<DialledQuic> {
  const { signal, tls = {} } = options;
  refuseOptions<ClientTlsOptions>(tls, UNSUPPORTED);
  signal?.throwIfAborted();
  return inTurn(
    `${endpoint.hostname}:${endpoint.port}`,
    signal,
    () => dial(endpoint, options),
  );
}

async function dial(
  { hostname, port }: QuicEndpoint,
  { signal, tls = {}, quic = {}, from, early = false }: DialQuicOptions,
): Promise<DialledQuic> {
  const socket = from ?? openSocket();
  const connecting = Deno.connectQuic({
    hostname,
    port,
    alpnProtocols: tls.alpn ?? [DEFAULT_ALPN],
    zeroRtt: early,
    ...(tls.serverName && { serverName: tls.serverName }),
    ...(tls.caCerts && { caCerts: tls.caCerts }),
    ...(socket && { endpoint: socket }),
    ...transportOptions(quic),
    // A server has no reason to open streams: nobody would accept them.
    maxConcurrentBidirectionalStreams: 0,
  });
  if (!(connecting instanceof Promise)) {
    return { quic: connecting, isEarly: true };
  }
  try {
    return { quic: await abortable(connecting, signal), isEarly: false };
  } catch (error) {
    connecting.then((conn) => conn.close(), () => {});
    if (from === undefined) socket?.close();
    throw error;
  }
}

/** A socket of our own can be closed before the connection stands; binding it takes a wide permission. */
function openSocket(): Deno.QuicEndpoint | undefined {
  const { state } = Deno.permissions.querySync({ name: "net" });
  return state === "granted" ? new Deno.QuicEndpoint() : undefined;
}
