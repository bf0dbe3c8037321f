import type { PeerCertificate } from "../peer_identity.ts";
import {
  pemCertificates,
  readTlsCertificate,
  type TlsCertificateFacts,
} from "./certificate.ts";
import type { ClientCertificateOptions } from "./options.ts";
import { TlsError } from "./tls_error.ts";

const MIN_RSA_BITS = 2048;

/** Whose certificate is judged, and when. */
interface Circumstances {
  readonly peer: "client" | "server";
  /** The time, in milliseconds since 1970. */
  readonly nowMs: number;
}

/** The distinguished names of authorities given in PEM. */
export function authorityNames(caCerts: readonly string[]): Set<string> {
  return new Set(
    caCerts.flatMap(pemCertificates).map((raw) =>
      readTlsCertificate(raw).subject
    ),
  );
}

/**
 * Finds out why the engine did not verify a certificate: it says that it did not, and no more. `authorities` are the
 * names of those trusted, and of those that the peer sent to lead to them.
 */
export function whyUnverified(
  certificate: TlsCertificateFacts,
  { peer, authorities, nowMs }: Circumstances & {
    authorities: ReadonlySet<string>;
  },
): TlsError {
  const { subject, issuer, notBefore, notAfter, rsaBits } = certificate;
  const its = `the ${peer}'s certificate`;
  if (!authorities.has(issuer)) {
    return subject === issuer
      ? new TlsError(
        "self-signed",
        `${its} vouches for itself: trust it (--ca FILE, tls.caCerts), if you know it`,
      )
      : new TlsError(
        "unknown authority",
        `no trusted authority signed ${its}, but ${issuer} did: trust that (--ca FILE, tls.caCerts), if you know it`,
      );
  }
  if (nowMs > notAfter.getTime()) {
    const ended = notAfter.toISOString();
    return new TlsError("expired", `${its} has expired: it ended ${ended}`);
  }
  if (nowMs < notBefore.getTime()) {
    const begins = notBefore.toISOString();
    return new TlsError(
      "not yet valid",
      `${its} is not valid yet: it begins ${begins}`,
    );
  }
  if (certificate.isWeaklySigned) {
    return new TlsError("weak signature", `${its} is signed with MD5 or SHA-1`);
  }
  if (rsaBits !== undefined && rsaBits < MIN_RSA_BITS) {
    return new TlsError("weak key", `${its} has an RSA key of ${rsaBits} bits`);
  }
  if (!certificate.purposes[peer]) {
    return new TlsError(
      "wrong purpose",
      `the certificate ${subject} is not one of a ${peer}`,
    );
  }
  return new TlsError(
    "forged",
    `${its} names ${issuer} as its authority, which cannot be verified`,
  );
}

/** Why a certificate that the engine has verified is refused all the same; undefined if it is not. */
export function whyRefused(
  certificate: PeerCertificate,
  { denied = [], revoked = [], refuse }: Pick<
    ClientCertificateOptions,
    "denied" | "revoked" | "refuse"
  >,
  { peer, nowMs }: Circumstances,
): TlsError | undefined {
  const { serialNumber, fingerprint, publicKeyPin, issuer, subject } =
    certificate;
  const is = (id: string) =>
    [serialNumber, fingerprint, publicKeyPin].includes(id);
  if (denied.some(is)) {
    return new TlsError("denied", `${subject} is on the deny list`);
  }
  const own = revoked.filter((list) => list.issuer === issuer);
  if (own.some(({ serialNumbers }) => serialNumbers.has(serialNumber))) {
    return new TlsError(
      "revoked",
      `${issuer} has taken back the certificate ${serialNumber} of ${subject}`,
    );
  }
  const counts = own.some(({ nextUpdate }) =>
    nextUpdate === undefined || nowMs <= nextUpdate.getTime()
  );
  if (revoked.length > 0 && !counts) {
    const what = own.length === 0 ? "there is none" : "it is out of date";
    return new TlsError(
      "no revocation list",
      `no list tells whether ${issuer} has taken back the certificate of ${subject}: ${what}`,
    );
  }
  const reason = refuse?.(certificate);
  return reason === undefined ? undefined : new TlsError(
    "refused",
    `the ${peer}'s certificate was refused: ${reason}`,
  );
}
