import { pemCertificates, readTlsCertificate } from "./certificate.ts";
import type { PeerCertificate } from "../peer_identity.ts";
import type { ServerTlsOptions } from "./options.ts";

/** How long before its end a certificate is warned of, at most. */
const SOON_MS = 30 * 24 * 60 * 60 * 1000;
/** The share of its life that is left when a certificate is warned of: those that live for hours are renewed late. */
const SOON_SHARE = 1 / 5;

/** When the certificate ends that ends first of those that a server shows. */
export function firstExpiry(tls: ServerTlsOptions): Date | undefined {
  const ends = shownBy(tls).map(({ notAfter }) => notAfter.getTime());
  return ends.length === 0 ? undefined : new Date(Math.min(...ends));
}

function shownBy(tls: ServerTlsOptions): PeerCertificate[] {
  return [tls, ...Object.values(tls.names ?? {})].flatMap(({ cert }) =>
    pemCertificates(cert).slice(0, 1).map(readTlsCertificate)
  );
}

/** What is to be said of the certificates that a server shows and that end soon, or have ended. */
export function expiryWarnings(tls: ServerTlsOptions, nowMs: number): string[] {
  return shownBy(tls).flatMap(({ subject, notBefore, notAfter }) => {
    const lifeMs = notAfter.getTime() - notBefore.getTime();
    const leftMs = notAfter.getTime() - nowMs;
    if (leftMs > Math.min(SOON_MS, lifeMs * SOON_SHARE)) return [];
    const ends = leftMs > 0 ? "ends soon" : "has ended";
    return [`The certificate ${subject} ${ends}: ${notAfter.toISOString()}`];
  });
}
