import { abortable } from "../abortable.ts";
import {
  setConnectionOptions,
  setListenerOptions,
} from "../apply_socket_options.ts";
import { closeQuietly } from "../close_quietly.ts";
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import type {
  Conn,
  Listener,
  TransportConnectOptions,
  TransportListenOptions,
} from "../transport.ts";
import { connectByNode, needsNode } from "./client.ts";
import { keyLogWarning } from "./keylog.ts";
import { canNative, listenNative, shakeNative } from "./native_listener.ts";
import { listenByNode } from "./node_listener.ts";
import type {
  ClientCertificateOptions,
  ClientTlsOptions,
  ServerTlsOptions,
} from "./options.ts";
import { tlsError } from "./tls_error.ts";

type NetEndpoint = Extract<Endpoint, { scheme: "tcp" | "tls" | "quic" }>;

const SERVER_OPTIONS: Record<keyof ServerTlsOptions, true> = {
  cert: true,
  key: true,
  engine: true,
  names: true,
  alpn: true,
  minVersion: true,
  maxVersion: true,
  clients: true,
};
const CLIENT_CERTIFICATE_OPTIONS: Record<
  keyof ClientCertificateOptions,
  true
> = {
  caCerts: true,
  optional: true,
  revoked: true,
  denied: true,
  refuse: true,
};
const CLIENT_OPTIONS: Record<keyof ClientTlsOptions, true> = {
  engine: true,
  caCerts: true,
  cert: true,
  key: true,
  alpn: true,
  serverName: true,
  pins: true,
  refuse: true,
  trust: true,
  dangerouslySkipVerification: true,
  warn: true,
};

/** Refuses an option that nothing here would heed: somebody believes that it protects something. */
function refuseUnknown(
  where: string,
  options: object,
  known: Readonly<Record<string, true>>,
): void {
  const unknown = Object.keys(options).find((name) => !(name in known));
  if (unknown === undefined) return;
  throw new Deno.errors.NotSupported(
    `No engine heeds '${where}.${unknown}'; what may be given is ${
      Object.keys(known).join(", ")
    }`,
  );
}

/** Listens for TLS by the engine that can do what is asked for. */
export async function listenTls(
  endpoint: NetEndpoint,
  options: TransportListenOptions,
): Promise<Listener> {
  const { tls, warn } = options;
  if (tls === undefined) {
    throw new TypeError("A certificate and a key are needed");
  }
  refuseUnknown("tls", tls, SERVER_OPTIONS);
  if (tls.clients !== undefined) {
    refuseUnknown("tls.clients", tls.clients, CLIENT_CERTIFICATE_OPTIONS);
  }
  const warning = keyLogWarning();
  if (warning !== undefined) warn?.(formatEndpoint(endpoint), warning);
  if (tls.engine === "native" && !canNative(tls)) {
    throw new Deno.errors.NotSupported(
      "The native engine has no client certificates, no certificates by name and no choice of versions: use engine: 'auto'",
    );
  }
  if (tls.engine === "node" || !canNative(tls)) {
    return await listenByNode(endpoint, { ...options, tls });
  }
  const { listener, socket } = listenNative(endpoint, options, tls);
  setListenerOptions(socket, options, listener.endpoint);
  return listener;
}

/**
 * Connects and shakes hands.
 *
 * @throws {TlsError} If the server is not to be trusted.
 */
export async function connectTls(
  endpoint: NetEndpoint,
  options: TransportConnectOptions,
): Promise<Conn> {
  const { signal, tls = {} } = options;
  refuseUnknown("tls", tls, CLIENT_OPTIONS);
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new TypeError("A certificate and a key are of use together alone");
  }
  const warning = keyLogWarning();
  if (warning !== undefined) tls.warn?.(warning);
  const conn = await connectBy(endpoint, tls, signal);
  setConnectionOptions(conn, options, endpoint);
  return conn;
}

async function connectBy(
  endpoint: NetEndpoint,
  tls: ClientTlsOptions,
  signal: AbortSignal | undefined,
): Promise<Conn> {
  const { engine = "auto", cert, key } = tls;
  const showsOwn = cert !== undefined && key !== undefined;
  // The native engine sends the first message with a certificate of ours 40 ms late: it knows no TCP_NODELAY there.
  const isNode = engine === "node" ||
    engine === "auto" && (showsOwn || needsNode(tls));
  if (isNode) return await connectByNode(endpoint, tls, signal);
  if (needsNode(tls)) {
    throw new Deno.errors.NotSupported(
      "The native engine does not show the server's certificate: use engine: 'auto'",
    );
  }
  const { hostname, port } = endpoint;
  const shared = {
    hostname: tls.serverName ?? hostname,
    ...(tls.caCerts === undefined ? {} : { caCerts: tls.caCerts }),
    ...(tls.alpn === undefined ? {} : { alpnProtocols: tls.alpn }),
  };
  if (showsOwn) {
    if (shared.hostname !== hostname) {
      throw new Deno.errors.NotSupported(
        "The native engine shows no certificate to another name than it dials: use engine: 'auto'",
      );
    }
    // `Deno.startTls` would leave our certificate out.
    return await secure(
      Deno.connectTls({ ...shared, port, cert, key }),
      signal,
    );
  }
  const tcp = await Deno.connect({
    hostname,
    port,
    ...(signal === undefined ? {} : { signal }),
  });
  tcp.setNoDelay(true);
  try {
    return await secure(Deno.startTls(tcp, shared), signal);
  } catch (error) {
    closeQuietly(tcp);
    throw error;
  }
}

async function secure(
  connecting: Promise<Deno.TlsConn>,
  signal: AbortSignal | undefined,
): Promise<Conn> {
  try {
    return await shakeNative(
      await abortable(connecting, signal),
      "server",
      signal,
    );
  } catch (error) {
    connecting.then(closeQuietly, () => {});
    signal?.throwIfAborted();
    // An address that nobody listens at is no matter of TLS.
    if (error instanceof Deno.errors.ConnectionRefused) throw error;
    throw tlsError(error, "server");
  }
}
