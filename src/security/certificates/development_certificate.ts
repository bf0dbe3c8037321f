import { join } from "node:path";
import {
  type Authority,
  createCa,
  type IssuedCertificate,
  openCa,
} from "./authority.ts";
import { isKeyOf } from "./certificate_key.ts";
import { CertificateError } from "./certificate_error.ts";
import {
  lockFolder,
  makeKeyFolder,
  readIfThere,
  writePair,
} from "./key_files.ts";
import { readCertificate } from "./read_certificate.ts";
import { verifyCertificate } from "./verify_certificate.ts";

/** Where certificates lie if nothing else is said. */
export const DEFAULT_CERTIFICATE_FOLDER = ".portolan/tls";
/** Names of the authority's files in the folder. */
export const CA_CERT_FILE = "ca.pem";
/** The authority's key. */
export const CA_KEY_FILE = "ca-key.pem";

/** A development certificate is replaced when less than this is left of its life. */
const RENEWED_BEFORE_MS = 30 * 86_400_000;
const LOCAL_NAMES: readonly string[] = ["localhost", "127.0.0.1", "::1"];

/** Options of {@linkcode developmentCertificate}. */
export interface DevelopmentCertificateOptions {
  /** More names to be valid for. */
  readonly names?: readonly string[] | undefined;
  /** The time, in milliseconds since 1970. @default {Date.now()} */
  readonly nowMs?: number | undefined;
}

/** What {@linkcode developmentCertificate} made or found. */
export interface DevelopmentCertificate {
  /** The certificate in PEM. */
  readonly cert: string;
  /** Its key in PEM. */
  readonly key: string;
  /** File of the certificate. */
  readonly certPath: string;
  /** File of its key. */
  readonly keyPath: string;
  /** File of the authority's certificate: what clients must trust. */
  readonly caPath: string;
  /** Whether the authority is new, so that people must be told how to trust it. */
  readonly created: boolean;
}

/**
 * A certificate for a TLS server on the machine where it is written: for `localhost`, `127.0.0.1`, `::1`, and the
 * machine's name if the program may know it (`--allow-sys=hostname`). The first call makes a local authority and the
 * certificate in `folder`, later ones find them there; a certificate that is about to expire is replaced. Keys have
 * mode 600, the folder 700. Several programs may call it at once.
 *
 * Needs permission to read and write `folder`.
 *
 * @throws {CertificateError} If the authority there has expired.
 *
 * @example Usage
 * ```ts
 * import { developmentCertificate } from "./development_certificate.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const folder = `${await Deno.makeTempDir({ dir: "/tmp" })}/tls`;
 * const { cert, key, created } = await developmentCertificate(folder);
 * assert(created);
 * using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
 * assertEquals((await developmentCertificate(folder)).cert, cert);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function developmentCertificate(
  folder = DEFAULT_CERTIFICATE_FOLDER,
  options: DevelopmentCertificateOptions = {},
): Promise<DevelopmentCertificate> {
  const nowMs = options.nowMs ?? Date.now();
  await makeKeyFolder(folder);
  // Programs that start together shall not each make an authority of their own.
  using _lock = await lockFolder(folder);
  const paths = {
    certPath: join(folder, "development.pem"),
    keyPath: join(folder, "development-key.pem"),
    caPath: join(folder, CA_CERT_FILE),
  };
  const names = [...LOCAL_NAMES, ...machineName(), ...options.names ?? []];
  const found = await findUsable(paths, names, nowMs);
  if (found !== undefined) {
    return { ...found, ...paths, created: false };
  }
  const { authority, created } = await openOrCreateCa(folder, nowMs);
  const issued = await authority.issue({ names, purpose: "server", nowMs });
  await writePair({ ...issued, ...paths }, true);
  return { cert: issued.certPem, key: issued.keyPem, ...paths, created };
}

/**
 * Opens the authority in a folder.
 *
 * @throws {Error} If there is none, or its key is kept elsewhere.
 */
export async function openCaIn(folder: string): Promise<Authority> {
  const authority = await findCa(folder);
  if (authority !== undefined) return authority;
  throw new Deno.errors.NotFound(
    `Cannot sign without an authority: there is no "${
      join(folder, CA_CERT_FILE)
    }"`,
  );
}

/**
 * How people let their programs trust the certificates of an authority.
 *
 * @example Usage
 * ```ts
 * import { howToTrust } from "./development_certificate.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * assertStringIncludes(howToTrust("ca.pem").join(), "curl --cacert ca.pem");
 * ```
 */
export function howToTrust(caPath: string): string[] {
  return [
    `our clients:     --ca ${caPath}`,
    `curl:            curl --cacert ${caPath} …`,
    `other Deno:      DENO_CERT=${caPath} deno …`,
    `this machine:    sudo cp ${caPath} /usr/local/share/ca-certificates/portolan.crt && sudo update-ca-certificates`,
    `Chromium:        certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n portolan -i ${caPath}`,
    `Firefox:         Settings, Certificates, Authorities, Import`,
  ];
}

async function openOrCreateCa(
  folder: string,
  nowMs: number,
): Promise<{ authority: Authority; created: boolean }> {
  const found = await findCa(folder);
  if (found !== undefined) return { authority: found, created: false };
  const authority = await createCa({ nowMs });
  await writePair(caPair(folder, authority));
  return { authority, created: true };
}

/** Where an authority's files lie in a folder. */
export function caPair(
  folder: string,
  { certPem, keyPem }: IssuedCertificate,
): Parameters<typeof writePair>[0] {
  return {
    certPath: join(folder, CA_CERT_FILE),
    certPem,
    keyPath: join(folder, CA_KEY_FILE),
    keyPem,
  };
}

/** The authority in a folder, if there is one. */
export async function findCa(folder: string): Promise<Authority | undefined> {
  const certPem = await readIfThere(join(folder, CA_CERT_FILE));
  const keyPem = await readIfThere(join(folder, CA_KEY_FILE));
  if (certPem === undefined && keyPem === undefined) return undefined;
  if (certPem !== undefined && keyPem !== undefined) {
    return await openCa(certPem, keyPem);
  }
  const [there, missing] = keyPem === undefined
    ? [CA_CERT_FILE, CA_KEY_FILE]
    : [CA_KEY_FILE, CA_CERT_FILE];
  throw new Deno.errors.NotFound(
    `Cannot sign with the authority in "${folder}": ${there} is there and ${missing} is not`,
  );
}

/** The pair in the folder, unless it is damaged, of another authority, for other names, or about to expire. */
async function findUsable(
  paths: { certPath: string; keyPath: string; caPath: string },
  names: readonly string[],
  nowMs: number,
): Promise<{ cert: string; key: string } | undefined> {
  const cert = await readIfThere(paths.certPath);
  const key = await readIfThere(paths.keyPath);
  const ca = await readIfThere(paths.caPath);
  if (cert === undefined || key === undefined || ca === undefined) return;
  try {
    if (!isKeyOf(key, cert)) return;
    for (const name of names) {
      await verifyCertificate(cert, { ca, name, purpose: "server", nowMs });
    }
    const { notAfter } = await readCertificate(cert);
    if (notAfter.getTime() - nowMs < RENEWED_BEFORE_MS) return;
    return { cert, key };
  } catch (error) {
    const isFault = error instanceof CertificateError ||
      error instanceof TypeError;
    if (!isFault) throw error;
  }
}

function machineName(): string[] {
  const permission = { name: "sys", kind: "hostname" } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") return [];
  const name = Deno.hostname();
  return /^[a-z0-9][a-z0-9.-]*$/i.test(name) && name.length <= 253
    ? [name]
    : [];
}
