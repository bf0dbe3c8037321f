import type { Duplex } from "node:stream";
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  TLSSocket,
  type TLSSocketOptions,
} from "node:tls";
import type { PeerIdentity } from "../peer_identity.ts";
import { readTlsCertificate, type TlsCertificateFacts } from "./certificate.ts";
import { tlsError } from "./tls_error.ts";

/** How long the last word to a peer may take whose handshake has failed. */
const ALERT_MS = 100;

/** What is used of `node:tls` for servers: another may be put in its place, as a test of what it must not ignore. */
export interface NodeTlsEngine {
  /** Makes what connections share. */
  createSecureContext(options: SecureContextOptions): SecureContext;
  /** Begins the handshake of a server. */
  accept(raw: Duplex, options: TLSSocketOptions): TLSSocket;
  /** What was wrong with the peer's certificate; empty if nothing was. */
  verifyError(socket: TLSSocket): string;
}

/** The runtime's. */
export const systemNodeTls: NodeTlsEngine = {
  createSecureContext,
  accept: (raw, options) =>
    new TLSSocket(raw as ConstructorParameters<typeof TLSSocket>[0], options),
  verifyError(socket) {
    // `authorized` is set for servers of `tls.createServer` alone, which do not tell whose certificate they refuse.
    const { ssl } = socket as unknown as {
      ssl?: { verifyError?: () => unknown };
    };
    const found = ssl?.verifyError?.();
    if (typeof found === "string") return found;
    throw new TypeError(
      "Cannot verify certificates: the runtime does not tell what it found",
    );
  },
};

/** Waits until the handshake with `peer` is done; destroys the socket if it fails or `signal` is aborted. */
export function handshake(
  socket: TLSSocket,
  peer: "client" | "server",
  signal: AbortSignal | undefined,
): Promise<void> {
  const done = Promise.withResolvers<void>();
  let failure: unknown;
  const fail = () => {
    clearTimeout(parting);
    done.reject(tlsError(failure, peer));
  };
  let parting: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const failed = (error: unknown) => {
    failure ??= error;
    if (isOver) return;
    // The peer is told why by an alert, which is on its way; then the socket closes.
    parting ??= setTimeout(fail, ALERT_MS);
  };
  const abort = () => {
    done.reject(signal?.reason);
    socket.destroy();
  };
  const left = () => {
    failure ??= new Deno.errors.ConnectionReset("The peer has left");
    fail();
  };
  // This listener stays: what fails later must not go unheard before somebody reads.
  socket.on("error", failed);
  socket.once("end", left);
  socket.once("close", left);
  const event = peer === "client" ? "secure" : "secureConnect";
  socket.once(event, () => done.resolve());
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  return done.promise.finally(() => {
    isOver = true;
    clearTimeout(parting);
    socket.off("end", left);
    socket.off("close", left);
    signal?.removeEventListener("abort", abort);
  });
}

/** The certificate that the peer has shown, whether it was verified or not. */
export function shownCertificate(
  socket: TLSSocket,
): TlsCertificateFacts | undefined {
  const { raw } = (socket.getPeerCertificate() ?? {}) as { raw?: Uint8Array };
  return raw === undefined
    ? undefined
    : readTlsCertificate(new Uint8Array(raw));
}

/** What the handshake proved; `certificate` was verified. */
export function identityOf(
  socket: TLSSocket,
  certificate: TlsCertificateFacts | undefined,
): PeerIdentity {
  const { servername } = socket as TLSSocket & { servername?: string | false };
  return {
    protocol: socket.getProtocol() ?? undefined,
    cipher: socket.getCipher()?.standardName,
    alpn: socket.alpnProtocol || undefined,
    serverName: servername || undefined,
    certificate,
  };
}
