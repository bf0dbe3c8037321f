import { Buffer } from "node:buffer";
import { join } from "node:path";
import { CertificateError } from "../../security/certificates/certificate_error.ts";
import { parseCertificateName } from "../../security/certificates/certificate_names.ts";
import {
  CA_CERT_FILE,
  DEFAULT_CERTIFICATE_FOLDER,
} from "../../security/certificates/development_certificate.ts";
import {
  inspectCertificates,
  normalizeSerial,
  readCertificate,
} from "../../security/certificates/read_certificate.ts";
import { readRevocationList } from "../../security/certificates/revocation_list.ts";
import { verifyCertificate } from "../../security/certificates/verify_certificate.ts";
import { describeError } from "../describe_error.ts";
import { sanitize } from "../sanitize.ts";
import {
  certCommand,
  certificateRecord,
  daysUntil,
  FOLDER_OPTION,
  formatDate,
  formatNames,
  inFile,
  readNamed,
} from "./cert_command.ts";

const FILE = { name: "file", help: "PEM or DER", required: true } as const;

/** `cert inspect`. */
export const inspectCommand = certCommand({
  name: "cert inspect",
  summary: "Show what the certificates in a file say.",
  positionals: [FILE],
  examples: [
    ["deno task cert inspect .portolan/tls/ca.pem", "Show the authority"],
    ["deno task cert inspect hub.pem --json", "For a program"],
  ],
}, async ({ file }, { output }) => {
  const all = await inFile(file, inspectCertificates(await readNamed(file)));
  all.forEach((certificate, index) => {
    const { notBefore, notAfter } = certificate;
    const rows: [string, string][] = [
      ["subject", certificate.subject],
      ["names", formatNames(certificate) || "none"],
      ["issuer", certificate.issuer],
      ["serial", certificate.serialNumber],
      ["valid", `${formatDate(notBefore)} to ${formatDate(notAfter)}`],
      ["left", formatLeft(notAfter)],
      ["key", certificate.key],
      ["signature", certificate.signature],
      ["good for", purposeText(certificate)],
      ["sha-256", certificate.fingerprint],
      ["pin", certificate.publicKeyPin],
    ];
    const lines = rows.map(([label, value]) =>
      `${output.style.cyan(label.padEnd(10))} ${sanitize(value)}`
    );
    output.print(
      (index === 0 ? "" : "\n") + lines.join("\n"),
      certificateRecord(certificate),
    );
  });
});

/** `cert pin`. */
export const pinCommand = certCommand({
  name: "cert pin",
  summary: "Show the pin of a certificate's public key (SHA-256, RFC 7469).",
  positionals: [FILE],
  examples: [["deno task cert pin hub.pem", "What --pin of a client takes"]],
}, async ({ file }, { output }) => {
  const { publicKeyPin } = await inFile(
    file,
    readCertificate(await readNamed(file)),
  );
  output.print(publicKeyPin, { type: "pin", publicKeyPin });
});

/** `cert verify`. */
export const verifyCommand = certCommand({
  name: "cert verify",
  summary: "Verify a certificate as a TLS peer does; exit 1 with the reason.",
  positionals: [FILE],
  options: {
    ca: {
      type: "string",
      placeholder: "FILE",
      default: join(DEFAULT_CERTIFICATE_FOLDER, CA_CERT_FILE),
      help: "Authorities to trust",
    },
    name: {
      type: "string",
      help: "Name that is dialled",
      check: parseCertificateName,
      variable: false,
    },
    purpose: {
      type: "string",
      choices: ["server", "client", "peer"],
      help: "What it is used for",
      variable: false,
    },
    crl: {
      type: "list",
      placeholder: "FILE",
      help: "List of revoked certificates, any number of times",
    },
    deny: {
      type: "list",
      placeholder: "ID",
      help: "Serial number, fingerprint or pin that is not to be trusted",
      variable: false,
    },
  },
  examples: [
    [
      "deno task cert verify hub.pem --ca ca.pem --name hub.internal",
      "As a client would that dials hub.internal",
    ],
    [
      "deno task cert verify ada.pem --purpose client --crl .portolan/tls/crl.pem",
      "As a server would",
    ],
  ],
}, async (options, { output }) => {
  const { file } = options;
  const chain = await readNamed(file);
  const ca = await readNamed(options.ca);
  const revocationLists = await Promise.all(
    options.crl.map(async (path) =>
      await inFile(path, readRevocationList(await readNamed(path), ca))
    ),
  );
  try {
    const certificate = await verifyCertificate(chain, {
      ca,
      name: options.name,
      purpose: options.purpose,
      revocationLists,
      denied: new Set(options.deny.flatMap(spellings)),
    });
    output.print(
      `${file}: ok: ${sanitize(certificate.subject)}, until ${
        formatDate(certificate.notAfter)
      }`,
      { type: "verified", trusted: true, ...certificateRecord(certificate) },
    );
  } catch (error) {
    if (!(error instanceof CertificateError) || !output.json) throw error;
    const { fault } = error;
    const message = describeError(error);
    output.print("", { type: "verified", trusted: false, fault, message });
    return 1;
  }
});

