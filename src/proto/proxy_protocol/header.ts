/** An address in a PROXY header. */
export type ProxyAddress =
  /** An IP address and a port. */
  | { hostname: string; port: number }
  /** The path of a Unix socket; empty where it has none. */
  | { path: string };

/** What a TLS-terminating proxy tells about the client's TLS connection (`PP2_TYPE_SSL`). */
export interface ProxyTls {
  /** The client came over TLS. */
  readonly isTls: boolean;
  /** It showed a certificate on this connection. */
  readonly certificateOnConnection: boolean;
  /** It showed a certificate in this session, perhaps on an earlier connection. */
  readonly certificateInSession: boolean;
  /** The proxy has verified the certificate. */
  readonly isVerified: boolean;
  /** Version: `TLSv1.3`. */
  readonly version?: string | undefined;
  /** Common name of the certificate. */
  readonly commonName?: string | undefined;
  /** Cipher suite. */
  readonly cipher?: string | undefined;
  /** Algorithm of the certificate's signature. */
  readonly signatureAlgorithm?: string | undefined;
  /** Algorithm of the certificate's key. */
  readonly keyAlgorithm?: string | undefined;
}

/** A PROXY header: where a connection that a proxy passes on really came from. */
export interface ProxyHeader {
  /** 1 is a line of text, 2 is binary and carries more. */
  readonly version: 1 | 2;
  /** `local`: the proxy itself connects, for a health check; the real addresses of the connection count. */
  readonly command: "proxy" | "local";
  /** What was carried; `unknown` if the sender does not tell, and then the real addresses count. */
  readonly transport: "stream" | "datagram" | "unknown";
  /** The client. */
  readonly source?: ProxyAddress | undefined;
  /** What the client connected to. */
  readonly destination?: ProxyAddress | undefined;
  /** Protocol that ALPN agreed on with the client, in bytes. */
  readonly alpn?: Uint8Array | undefined;
  /** Host name that the client asked for (SNI). */
  readonly authority?: string | undefined;
  /** What the connection is known by along the way; 128 bytes at most. */
  readonly uniqueId?: Uint8Array | undefined;
  /** The client's TLS. */
  readonly tls?: ProxyTls | undefined;
  /** Name of the network namespace. */
  readonly namespace?: string | undefined;
  /** Fields of other types, in order. */
  readonly others?: readonly { type: number; value: Uint8Array }[] | undefined;
}

/** Types of the fields of version 2 (`PP2_TYPE_*`). */
export const FIELD = {
  ALPN: 0x01,
  AUTHORITY: 0x02,
  CRC32C: 0x03,
  NOOP: 0x04,
  UNIQUE_ID: 0x05,
  SSL: 0x20,
  NETNS: 0x30,
} as const;

/** Types of the fields inside `SSL` (`PP2_SUBTYPE_SSL_*`). */
export const TLS_FIELD = {
  VERSION: 0x21,
  CN: 0x22,
  CIPHER: 0x23,
  SIG_ALG: 0x24,
  KEY_ALG: 0x25,
} as const;

/** Bits of the first byte of `SSL` (`PP2_CLIENT_*`). */
export const TLS_CLIENT = { SSL: 1, CERT_CONN: 2, CERT_SESS: 4 } as const;

/** The 12 bytes that version 2 begins with. */
export const SIGNATURE: Uint8Array = Uint8Array.of(
  0x0d,
  0x0a,
  0x0d,
  0x0a,
  0x00,
  0x0d,
  0x0a,
  0x51,
  0x55,
  0x49,
  0x54,
  0x0a,
);

/** Bytes of version 2 before the addresses. */
export const HEADER_BYTES = 16;

/** Bytes of the address block of version 2 by address family: IPv4, IPv6, Unix. */
export const ADDRESS_BYTES: readonly number[] = [0, 12, 36, 216];

/** The longest line of version 1, with its end. */
export const MAX_LINE_BYTES = 107;

/** Most bytes of `UNIQUE_ID`. */
export const MAX_UNIQUE_ID_BYTES = 128;
