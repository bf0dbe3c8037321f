/** A peer's certificate, as its signer vouches for it. */
export interface PeerCertificate {
  /** Distinguished name of the holder, as RFC 4514 writes it: `CN=ada,O=Example`. */
  readonly subject: string;
  /** The common name in `subject`, if it has one. */
  readonly commonName: string | undefined;
  /** Distinguished name of the signer. */
  readonly issuer: string;
  /** Serial number in hexadecimal, upper case, without separators. */
  readonly serialNumber: string;
  /** Names that it is valid for: DNS names, IP addresses, URIs (SPIFFE ids among them), mail addresses. */
  readonly names: {
    readonly dns: readonly string[];
    readonly ip: readonly string[];
    readonly uri: readonly string[];
    readonly email: readonly string[];
  };
  /** SHA-256 of the certificate in hexadecimal, lower case. */
  readonly fingerprint: string;
  /** SHA-256 of its public key (SubjectPublicKeyInfo) in base64: what pins name (RFC 7469). */
  readonly publicKeyPin: string;
  /** First moment of its validity. */
  readonly notBefore: Date;
  /** Last moment of its validity. */
  readonly notAfter: Date;
  /** The certificate in DER. */
  readonly raw: Uint8Array;
}

/** What a road proved about its peer, as far as its engine tells: a native TLS server learns `alpn` alone. */
export interface PeerIdentity {
  /** Protocol version: `TLSv1.3`. */
  readonly protocol?: string | undefined;
  /** Cipher suite in the names of the IANA: `TLS_AES_256_GCM_SHA384`. */
  readonly cipher?: string | undefined;
  /** What ALPN agreed on. */
  readonly alpn?: string | undefined;
  /** The WebSocket subprotocol that was agreed on. */
  readonly subprotocol?: string | undefined;
  /** The server name that the client asked for (SNI). */
  readonly serverName?: string | undefined;
  /** The peer's certificate, verified; undefined if it showed none. */
  readonly certificate?: PeerCertificate | undefined;
}
