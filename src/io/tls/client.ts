import { connect as connectNet, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Endpoint } from "../endpoint.ts";
import { abortable } from "../abortable.ts";
import type { Conn } from "../transport.ts";
import { authorityNames, whyRefused, whyUnverified } from "./judge.ts";
import type { TlsCertificateFacts } from "./certificate.ts";
import { NodeTlsConn, systemError } from "./node_conn.ts";
import { handshake, identityOf, shownCertificate } from "./node_engine.ts";
import type { ClientTlsOptions } from "./options.ts";
import { TlsError } from "./tls_error.ts";

type NetEndpoint = Extract<Endpoint, { scheme: "tcp" | "tls" | "quic" }>;

/** Whether it takes an engine that shows the server's certificate, or looks away. */
export function needsNode(tls: ClientTlsOptions): boolean {
  const { pins, refuse, trust, dangerouslySkipVerification } = tls;
  return pins !== undefined || refuse !== undefined || trust !== undefined ||
    dangerouslySkipVerification === true;
}

/**
 * Connects by `node:tls`.
 *
 * @throws {TlsError} If the handshake fails, or the server's certificate is refused.
 */
export async function connectByNode(
  { hostname, port }: NetEndpoint,
  tls: ClientTlsOptions,
  signal: AbortSignal | undefined,
): Promise<Conn> {
  const raw = await dial(hostname, port, signal);
  try {
    const name = tls.serverName ?? hostname;
    const socket = connectTls({
      socket: raw,
      host: name,
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(tls.caCerts === undefined ? {} : { ca: tls.caCerts }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
      ...(tls.alpn === undefined ? {} : { ALPNProtocols: tls.alpn }),
      minVersion: "TLSv1.2",
      // It is judged below, before anything is sent: the engine would not tell why it refuses.
      rejectUnauthorized: false,
    });
    await handshake(socket, "server", signal);
    const conn = new NodeTlsConn(raw, () => Promise.resolve());
    const certificate = shownCertificate(socket);
    conn.secured(socket, () => identityOf(socket, certificate));
    await abortable(judge(socket, certificate, name, tls), signal);
    return conn;
  } catch (error) {
    raw.destroy();
    signal?.throwIfAborted();
    throw error;
  }
}

async function dial(
  host: string,
  port: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const raw = connectNet({ host, port, noDelay: true, allowHalfOpen: true });
  const connected = Promise.withResolvers<void>();
  raw.once("error", connected.reject);
  raw.once("connect", connected.resolve);
  try {
    await abortable(connected.promise, signal);
    return raw;
  } catch (error) {
    raw.destroy();
    signal?.throwIfAborted();
    throw systemError(error);
  }
}

/** Throws if the server is not to be trusted. */
async function judge(
  socket: TLSSocket,
  certificate: TlsCertificateFacts | undefined,
  name: string,
  tls: ClientTlsOptions,
): Promise<void> {
  if (certificate === undefined) {
    throw new TlsError("no certificate", "the server showed no certificate");
  }
  const nowMs = Date.now();
  if (tls.dangerouslySkipVerification === true) {
    tls.warn?.(`TLS IS NOT SAFE: whoever answers as ${name} is believed`);
  } else if (!socket.authorized) {
    const error = /ALTNAME/.test(String(socket.authorizationError))
      ? wrongName(certificate, name)
      : whyUnverified(certificate, {
        peer: "server",
        authorities: authorityNames(tls.caCerts ?? []),
        nowMs,
      });
    const asks = error.fault === "self-signed" ||
      error.fault === "unknown authority";
    const isInTime = nowMs >= certificate.notBefore.getTime() &&
      nowMs <= certificate.notAfter.getTime();
    const isTrusted = asks && isInTime && await tls.trust?.(certificate);
    if (isTrusted !== true) throw error;
  }
  if (tls.pins !== undefined && !tls.pins.includes(certificate.publicKeyPin)) {
    throw new TlsError(
      "wrong pin",
      `the server has none of the pinned keys, but ${certificate.publicKeyPin}`,
    );
  }
  const refused = whyRefused(certificate, tls, { peer: "server", nowMs });
  if (refused !== undefined) throw refused;
}

function wrongName({ names }: TlsCertificateFacts, name: string): TlsError {
  const own = [...names.dns, ...names.ip].join(", ");
  return new TlsError(
    "wrong name",
    `the server's certificate is for ${own || "no name"} and not for ${name}`,
  );
}
