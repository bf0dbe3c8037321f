import { basename, dirname, join } from "node:path";
import type { PeerCertificate } from "../../io/peer_identity.ts";
import { DEFAULT_CERTIFICATE_FOLDER } from "../../security/certificates/development_certificate.ts";
import type { CommandSpec } from "../command_spec.ts";
import { type CommandMain, type Host, runCommand, runMain } from "../run.ts";
import { sanitize } from "../sanitize.ts";

/** A command of `cert`, as this process or in any host. */
export interface CertCommand {
  /** What it takes. */
  readonly spec: CommandSpec;
  /** Runs it as this process, and exits. */
  run(args: readonly string[]): Promise<never>;
  /** Runs it in a host; returns the exit code. */
  runIn(host: Host): Promise<number>;
}

/** Ties a declaration to what it declares. */
export function certCommand<const S extends CommandSpec>(
  spec: S,
  main: CommandMain<S>,
): CertCommand {
  return {
    spec,
    run: (args) => runMain(spec, main, args),
    runIn: (host) => runCommand(spec, main, host),
  };
}

/** The option that every command with files of its own has. */
export const FOLDER_OPTION = {
  type: "string",
  placeholder: "DIR",
  default: DEFAULT_CERTIFICATE_FOLDER,
  help: "Folder of the authority and what it signs",
} as const;

export const FORCE_OPTION = {
  type: "boolean",
  help: "Replace files that are there",
  variable: false,
} as const;

const DAY_MS = 86_400_000;

/** Whole days in milliseconds. */
export function daysToMs(days: number): number {
  return days * DAY_MS;
}

/** Whole days until a date; below 0 once it is over. */
export function daysUntil(date: Date): number {
  return Math.floor((date.getTime() - Date.now()) / DAY_MS);
}

/** Reads a file that was named on the command line. */
export async function readNamed(
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new Error(`Cannot read "${path}": there is no such file`);
    }
    throw new Error(`Cannot read "${path}"`, { cause });
  }
}

/** Says which file an error is about. */
export async function inFile<T>(path: string, read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (cause) {
    throw new Error(`Cannot use "${path}"`, { cause });
  }
}

/** The file of a certificate's key, by the names that `cert` gives. */
export function keyPathOf(certPath: string): string {
  return join(
    dirname(certPath),
    `${basename(certPath).replace(/\.[^.]*$/, "")}-key.pem`,
  );
}

/** A date as people and scripts read it. */
export function formatDate(date: Date): string {
  return date.toISOString().replace("T", " ").replace(/:\d\d\.\d+Z/, " UTC");
}

/** Every name of a certificate, in one line. */
export function formatNames({ names }: PeerCertificate): string {
  const all = [...names.dns, ...names.ip, ...names.uri, ...names.email];
  return sanitize(all.join(", "));
}

/** What programs are told of a certificate. */
export function certificateRecord(
  certificate: PeerCertificate,
): Record<string, unknown> {
  const { raw: _raw, ...record } = certificate;
  return record;
}
