import { join } from "node:path";
import {
  type Authority,
  createCa,
  type IssuedCertificate,
} from "../../security/certificates/authority.ts";
import { KEY_ALGORITHMS } from "../../security/certificates/certificate_key.ts";
import { parseCertificateName } from "../../security/certificates/certificate_names.ts";
import {
  caPair,
  findCa,
  howToTrust,
} from "../../security/certificates/development_certificate.ts";
import {
  lockFolder,
  makeKeyFolder,
  writePair,
} from "../../security/certificates/key_files.ts";
import { UsageError } from "../arguments.ts";
import type { Output } from "../output.ts";
import {
  certCommand,
  certificateRecord,
  daysToMs,
  FOLDER_OPTION,
  FORCE_OPTION,
  formatDate,
  formatNames,
} from "./cert_command.ts";

const ALGORITHM_OPTION = {
  type: "string",
  choices: KEY_ALGORITHMS,
  default: "ecdsa-p256",
  help: "Kind of key",
} as const;
const DAYS_OPTION = {
  type: "integer",
  min: 1,
  max: 36_500,
  help: "Days that it is valid",
} as const;
const ORGANIZATION_OPTION = {
  type: "string",
  help: "Organization in its subject",
} as const;
const OUT_OPTION = {
  type: "string",
  placeholder: "PATH",
  help: "Write PATH.pem and PATH-key.pem in place of files in the folder",
  variable: false,
} as const;

/** `cert ca`. */
export const caCommand = certCommand({
  name: "cert ca",
  summary: "Make a local authority: ca.pem, which others trust, and its key.",
  options: {
    dir: FOLDER_OPTION,
    commonName: {
      type: "string",
      help: "What people see in lists of authorities",
      variable: false,
    },
    organization: ORGANIZATION_OPTION,
    days: { ...DAYS_OPTION, default: 3650 },
    algorithm: ALGORITHM_OPTION,
    force: FORCE_OPTION,
  },
  examples: [
    ["deno task cert ca", "Make one in .portolan/tls"],
    ['deno task cert ca --common-name "Harbour CA" --days 730', "Name it"],
  ],
}, async (options, { output }) => {
  await makeKeyFolder(options.dir);
  using _lock = await lockFolder(options.dir);
  const authority = await createCa({
    commonName: options.commonName,
    organization: options.organization,
    validMs: daysToMs(options.days),
    algorithm: options.algorithm,
  });
  await writeCa(options.dir, authority, output, options.force);
});

/** `cert server`. */
export const serverCommand = certCommand({
  name: "cert server",
  summary: "Make a server's certificate; and the authority, if there is none.",
  positionals: [{
    name: "name",
    help: "DNS names, IP addresses or URIs that it is for",
    required: true,
    rest: true,
    check: parseCertificateName,
  }],
  options: {
    dir: FOLDER_OPTION,
    out: OUT_OPTION,
    peer: {
      type: "boolean",
      help: "Make it good for a client too, as servers among themselves need",
      variable: false,
    },
    organization: ORGANIZATION_OPTION,
    days: { ...DAYS_OPTION, default: 397 },
    algorithm: ALGORITHM_OPTION,
    force: FORCE_OPTION,
  },
  examples: [
    ["deno task cert server localhost 127.0.0.1 ::1", "For this machine"],
    ['deno task cert server "*.example.org"', "For every host of a domain"],
    ["deno task cert server hub.internal --algorithm rsa-3072", "With RSA"],
  ],
}, async (options, { output }) => {
  await issueTo(options, output, (authority) =>
    authority.issue({
      names: options.name,
      purpose: options.peer ? "peer" : "server",
      organization: options.organization,
      validMs: daysToMs(options.days),
      algorithm: options.algorithm,
    }));
});

/** `cert client`. */
export const clientCommand = certCommand({
  name: "cert client",
  summary: "Make a client's certificate: a person's, a device's, a service's.",
  positionals: [{
    name: "name",
    help: "Common name; a mail address becomes one of its names as well",
    required: true,
  }],
  options: {
    dir: FOLDER_OPTION,
    out: OUT_OPTION,
    spiffe: {
      type: "list",
      placeholder: "URI",
      help: "SPIFFE id that it proves, any number of times",
      check: checkSpiffe,
      variable: false,
    },
    organization: ORGANIZATION_OPTION,
    days: { ...DAYS_OPTION, default: 397 },
    algorithm: ALGORITHM_OPTION,
    force: FORCE_OPTION,
  },
  examples: [
    ["deno task cert client ada", "For ada"],
    [
      "deno task cert client pump-7 --spiffe spiffe://plant.example/pump/7",
      "For a device with an id",
    ],
  ],
}, async (options, { output }) => {
  await issueTo(
    { ...options, name: [options.name] },
    output,
    (authority) =>
      authority.issue({
        names: [
          ...options.spiffe,
          ...options.name.includes("@") ? [options.name] : [],
        ],
        commonName: options.name,
        purpose: "client",
        organization: options.organization,
        validMs: daysToMs(options.days),
        algorithm: options.algorithm,
      }),
  );
});

async function issueTo(
  options: {
    readonly name: readonly string[];
    readonly dir: string;
    readonly out: string | undefined;
    readonly force: boolean;
  },
  output: Output,
  issue: (authority: Authority) => Promise<IssuedCertificate>,
): Promise<void> {
  await makeKeyFolder(options.dir);
  using _lock = await lockFolder(options.dir);
  const authority = await findCa(options.dir) ??
    await writeCa(options.dir, await createCa(), output);
  const issued = await issue(authority);
  const path = options.out ?? join(options.dir, fileName(options.name[0]!));
  const pair = {
    ...issued,
    certPath: `${path}.pem`,
    keyPath: `${path}-key.pem`,
  };
  await writePair(pair, options.force);
  const { certificate } = issued;
  printPair(output, pair, {
    type: "certificate",
    ca: join(options.dir, "ca.pem"),
    ...certificateRecord(certificate),
  });
  const names = formatNames(certificate);
  output.print(
    `for ${names || certificate.subject}, until ${
      formatDate(certificate.notAfter)
    }`,
  );
}

async function writeCa(
  folder: string,
  authority: Authority,
  output: Output,
  force = false,
): Promise<Authority> {
  const pair = caPair(folder, authority);
  await writePair(pair, force);
  const { certificate } = authority;
  printPair(output, pair, {
    type: "authority",
    ...certificateRecord(certificate),
  });
  output.print(
    `${certificate.subject}, until ${formatDate(certificate.notAfter)}`,
  );
  output.print("To trust what it signs:");
  for (const line of howToTrust(pair.certPath)) output.print(`  ${line}`);
  return authority;
}

function printPair(
  output: Output,
  { certPath, keyPath }: { certPath: string; keyPath: string },
  record: Record<string, unknown>,
): void {
  output.print(`wrote ${certPath}`, {
    ...record,
    cert: certPath,
    key: keyPath,
  });
  output.print(`wrote ${keyPath} (a secret: mode 600)`);
}

/** A name without what file names must not or should not have. */
function fileName(name: string): string {
  return name.replace("*", "wildcard").replaceAll(/[^\p{L}\p{N}._@-]+/gu, "_")
    .replace(/^[.-]/, "_").slice(0, 100);
}

function checkSpiffe(uri: string): void {
  if (/^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(uri)) return;
  throw new UsageError(
    `It must be a SPIFFE id such as spiffe://example.org/hub: current value is "${uri}"`,
  );
}
