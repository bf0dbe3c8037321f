import type { PeerCertificate } from "../../io/peer_identity.ts";
import {
  exportPrivateKey,
  generateKeys,
  importPrivateKey,
  isKeyOf,
  type KeyAlgorithm,
  signatureOf,
} from "./certificate_key.ts";
import { CertificateError, readingCertificates } from "./certificate_error.ts";
import { encodePem } from "./pem.ts";
import {
  authorityKeyIdentifier,
  checkValidMs,
  DAY_MS,
  keyUsages,
  MAX_COMMON_NAME_CHARACTERS,
  randomSerial,
  subjectOf,
} from "./certificate_fields.ts";
import { parseCertificateName } from "./certificate_names.ts";
import { describeCertificate, parseCertificates } from "./read_certificate.ts";
import {
  type CreateRevocationListOptions,
  type RevokedCertificate,
  signRevocationList,
} from "./revocation_list.ts";
import { loadX509, type X509Library } from "./x509_library.ts";

type Certificate = InstanceType<X509Library["X509Certificate"]>;

/** How far back validity begins, since the clocks of peers differ. */
const BACKDATE_MS = 5 * 60_000;
const MAX_NAMES = 1000;

/** What a certificate is good for: a server, a client, or both at once between peers of one suite. */
export type CertificatePurpose = "server" | "client" | "peer";

/** Options of {@linkcode createCa}. */
export interface CreateCaOptions {
  /** What people see in lists of authorities; by default a name that no other local authority has. */
  commonName?: string | undefined;
  /** The organization that holds it. */
  organization?: string | undefined;
  /** How long it signs, in milliseconds. @default {315_360_000_000} */
  validMs?: number | undefined;
  /** The kind of its key. @default {"ecdsa-p256"} */
  algorithm?: KeyAlgorithm | undefined;
  /** The time, in milliseconds since 1970. @default {Date.now()} */
  nowMs?: number | undefined;
}

/** Options of {@linkcode Authority.issue}. */
export interface IssueCertificateOptions {
  /** DNS names, IP addresses, URIs (SPIFFE ids) and mail addresses that it is for. */
  names?: readonly string[] | undefined;
  /** What it is good for. */
  purpose: CertificatePurpose;
  /** The subject's common name; by default the first name. */
  commonName?: string | undefined;
  /** The subject's organization. */
  organization?: string | undefined;
  /** How long it is valid, in milliseconds, at most as long as its authority. @default {34_300_800_000} */
  validMs?: number | undefined;
  /** The kind of its key. @default {"ecdsa-p256"} */
  algorithm?: KeyAlgorithm | undefined;
  /** The time, in milliseconds since 1970. @default {Date.now()} */
  nowMs?: number | undefined;
}

/** A certificate and its key, as files and TLS engines take them. */
export interface IssuedCertificate {
  /** The certificate in PEM, followed by those between it and the root, if any. */
  readonly certPem: string;
  /** The private key in PEM (PKCS #8). */
  readonly keyPem: string;
  /** What the certificate says. */
  readonly certificate: PeerCertificate;
}

/**
 * A certificate authority: it signs certificates and lists of those that it took back.
 *
 * @example Usage
 * ```ts
 * import { type Authority, createCa } from "./authority.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ca: Authority = await createCa({ validMs: 3_600_000 });
 * const hub = await ca.issue({ names: ["hub.internal"], purpose: "peer" });
 * assertEquals(hub.certificate.notAfter, ca.certificate.notAfter);
 * ```
 */
export class Authority implements IssuedCertificate {
  readonly certPem: string;
  readonly keyPem: string;
  readonly certificate: PeerCertificate;
  readonly #certificate: Certificate;
  readonly #key: CryptoKey;

  /** Holds what {@linkcode createCa} made or {@linkcode openCa} read. */
  constructor(
    issued: IssuedCertificate,
    certificate: Certificate,
    key: CryptoKey,
  ) {
    this.certPem = issued.certPem;
    this.keyPem = issued.keyPem;
    this.certificate = issued.certificate;
    this.#certificate = certificate;
    this.#key = key;
  }

