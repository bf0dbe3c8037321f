import { join } from "node:path";
import {
  CA_CERT_FILE,
} from "../../security/certificates/development_certificate.ts";
import { isKeyOf } from "../../security/certificates/certificate_key.ts";
import {
  readIfThere,
  writeFile,
} from "../../security/certificates/key_files.ts";
import { exportPkcs12 } from "../../security/certificates/pkcs12.ts";
import { readCertificate } from "../../security/certificates/read_certificate.ts";
import {
  certCommand,
  FOLDER_OPTION,
  FORCE_OPTION,
  inFile,
  keyPathOf,
  readNamed,
} from "./cert_command.ts";

/** Characters of generated passwords: 32 that are not taken for one another, so 5 bits each. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789_";
const PASSWORD_CHARACTERS = 24;
const KEY_MODE = 0o600;

/** `cert p12`. */
export const p12Command = certCommand({
  name: "cert p12",
  summary: "Pack a certificate and its key for a browser or a phone.",
  positionals: [{
    name: "file",
    help: "The certificate",
    required: true,
  }],
  options: {
    key: {
      type: "string",
      placeholder: "FILE",
      help: "Its key; by default the -key.pem beside it",
      variable: false,
    },
    out: {
      type: "string",
      placeholder: "FILE",
      help: "File to write; by default the .p12 beside it",
      variable: false,
    },
    passwordFile: {
      type: "string",
      placeholder: "FILE",
      help: "Its first line is the password; by default one is made and shown",
      variable: false,
    },
    dir: FOLDER_OPTION,
    force: FORCE_OPTION,
  },
  examples: [
    ["deno task cert p12 .portolan/tls/ada.pem", "Write ada.p12"],
    [
      "deno task cert p12 ada.pem --password-file ada.password",
      "With a password of your own",
    ],
  ],
}, async (options, { output }) => {
  const { file } = options;
  const decoder = new TextDecoder();
  const certPem = decoder.decode(await readNamed(file));
  const keyPath = options.key ?? keyPathOf(file);
  const keyPem = decoder.decode(await readNamed(keyPath));
  const password = options.passwordFile === undefined
    ? generatePassword()
    : await readPassword(options.passwordFile);
  if (!await inFile(file, Promise.try(isKeyOf, keyPem, certPem))) {
    throw new TypeError(
      `Cannot pack "${file}": "${keyPath}" is the key of another certificate`,
    );
  }
  const caPem = await signerOf(certPem, join(options.dir, CA_CERT_FILE));
  const data = await exportPkcs12({ certPem, keyPem, caPem, password });
  const path = options.out ?? `${file.replace(/\.(pem|crt)$/, "")}.p12`;
  await writeFile(path, data, { mode: KEY_MODE, force: options.force });
  const generated = options.passwordFile === undefined ? { password } : {};
  output.print(`wrote ${path}`, { type: "p12", file: path, ...generated });
  if (options.passwordFile === undefined) {
    output.print(`password, shown this once: ${password}`);
  }
});

/** The authority in a file, if it has signed the certificate. */
async function signerOf(
  certPem: string,
  path: string,
): Promise<string | undefined> {
  const caPem = await readIfThere(path);
  if (caPem === undefined) return undefined;
  const { issuer } = await readCertificate(certPem);
  const { subject } = await inFile(path, readCertificate(caPem));
  return subject === issuer ? caPem : undefined;
}

function generatePassword(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(PASSWORD_CHARACTERS));
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

async function readPassword(path: string): Promise<string> {
  const text = new TextDecoder().decode(await readNamed(path));
  const [password] = text.split(/\r?\n/, 1);
  if (password) return password;
  throw new TypeError(`Cannot use "${path}": its first line is empty`);
}