/** An id as it was typed, and as serial numbers and fingerprints are written here. */
function spellings(id: string): string[] {
  const isHex = /^[\dA-Fa-f]{2}(:?[\dA-Fa-f]{2})*$/.test(id);
  if (!isHex) return [id];
  return [normalizeSerial(id), id.replaceAll(":", "").toLowerCase()];
}

/** `cert expiry`. */
export const expiryCommand = certCommand({
  name: "cert expiry",
  summary: "Show how long certificates are valid; exit 1 if one ends soon.",
  positionals: [{
    name: "files",
    help: "Certificates; by default all in the folder",
    rest: true,
  }],
  options: {
    dir: FOLDER_OPTION,
    days: {
      type: "integer",
      min: 0,
      default: 30,
      help: "Exit 1 if less than this is left",
      variable: false,
    },
  },
  examples: [
    ["deno task cert expiry", "All in .portolan/tls"],
    ["deno task cert expiry hub.pem --days 14 || renew", "In a script"],
  ],
}, async (options, { output }) => {
  const files = options.files.length > 0
    ? options.files
    : await certificatesIn(options.dir);
  let soon = false;
  for (const file of files) {
    const data = await readNamed(file);
    const notAfter = await inFile(file, endOf(data, options.dir));
    const daysLeft = daysUntil(notAfter);
    const isSoon = daysLeft < options.days;
    soon ||= isSoon;
    const line = `${file}: ${formatLeft(notAfter)}, until ${
      formatDate(notAfter)
    }`;
    output.print(isSoon ? output.style.red(line) : line, {
      type: "expiry",
      file,
      notAfter,
      daysLeft,
      soon: isSoon,
    });
  }
  return soon ? 1 : 0;
});

/** When the first of the certificates in a file ends, or a list of revoked ones. */
async function endOf(data: Uint8Array, folder: string): Promise<Date> {
  if (Buffer.from(data).includes("-----BEGIN X509 CRL-----")) {
    const ca = await readNamed(join(folder, CA_CERT_FILE));
    const { nextUpdate } = await readRevocationList(data, ca);
    return nextUpdate ?? new Date(8.64e15);
  }
  const all = await inspectCertificates(data);
  return new Date(Math.min(...all.map(({ notAfter }) => notAfter.getTime())));
}

async function certificatesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const isCertificate = name.endsWith(".pem") && !name.endsWith("-key.pem");
      if (isCertificate) files.push(join(folder, name));
    }
  } catch (cause) {
    throw new Error(`Cannot list "${folder}"`, { cause });
  }
  if (files.length > 0) return files.sort();
  throw new Error(`Cannot find certificates: there is no .pem in "${folder}"`);
}

function formatLeft(notAfter: Date): string {
  const days = daysUntil(notAfter);
  if (notAfter.getTime() < Date.now()) return "expired";
  return days === 1 ? "1 day left" : `${days} days left`;
}

function purposeText(
  { purposes, authority }: { purposes: readonly string[]; authority: boolean },
): string {
  return [...authority ? ["signing others"] : [], ...purposes].join(", ") ||
    "anything";
}
