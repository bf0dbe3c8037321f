/** Why two programs do not come to speak TLS. */
export type TlsFault =
  /** The certificate's time is over. */
  | "expired"
  /** The certificate's time has not come; mostly a clock is wrong. */
  | "not yet valid"
  /** The certificate is for another name. */
  | "wrong name"
  /** The certificate is for something else: a server's shown by a client, for example. */
  | "wrong purpose"
  /** The certificate vouches for itself, and nobody said to trust it. */
  | "self-signed"
  /** No trusted authority has signed the certificate. */
  | "unknown authority"
  /** The certificate is not signed by whom it names, or its holder cannot prove to have its key: that may be too weak. */
  | "forged"
  /** The certificate's authority has taken it back. */
  | "revoked"
  /** The certificate is on the deny list. */
  | "denied"
  /** The list of what the authority has taken back is out of date, or there is none. */
  | "no revocation list"
  /** The certificate's key is too short. */
  | "weak key"
  /** The certificate is signed with MD5 or SHA-1. */
  | "weak signature"
  /** The certificate has none of the pinned keys. */
  | "wrong pin"
  /** Whoever was asked about the certificate refused it. */
  | "refused"
  /** The peer showed no certificate where one is needed. */
  | "no certificate"
  /** The peer does not speak TLS. */
  | "no TLS"
  /** The two speak no version, cipher or protocol (ALPN) in common. */
  | "nothing in common"
  /** The peer ended it, and maybe said why. */
  | "ended by peer"
  /** Anything else. */
  | "broken";

/** What the peer is, as far as it is known. */
export type TlsPeer = "client" | "server" | "peer";

/**
 * A handshake of TLS came to nothing, or a certificate was refused. `fault` says why, for programs; `reason` for people.
 *
 * @example Usage
 * ```ts
 * import { TlsError } from "./tls_error.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new TlsError("expired", "the server's certificate ended yesterday");
 * assertEquals(error.message, "Cannot trust TLS: the server's certificate ended yesterday");
 * ```
 */
export class TlsError extends Error {
  /** The name that stack traces show. */
  override readonly name = "TlsError";
  /** Why, for programs. */
  readonly fault: TlsFault;
  /** Why, for people. */
  readonly reason: string;

  /** Creates the error. */
  constructor(fault: TlsFault, reason: string, options?: ErrorOptions) {
    super(`Cannot trust TLS: ${reason}`, options);
    this.fault = fault;
    this.reason = reason;
  }
}

const HOW_TO_TRUST =
  "trust the authority that did (--ca FILE, tls.caCerts), if you know it";

/** What the runtime says of a certificate or a handshake, what that is, and how to tell it. */
const SAID: [RegExp, TlsFault, (peer: TlsPeer, said: string) => string][] = [
  [
    /invalid peer certificate: certificate expired|CERT_HAS_EXPIRED/,
    "expired",
    (peer, said) => {
      const seconds = /not valid after (\d+)/.exec(said)?.[1];
      const ended = seconds === undefined ? "" : `: it ended ${time(seconds)}`;
      return `the ${peer}'s certificate has expired${ended}`;
    },
  ],
  [/certificate not valid yet/, "not yet valid", (peer, said) => {
    const seconds = /not valid before (\d+)/.exec(said)?.[1];
    const begins = seconds === undefined ? "" : `: it begins ${time(seconds)}`;
    return `the ${peer}'s certificate is not valid yet${begins}`;
  }],
  [
    /certificate not valid for name/,
    "wrong name",
    (peer, said) => {
      const asked = /for name "([^"]*)"/.exec(said)?.[1];
      const names = /only valid for (.*)$/.exec(said)?.[1]
        ?.replaceAll(/\w+\("([^"]*)"\)/g, "$1");
      return `the ${peer}'s certificate is for ${names ?? "another name"}` +
        (asked === undefined ? "" : ` and not for ${asked}`);
    },
  ],
  [
    /UnknownIssuer/,
    "unknown authority",
    (peer) =>
      `no trusted authority signed the ${peer}'s certificate: ${HOW_TO_TRUST}`,
  ],
  [
    /extended key usage/,
    "wrong purpose",
    (peer) => `the certificate is not one of a ${peer}`,
  ],
  [
    /UnsupportedSignatureAlgorithm/,
    "weak signature",
    (peer) => `the ${peer}'s certificate is signed in a way that is not safe`,
  ],
  [
    /BadSignature|invalid peer certificate|verify the first certificate/,
    "forged",
    (peer, said) => {
      const detail = said.replace(/.*invalid peer certificate: /, "");
      return `the ${peer}'s certificate is not what it says it is: ${detail}`;
    },
  ],
  [
    /CertificateRequired alert|fatal alert: CertificateRequired/,
    "no certificate",
    (peer) =>
      `the ${peer} wants a certificate: show one (--cert FILE --key FILE, tls.cert and tls.key)`,
  ],
  [
    /DID_NOT_RETURN_A_CERTIFICATE|sent no certificates/,
    "no certificate",
    (peer) => `the ${peer} showed no certificate`,
  ],
  [
    /fatal alert: (ProtocolVersion|HandshakeFailure|NoApplicationProtocol)/,
    "nothing in common",
    (peer, said) =>
      `the ${peer} speaks nothing that suits it here: ${alertOf(said)}`,
  ],
  [
    /fatal alert/,
    "ended by peer",
    (peer, said) => `the ${peer} refused: ${alertOf(said)}`,
  ],
  [
    /InvalidContentType|HandshakePayloadTooLarge|WRONG_VERSION_NUMBER|MessageTooLarge/,
    "no TLS",
    (peer) => `the ${peer} does not speak TLS`,
  ],
  [
    /peer is incompatible|known protocol/,
    "nothing in common",
    (peer, said) =>
      `the ${peer} speaks nothing that suits it here: ${
        said.replace(/.*peer is incompatible: /, "")
      }`,
  ],
  [
    /UnexpectedEof|unexpected end of file|close_notify|ECONNRESET|socket hang up|connection reset|broken pipe/i,
    "ended by peer",
    (peer) => `the ${peer} ended the handshake`,
  ],
];

function time(seconds: string): string {
  return new Date(Number(seconds) * 1000).toISOString();
}

/** An alert of RFC 8446, 6.2, as the runtime names it: `CertificateExpired`. */
function alertOf(said: string): string {
  const name = /fatal alert: (\w+)/.exec(said)?.[1] ?? "no reason";
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}

/** What an engine threw at a handshake with `peer`, as an error that says why in the same words whichever engine it is. */
export function tlsError(error: unknown, peer: TlsPeer): TlsError {
  if (error instanceof TlsError) return error;
  const { name = "", message = String(error), code = "" } = error as Error & {
    code?: string;
  };
  const said = `${name} ${code} ${message}`;
  const known = SAID.find(([pattern]) => pattern.test(said));
  return known === undefined
    ? new TlsError("broken", message, { cause: error })
    : new TlsError(known[1], known[2](peer, said), { cause: error });
}
