/**
 * Receives files and trees.
 *
 * @module
 */

import { DiskStore } from "../../transfer/disk_store.ts";
import { type ServedTransfer, serveStore } from "../../transfer/serve_files.ts";
import { describeError } from "../describe_error.ts";
import { LOG_FLAGS, logServer } from "../log.ts";
import type { Output } from "../output.ts";
import { runMain } from "../run.ts";
import { readServerTls, SERVER_TLS_FLAGS } from "../tls_flags.ts";
import { showOutcome } from "../transfer_output.ts";
import { startTus, TUS_FLAGS } from "../tus_flags.ts";

/** Runs `deno task receive`. */
export function run(args: readonly string[]): Promise<never> {
  return runMain({
    name: "receive",
    summary: "Receive files and trees that others send.",
    listen: ["tcp://127.0.0.1:9700"],
    positionals: [
      { name: "directory", help: "Where they arrive", required: true },
    ],
    options: {
      share: {
        type: "boolean",
        help: "Let others get and list what is there, too",
      },
      readOnly: { type: "boolean", help: "Share, and take nothing" },
      maxEntries: {
        type: "integer",
        default: 1_000_000,
        min: 1,
        help: "Files, directories and links of one transfer",
      },
      maxConnections: {
        type: "integer",
        default: 100,
        min: 1,
        help: "Transfers at a time",
      },
      ...TUS_FLAGS,
      ...SERVER_TLS_FLAGS,
      ...LOG_FLAGS,
      logLevel: { ...LOG_FLAGS.logLevel, default: "warn" },
    },
    examples: [
      ["deno task receive inbox", "Take files from this machine, on port 9700"],
      [
        "deno task receive inbox --listen tls://0.0.0.0:9700 --client-ca ca.pem",
        "Take them from the network, from whom this authority knows",
      ],
      ["deno task receive charts --read-only", "Let others get what is there"],
      [
        "deno task receive inbox --tus http://127.0.0.1:9701/",
        "Take uploads of any tus client, too",
      ],
    ],
  }, async (values, { output, listening, stopped }) => {
    const { directory, readOnly, listen } = values;
    const tls = await readServerTls(values, listen, output);
    await Deno.mkdir(directory, { recursive: true });
    const store = DiskStore.open(directory);
    await using server = await serveStore(store, {
      directory,
      listen,
      takes: !readOnly,
      shares: values.share || readOnly,
      maxEntries: values.maxEntries,
      limits: { maxConnections: values.maxConnections },
      observe: logServer("receive", values.logLevel),
      began: (served) => void show(served, output),
      ...(tls === undefined ? {} : { tls }),
    });
    await using tus = await startTus(values, store, output);
    listening(server.endpoints);
    if (tus !== undefined) listening([tus.endpoint]);
    await stopped;
  }, args);
}

/** Prints what a client's transfer came to. */
async function show(
  { transfer, verb, address }: ServedTransfer,
  output: Output,
): Promise<void> {
  const label = `${verb} ${address}`;
  try {
    await showOutcome(transfer, label, output);
  } catch (error) {
    output.error(`${label}: ${describeError(error)}`);
  }
}
