import { abortable } from "../abortable.ts";
import type { ClientTlsOptions } from "../tls/options.ts";
import type { TransportConnectOptions } from "../transport.ts";
import { DEFAULT_ALPN } from "./connection.ts";
import { keepSocket, takeSocket } from "./client_sockets.ts";
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
  const { serverName, caCerts, alpn = [DEFAULT_ALPN] } = tls;
  const purpose = JSON.stringify([hostname, port, serverName, caCerts, alpn]);
  const socket = from === undefined
    ? takeSocket(purpose)
    : { endpoint: from, uses: Infinity };
  let connecting: Promise<Deno.QuicConn> | undefined;
  try {
    const begun = Deno.connectQuic({
      hostname,
      port,
      alpnProtocols: alpn,
      zeroRtt: early,
      ...(serverName && { serverName }),
      ...(caCerts && { caCerts }),
      ...(socket.endpoint && { endpoint: socket.endpoint }),
      ...transportOptions(quic),
      // A server has no reason to open streams: nobody would accept them.
      maxConcurrentBidirectionalStreams: 0,
    });
    if (!(begun instanceof Promise)) return { quic: begun, isEarly: true };
    connecting = begun;
    const conn = await abortable(connecting, signal);
    socket.endpoint = conn.endpoint;
    socket.uses++;
    keepSocket(purpose, socket);
    return { quic: conn, isEarly: false };
  } catch (error) {
    connecting?.then((conn) => conn.close(), () => {});
    // What was begun can be ended only with its socket, which others may be using.
    if (socket.uses === 0) socket.endpoint?.close();
    throw error;
  }
}
