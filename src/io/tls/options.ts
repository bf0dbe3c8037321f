import type { PeerCertificate } from "../peer_identity.ts";

/** A certificate and its private key, both in PEM. */
export interface TlsCertificate {
  /** The certificate, followed by those between it and its authority. */
  cert: string;
  /** Its private key. */
  key: string;
}

/** A version of TLS that is spoken here. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/**
 * What speaks TLS: `native` is the runtime's own, the fastest; `node` is `node:tls`, which can do more; `auto` takes
 * `native` where that can do what is asked for.
 */
export type TlsEngineName = "auto" | "native" | "node";

/** What an authority has revoked: the content of a certificate revocation list (CRL). */
export interface RevokedCertificates {
  /** Distinguished name of the authority, as {@linkcode PeerCertificate.issuer} has it. */
  readonly issuer: string;
  /** Serial numbers in hexadecimal, upper case, without separators. */
  readonly serialNumbers: ReadonlySet<string>;
  /** When the authority promised the next list; after that, its certificates are refused. */
  readonly nextUpdate?: Date | undefined;
}

/** How a server asks its clients for certificates. */
export interface ClientCertificateOptions {
  /** Certificates of the authorities that clients must come from, in PEM. */
  caCerts: string[];
  /** Whether a client without a certificate is let in; one with a wrong certificate never is. @default {false} */
  optional?: boolean;
  /** What the authorities have revoked. */
  revoked?: readonly RevokedCertificates[];
  /** Certificates to refuse, by fingerprint, by pin of the public key or by serial number. */
  denied?: readonly string[];
  /** Says why to refuse a certificate that was found good so far; undefined lets it in. */
  refuse?: (certificate: PeerCertificate) => string | undefined;
}

/** How a server speaks TLS. */
export interface ServerTlsOptions extends TlsCertificate {
  /** What speaks TLS. @default {"auto"} */
  engine?: TlsEngineName;
  /** Certificates for server names that clients ask for (SNI), such as `example.com` and `*.example.com`. */
  names?: Readonly<Record<string, TlsCertificate>>;
  /** Protocols to offer by ALPN, the preferred one first; a client that names only others is refused. */
  alpn?: string[];
  /** The oldest version to speak. @default {"TLSv1.2"} */
  minVersion?: TlsVersion;
  /** The newest version to speak. @default {"TLSv1.3"} */
  maxVersion?: TlsVersion;
  /** Asks clients for certificates; without it they are not asked. */
  clients?: ClientCertificateOptions;
}

/** How a client speaks TLS. */
export interface ClientTlsOptions {
  /** What speaks TLS. @default {"auto"} */
  engine?: TlsEngineName;
  /** Certificates to trust, in PEM: beside the system's by the native engine, in their place by `node`. */
  caCerts?: string[];
  /** Certificate chain of the client, in PEM. */
  cert?: string;
  /** Private key of the client, in PEM. */
  key?: string;
  /** Protocols to offer by ALPN, the preferred one first. */
  alpn?: string[];
  /** The name that the server's certificate must have. @default {the host in the endpoint} */
  serverName?: string;
  /** Public keys of which the server must have one: SHA-256 of SubjectPublicKeyInfo in base64, as RFC 7469 pins them. */
  pins?: readonly string[];
  /** Says why to refuse a server's certificate that was found good so far; undefined accepts it. */
  refuse?: (certificate: PeerCertificate) => string | undefined;
  /**
   * Asked about a certificate that no known authority signed: whether it is trusted, as `ssh` asks about a new host.
   * Whoever answers remembers the fingerprint, and says false when it has changed.
   */
  trust?: (certificate: PeerCertificate) => boolean | Promise<boolean>;
  /** Talks to whoever answers. Nothing protects such a connection from those in between. @default {false} */
  dangerouslySkipVerification?: boolean;
  /** Told of what makes the connection less safe than it looks. */
  warn?: (warning: string) => void;
}