  /**
   * Makes a key and a certificate for it.
   *
   * @throws {TypeError} If there is neither a name nor a common name, or one is unsound.
   * @throws {CertificateError} If the authority is not valid at this time.
   */
  async issue(options: IssueCertificateOptions): Promise<IssuedCertificate> {
    const { names: texts = [], algorithm = "ecdsa-p256" } = options;
    const nowMs = options.nowMs ?? Date.now();
    const { notBefore, notAfter } = this.#validity(
      nowMs,
      options.validMs ?? 397 * DAY_MS,
    );
    if (texts.length > MAX_NAMES) {
      throw new TypeError(
        `Cannot issue a certificate for more than ${MAX_NAMES} names: current number is ${texts.length}`,
      );
    }
    const names = texts.map(parseCertificateName);
    const first = names[0]?.value ?? "";
    const commonName = options.commonName ??
      (first.length <= MAX_COMMON_NAME_CHARACTERS ? first : "");
    const isNameless = commonName === "" && !options.organization;
    if (names.length === 0 && isNameless) {
      throw new TypeError("Cannot issue a certificate without a name");
    }
    const x509 = await loadX509();
    const subject = subjectOf(x509, commonName, options.organization);
    const keys = await generateKeys(algorithm);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      subject,
      issuer: this.#certificate.subjectName,
      notBefore,
      notAfter,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      signingAlgorithm: signatureOf(this.#key),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(keyUsages(x509, options.purpose)),
        ...(names.length === 0 ? [] : [
          new x509.SubjectAlternativeNameExtension(
            names.map(({ type, value }) => ({
              type: type === "uri" ? "url" as const : type,
              value,
            })),
            // Without a subject the names are all there is (RFC 5280, 4.2.1.6).
            isNameless,
          ),
        ]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await authorityKeyIdentifier(x509, this.#certificate),
      ],
    });
    return {
      certPem: encodePem("CERTIFICATE", certificate.rawData) + this.#chainPem(),
      keyPem: await exportPrivateKey(keys.privateKey),
      certificate: await describeCertificate(certificate),
    };
  }

  /**
   * Signs the list of the certificates that are taken back (RFC 5280, 5); returns it in PEM. Each list takes the place
   * of the one before.
   *
   * @throws {CertificateError} If the authority is not valid at this time.
   */
  async createRevocationList(
    revoked: readonly RevokedCertificate[],
    options: CreateRevocationListOptions = {},
  ): Promise<string> {
    const nowMs = options.nowMs ?? Date.now();
    this.#validity(nowMs, 1);
    const x509 = await loadX509();
    return await signRevocationList(revoked, {
      ...options,
      nowMs,
      issuer: this.#certificate.subjectName,
      key: this.#key,
      keyIdentifier: await authorityKeyIdentifier(x509, this.#certificate),
    });
  }

  #validity(
    nowMs: number,
    validMs: number,
  ): { notBefore: Date; notAfter: Date } {
    checkValidMs(validMs);
    const { subject, notBefore, notAfter } = this.certificate;
    if (nowMs > notAfter.getTime() || nowMs < notBefore.getTime()) {
      throw new CertificateError(
        nowMs > notAfter.getTime() ? "expired" : "not yet valid",
        `the authority ${subject} signs from ${notBefore.toISOString()} to ${notAfter.toISOString()}`,
      );
    }
    return {
      notBefore: new Date(nowMs - BACKDATE_MS),
      notAfter: new Date(Math.min(nowMs + validMs, notAfter.getTime())),
    };
  }

  /** What a peer that knows the root alone must be sent besides the certificate. */
  #chainPem(): string {
    const { subject, issuer } = this.certificate;
    return subject === issuer ? "" : this.certPem;
  }
}

/**
 * Makes a certificate authority of one's own: a key, and a certificate that vouches for itself. It signs certificates
 * of servers and clients, and no further authorities.
 *
 * @throws {TypeError} If a name is unsound.
 *
 * @example Usage
 * ```ts
 * import { createCa } from "./authority.ts";
 * import { verifyCertificate } from "./verify_certificate.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ca = await createCa({ commonName: "Harbour CA" });
 * const ada = await ca.issue({
 *   names: ["spiffe://harbour.example/ada"],
 *   commonName: "ada",
 *   purpose: "client",
 * });
 * const verified = await verifyCertificate(ada.certPem, {
 *   ca: ca.certPem,
 *   purpose: "client",
 * });
 * assertEquals(verified.commonName, "ada");
 * ```
 */
export async function createCa(
  options: CreateCaOptions = {},
): Promise<Authority> {
  const nowMs = options.nowMs ?? Date.now();
  const validMs = options.validMs ?? 3650 * DAY_MS;
  checkValidMs(validMs);
  const serialNumber = randomSerial();
  const x509 = await loadX509();
  const subject = subjectOf(
    x509,
    options.commonName ?? `Portolan local CA ${serialNumber.slice(0, 8)}`,
    options.organization,
  );
  const keys = await generateKeys(options.algorithm ?? "ecdsa-p256");
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name: subject,
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + validMs),
    signingAlgorithm: signatureOf(keys.privateKey),
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return new Authority(
    {
      certPem: encodePem("CERTIFICATE", certificate.rawData),
      keyPem: await exportPrivateKey(keys.privateKey),
      certificate: await describeCertificate(certificate),
    },
    certificate,
    keys.privateKey,
  );
}

/**
 * Reads an authority from its certificate and its key, whoever made them.
 *
 * @throws {CertificateError} If the certificate is unreadable or may not sign others.
 * @throws {TypeError} If the key is damaged, encrypted, or another certificate's.
 *
 * @example Usage
 * ```ts
 * import { createCa, openCa } from "./authority.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const { certPem, keyPem } = await createCa({ commonName: "Harbour CA" });
 * const ca = await openCa(certPem, keyPem);
 * assertEquals(ca.certificate.subject, "CN=Harbour CA");
 * ```
 */
export async function openCa(
  certPem: string,
  keyPem: string,
): Promise<Authority> {
  const x509 = await loadX509();
  const [certificate] = await readingCertificates(() =>
    parseCertificates(certPem)
  );
  const described = await describeCertificate(certificate!);
  const isCa = certificate!.getExtension(x509.BasicConstraintsExtension)?.ca;
  if (isCa !== true) {
    throw new CertificateError(
      "misused authority",
      `${described.subject} may not sign others`,
    );
  }
  if (!isKeyOf(keyPem, certPem)) {
    throw new TypeError(
      `Cannot use the key of the authority: it is not the key of ${described.subject}`,
    );
  }
  return new Authority(
    { certPem, keyPem, certificate: described },
    certificate!,
    await importPrivateKey(keyPem),
  );
}
