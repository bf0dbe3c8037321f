import { importPrivateKey } from "./certificate_key.ts";
import { parseCertificates } from "./read_certificate.ts";

type Library = typeof import("npm:pkijs@3.4.3");

/** Rounds between the password and each key: what guessing it costs. The integrity check must not be the cheap way. */
const ITERATIONS = 100_000;
const KEY_BAG = "1.2.840.113549.1.12.10.1.2";
const CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3";
const FRIENDLY_NAME = "1.2.840.113549.1.9.20";
const LOCAL_KEY_ID = "1.2.840.113549.1.9.21";

/** Options of {@linkcode exportPkcs12}. */
export interface Pkcs12Options {
  /** The certificate in PEM, and what leads to its authority. */
  readonly certPem: string;
  /** Its private key in PEM. */
  readonly keyPem: string;
  /** The certificate of the authority in PEM, to be put in as well. */
  readonly caPem?: string | undefined;
  /** What the file is locked with. */
  readonly password: string;
  /** What lists of certificates show. @default {"the certificate's subject"} */
  readonly friendlyName?: string | undefined;
}

/**
 * Packs a certificate and its key for browsers and systems (PKCS #12, RFC 7292), encrypted with AES-256.
 *
 * @throws {TypeError} If the password is empty: some programs take that for no password, others do not.
 *
 * @example Usage
 * ```ts
 * import { createCa } from "./authority.ts";
 * import { exportPkcs12 } from "./pkcs12.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ca = await createCa();
 * const ada = await ca.issue({ commonName: "ada", purpose: "client" });
 * const p12 = await exportPkcs12({ ...ada, caPem: ca.certPem, password: "Anchor-42" });
 * assertEquals(p12[0], 0x30);
 * ```
 */
export async function exportPkcs12(
  options: Pkcs12Options,
): Promise<Uint8Array<ArrayBuffer>> {
  if (options.password === "") {
    throw new TypeError("Cannot pack a key without a password");
  }
  const pkijs = await import("npm:pkijs@3.4.3");
  const chain = await parseCertificates(
    options.certPem + (options.caPem ?? ""),
  );
  const key = await importPrivateKey(options.keyPem);
  const password = new TextEncoder().encode(options.password).buffer;
  const attributes = await holderAttributes(
    pkijs,
    options.friendlyName ?? chain[0]!.subject,
    chain[0]!.rawData,
  );
  const keyBag = new pkijs.PKCS8ShroudedKeyBag({
    parsedValue: pkijs.PrivateKeyInfo.fromBER(
      await crypto.subtle.exportKey("pkcs8", key),
    ),
  });
  const bags = [
    new pkijs.SafeBag({
      bagId: KEY_BAG,
      bagValue: keyBag,
      bagAttributes: attributes,
    }),
    ...chain.map(({ rawData }, index) =>
      new pkijs.SafeBag({
        bagId: CERTIFICATE_BAG,
        bagValue: new pkijs.CertBag({
          parsedValue: pkijs.Certificate.fromBER(rawData),
        }),
        ...(index === 0 ? { bagAttributes: attributes } : {}),
      })
    ),
  ];
  await keyBag.makeInternalValues({
    password,
    contentEncryptionAlgorithm: aes256(),
    hmacHashAlgorithm: "SHA-256",
    iterationCount: ITERATIONS,
  });
  const pfx = new pkijs.PFX({
    parsedValue: {
      integrityMode: 0,
      authenticatedSafe: new pkijs.AuthenticatedSafe({
        parsedValue: {
          safeContents: [{
            privacyMode: 1,
            value: new pkijs.SafeContents({ safeBags: bags }),
          }],
        },
      }),
    },
  });
  await pfx.parsedValue?.authenticatedSafe?.makeInternalValues({
    safeContents: [{
      password,
      contentEncryptionAlgorithm: aes256(),
      hmacHashAlgorithm: "SHA-256",
      iterationCount: ITERATIONS,
    }],
  });
  await pfx.makeInternalValues({
    password,
    iterations: ITERATIONS,
    pbkdf2HashAlgorithm: "SHA-256",
    hmacHashAlgorithm: "SHA-256",
  });
  return new Uint8Array(pfx.toSchema().toBER(false));
}

function aes256(): {
  name: "AES-CBC";
  length: number;
  iv: Uint8Array<ArrayBuffer>;
} {
  const iv = crypto.getRandomValues(new Uint8Array(16));
  return { name: "AES-CBC", length: 256, iv };
}

/** What ties the key to its certificate, and names both. */
async function holderAttributes(
  { Attribute }: Library,
  friendlyName: string,
  der: ArrayBuffer,
): Promise<InstanceType<Library["Attribute"]>[]> {
  const { BmpString, OctetString } = await import("npm:asn1js@3.1.0");
  return [
    new Attribute({
      type: FRIENDLY_NAME,
      values: [new BmpString({ value: friendlyName })],
    }),
    new Attribute({
      type: LOCAL_KEY_ID,
      values: [
        new OctetString({
          valueHex: await crypto.subtle.digest("SHA-256", der),
        }),
      ],
    }),
  ];
}
