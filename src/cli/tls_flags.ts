/**
 * The options by which servers and clients of the suite speak TLS.
 *
 * @module
 */

import { type Clock, sleep, systemClock } from "../io/clock.ts";
import { parseEndpoint } from "../io/endpoint.ts";
import type {
  ClientTlsOptions,
  RevokedCertificates,
  ServerTlsOptions,
  TlsEngineName,
} from "../io/tls/options.ts";
import { UsageError } from "./arguments.ts";
import { describeError } from "./describe_error.ts";
import type { Output } from "./output.ts";

/** Options of a server that can speak TLS. */
export const SERVER_TLS_FLAGS = {
  cert: {
    type: "string",
    placeholder: "FILE",
    help: "Certificate chain for TLS; without it, one for development is made",
  },
  key: { type: "string", placeholder: "FILE", help: "Its private key" },
  clientCa: {
    type: "string",
    placeholder: "FILE",
    help: "Let in only clients whose certificates this authority has signed",
  },
  clientCrl: {
    type: "string",
    placeholder: "FILE",
    help: "Certificates that this authority has revoked",
  },
  tlsEngine: {
    type: "string",
    choices: ["auto", "native", "node"],
    default: "auto",
    help: "What speaks TLS: native is faster, node cuts off handshakes " +
      "that stall",
  },
} as const;

/** The values of {@linkcode SERVER_TLS_FLAGS}. */
export type ServerTlsValues = {
  readonly [Name in keyof typeof SERVER_TLS_FLAGS]?: string | undefined;
};

/** Options of a client that can speak TLS. */
export const CLIENT_TLS_FLAGS = {
  ca: { type: "string", placeholder: "FILE", help: "Authority to trust" },
  cert: { type: "string", placeholder: "FILE", help: "Own certificate" },
  key: { type: "string", placeholder: "FILE", help: "Its private key" },
} as const;

/** The values of {@linkcode CLIENT_TLS_FLAGS}. */
export type ClientTlsValues = {
  readonly [Name in keyof typeof CLIENT_TLS_FLAGS]?: string | undefined;
};

const TLS_SCHEMES: ReadonlySet<string> = new Set(["tls", "wss", "quic"]);

/** Whether an endpoint is spoken to over TLS. */
export function isTlsEndpoint(url: string): boolean {
  return TLS_SCHEMES.has(parseEndpoint(url).scheme);
}

/**
 * What a server's options say about TLS; undefined if none of `endpoints` speaks it. Without a certificate one for
 * development is made, and how to trust it is printed once.
 *
 * @throws {UsageError} If options are missing that belong together, or client certificates are asked for without TLS.
 * @throws {Error} If a file cannot be read.
 *
 * @example
 * ```ts
 * import { readServerTls } from "./tls_flags.ts";
 * import { Output } from "./output.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const output = new Output({ write() {} });
 * assertEquals(
 *   await readServerTls({}, ["tcp://127.0.0.1:9999"], output),
 *   undefined,
 * );
 * ```
 */
export async function readServerTls(
  values: ServerTlsValues,
  endpoints: readonly string[],
  output: Output,
): Promise<ServerTlsOptions | undefined> {
  if (!endpoints.some(isTlsEndpoint)) {
    if (values.clientCa === undefined) return undefined;
    // Whoever asks for certificates must not find that everybody is let in without one.
    throw new UsageError(
      `Cannot use --client-ca: no endpoint speaks TLS: current value is ${
        endpoints.join(", ")
      }`,
    );
  }
  checkPair(values);
  if (values.clientCrl !== undefined && values.clientCa === undefined) {
    throw new UsageError("Cannot use --client-crl without --client-ca");
  }
  const engine = values.tlsEngine as TlsEngineName | undefined ?? "auto";
  const pair = values.cert === undefined || values.key === undefined
    ? await makeCertificate(output)
    : await readPair(values.cert, values.key);
  if (values.clientCa === undefined) return { ...pair, engine };
  const ca = await readFile(values.clientCa);
  const crl = values.clientCrl;
  const revoked = crl === undefined
    ? {}
    : { revoked: [await readCrl(crl, ca)] };
  return { ...pair, engine, clients: { caCerts: [ca], ...revoked } };
}

