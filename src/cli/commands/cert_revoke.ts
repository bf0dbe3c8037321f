import { join } from "node:path";
import type { Authority } from "../../security/certificates/authority.ts";
import { openCaIn } from "../../security/certificates/development_certificate.ts";
import {
  exists,
  lockFolder,
  readIfThere,
  writeFile,
} from "../../security/certificates/key_files.ts";
import {
  normalizeSerial,
  readCertificate,
} from "../../security/certificates/read_certificate.ts";
import {
  REVOCATION_REASONS,
  type RevocationReason,
} from "../../security/certificates/revocation_list.ts";
import { UsageError } from "../arguments.ts";
import {
  certCommand,
  daysToMs,
  FOLDER_OPTION,
  formatDate,
  inFile,
  readNamed,
} from "./cert_command.ts";

/** What was revoked so far: the list is made of it anew each time. */
const INDEX_FILE = "revoked.json";
const CRL_FILE = "crl.pem";
const SERIAL_REGEXP = /^[\dA-Fa-f]{2}(:?[\dA-Fa-f]{2}){0,19}$/;

interface Revoked {
  serialNumber: string;
  revokedAtMs: number;
  reason: RevocationReason;
  subject?: string;
}

/** `cert revoke`. */
export const revokeCommand = certCommand({
  name: "cert revoke",
  summary: "Take certificates back: write crl.pem, the list of those revoked.",
  positionals: [{
    name: "files",
    help: "Certificates or serial numbers; with none, the list is signed anew",
    rest: true,
  }],
  options: {
    dir: FOLDER_OPTION,
    reason: {
      type: "string",
      choices: REVOCATION_REASONS,
      default: "unspecified",
      help: "Why",
      variable: false,
    },
    days: {
      type: "integer",
      min: 1,
      max: 3650,
      default: 90,
      help: "Days until the list must be signed anew",
    },
  },
  examples: [
    [
      "deno task cert revoke .portolan/tls/ada.pem --reason keyCompromise",
      "Take ada's certificate back",
    ],
    ["deno task cert revoke 4F:1A:09", "By serial number"],
    ["deno task cert revoke", "Sign the list anew before it is out of date"],
  ],
}, async (options, { output }) => {
  const authority = await openCaIn(options.dir);
  using _lock = await lockFolder(options.dir);
  const indexPath = join(options.dir, INDEX_FILE);
  const index = parseIndex(indexPath, await readIfThere(indexPath) ?? "[]");
  const nowMs = Date.now();
  for (const what of options.files) {
    const found = await identify(what, authority);
    if (index.some(({ serialNumber }) => serialNumber === found.serialNumber)) {
      output.print(`${found.serialNumber} was revoked before`);
      continue;
    }
    const entry = { ...found, revokedAtMs: nowMs, reason: options.reason };
    index.push(entry);
    output.print(`revoked ${found.serialNumber}`, {
      type: "revoked",
      ...entry,
    });
  }
  const validMs = daysToMs(options.days);
  const crl = await authority.createRevocationList(index, { validMs, nowMs });
  // The index first: what it lacks is lost, and what the list lacks comes with the next one.
  const text = `${JSON.stringify(index, null, 2)}\n`;
  await writeFile(indexPath, text, { force: true });
  const path = join(options.dir, CRL_FILE);
  await writeFile(path, crl, { force: true });
  const until = new Date(nowMs + validMs);
  output.print(
    `wrote ${path}: ${index.length} revoked, counts until ${formatDate(until)}`,
    { type: "crl", file: path, revoked: index.length, nextUpdate: until },
  );
});

/** A certificate that the authority signed, from its file or its serial number. */
async function identify(
  what: string,
  { certificate: { subject: authority } }: Authority,
): Promise<{ serialNumber: string; subject?: string }> {
  if (!await exists(what)) {
    if (SERIAL_REGEXP.test(what)) {
      return { serialNumber: normalizeSerial(what) };
    }
    throw new UsageError(
      `Cannot revoke "${what}": it is neither a file nor a serial number in hexadecimal`,
    );
  }
  const { serialNumber, subject, issuer } = await inFile(
    what,
    readCertificate(await readNamed(what)),
  );
  if (issuer === authority && subject !== authority) {
    return { serialNumber, subject };
  }
  throw new Error(
    `Cannot revoke "${what}": ${authority} has not signed it, but ${issuer}`,
  );
}

function parseIndex(path: string, text: string): Revoked[] {
  try {
    const index: unknown = JSON.parse(text);
    if (Array.isArray(index) && index.every(isRevoked)) return index;
  } catch {
    // Damaged, as below.
  }
  throw new Error(`Cannot use "${path}": it is damaged`);
}

function isRevoked(entry: unknown): entry is Revoked {
  if (typeof entry !== "object" || entry === null) return false;
  const { serialNumber, revokedAtMs, reason } = entry as Partial<Revoked>;
  return typeof serialNumber === "string" && SERIAL_REGEXP.test(serialNumber) &&
    typeof revokedAtMs === "number" &&
    REVOCATION_REASONS.some((known) => known === reason);
}
