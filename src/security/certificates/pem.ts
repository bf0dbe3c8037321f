import { Buffer } from "node:buffer";
import { CertificateError } from "./certificate_error.ts";

/** Most certificates that one file may hold: the bundles of public authorities have about 150. */
const MAX_BLOCKS = 1000;

/** The DER in the blocks of PEM with a label, or DER as it is. */
export function pemBlocks(
  pemOrDer: string | Uint8Array,
  label: string,
): Uint8Array<ArrayBuffer>[] {
  const isDer = typeof pemOrDer !== "string" && pemOrDer[0] === 0x30;
  if (isDer) return [new Uint8Array(pemOrDer)];
  const pem = typeof pemOrDer === "string"
    ? pemOrDer
    : new TextDecoder().decode(pemOrDer);
  const block = new RegExp(
    `-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`,
    "g",
  );
  const found = Array.from(
    pem.matchAll(block),
    ([, base64]) => new Uint8Array(Buffer.from(base64!, "base64")),
  );
  if (found.length === 0 || found.length > MAX_BLOCKS) {
    throw new CertificateError(
      "unreadable",
      found.length === 0
        ? `there is no ${label} in PEM or DER`
        : `there are more than ${MAX_BLOCKS}`,
    );
  }
  return found;
}

/** Writes DER as PEM (RFC 7468). */
export function encodePem(label: string, der: ArrayBuffer): string {
  const base64 = Buffer.from(der).toString("base64");
  const lines = base64.match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