/** Options of {@linkcode watchServerTls}. */
export interface WatchServerTlsOptions {
  /** Where faults are told. */
  output: Output;
  /** Ends the watch. */
  signal: AbortSignal;
  /** Milliseconds between two looks. @default {5_000} */
  everyMs?: number;
  /** Where its time comes from. @default {systemClock} */
  clock?: Clock;
}

/**
 * Reads the files of {@linkcode readServerTls} again and again, and calls `renew` whenever they say something else. Files
 * that cannot be read, as while they are being replaced, are reported once and change nothing.
 *
 * @example
 * ```ts no-assert
 * import { readServerTls, watchServerTls } from "./tls_flags.ts";
 * import { Output } from "./output.ts";
 *
 * const output = new Output({ write() {} });
 * const signal = AbortSignal.abort();
 * const read = () => readServerTls({}, ["tcp://127.0.0.1:9999"], output);
 * await watchServerTls(read, async () => {}, { output, signal });
 * ```
 */
export async function watchServerTls(
  read: () => Promise<ServerTlsOptions | undefined>,
  renew: (tls: ServerTlsOptions) => Promise<unknown>,
  options: WatchServerTlsOptions,
): Promise<void> {
  const { output, signal, everyMs = 5_000, clock = systemClock } = options;
  let known: string | undefined;
  let fault: string | undefined;
  while (!signal.aborted) {
    try {
      const tls = await read();
      if (tls === undefined) return;
      const found = inspectTls(tls);
      if (known !== undefined && found !== known) await renew(tls);
      known = found;
      fault = undefined;
    } catch (error) {
      const message = describeError(error);
      if (message !== fault) {
        output.error(`certificate not renewed: ${message}`);
      }
      fault = message;
    }
    await sleep(clock, everyMs, signal);
  }
}

/** What tells one state of the files from another. */
function inspectTls({ cert, key, clients }: ServerTlsOptions): string {
  const revoked = clients?.revoked?.map(({ serialNumbers, nextUpdate }) => [
    ...serialNumbers,
    nextUpdate?.getTime(),
  ]);
  return JSON.stringify([cert, key, clients?.caCerts, revoked]);
}

/**
 * What a client's options say about TLS.
 *
 * @throws {UsageError} If options are missing that belong together.
 * @throws {Error} If a file cannot be read.
 *
 * @example
 * ```ts
 * import { readClientTls } from "./tls_flags.ts";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * assertEquals(await readClientTls({}), {});
 * await assertRejects(() => readClientTls({ cert: "cert.pem" }));
 * ```
 */
export async function readClientTls(
  values: ClientTlsValues,
): Promise<ClientTlsOptions> {
  checkPair(values);
  const { ca, cert, key } = values;
  return {
    ...(ca === undefined ? {} : { caCerts: [await readFile(ca)] }),
    ...(cert === undefined || key === undefined
      ? {}
      : await readPair(cert, key)),
  };
}

function checkPair(values: ServerTlsValues | ClientTlsValues): void {
  if ((values.cert === undefined) !== (values.key === undefined)) {
    throw new UsageError("Cannot use --cert and --key one without the other");
  }
}

async function readPair(
  certPath: string,
  keyPath: string,
): Promise<{ cert: string; key: string }> {
  const [cert, key] = await Promise.all([
    readFile(certPath),
    readFile(keyPath),
  ]);
  return { cert, key };
}

async function readCrl(path: string, ca: string): Promise<RevokedCertificates> {
  const { readRevocationList } = await import(
    "../security/certificates/revocation_list.ts"
  );
  return await readRevocationList(await readFile(path), ca);
}

async function makeCertificate(
  output: Output,
): Promise<{ cert: string; key: string }> {
  // Programs without TLS start faster without what makes certificates.
  const { DEFAULT_CERTIFICATE_FOLDER, developmentCertificate, howToTrust } =
    await import("../security/certificates/development_certificate.ts");
  const { cert, key, caPath, created } = await developmentCertificate(
    DEFAULT_CERTIFICATE_FOLDER,
  );
  if (created) {
    output.print(
      [
        `made a certificate for development, signed by ${caPath}; to trust it:`,
        ...howToTrust(caPath).map((line) => `  ${line}`),
      ].join("\n"),
      { type: "certificate", ca: caPath },
    );
  }
  return { cert, key };
}

async function readFile(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new Error(`Cannot read ${path}`, { cause });
  }
}
