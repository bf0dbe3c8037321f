/**
 * Sends files and trees to a receiver.
 *
 * @module
 */

import { sendFiles } from "../../transfer/send_files.ts";
import { UsageError } from "../arguments.ts";
import { runMain } from "../run.ts";
import {
  CLIENT_TLS_FLAGS,
  isTlsEndpoint,
  readClientTls,
} from "../tls_flags.ts";
import {
  receiverEndpoint,
  RETRY_FLAG,
  showTransfer,
} from "../transfer_output.ts";

/** Runs `deno task send`. */
export function run(args: readonly string[]): Promise<never> {
  return runMain({
    name: "send",
    summary: "Send files and trees to a receiver; what broke off goes on " +
      "where it was.",
    positionals: [
      {
        name: "paths",
        help: "Files and directories, and the receiver last: HOST, HOST:PORT " +
          "or an endpoint; DIR/ stands for what is in DIR",
        required: true,
        rest: true,
      },
    ],
    options: {
      limit: {
        type: "number",
        min: 1,
        placeholder: "KIB",
        help: "KiB of data a second, at most",
      },
      retry: RETRY_FLAG,
      ...CLIENT_TLS_FLAGS,
    },
    examples: [
      ["deno task send photos/ localhost", "Send what is in photos"],
      [
        "deno task send photos talk.pdf tls://example.org:9700 --ca ca.pem",
        "Send a directory and a file over TLS",
      ],
      [
        "deno task send disk.img unix:/run/files.sock --limit 2048",
        "At 2 MiB/s",
      ],
    ],
  }, async ({ paths, limit, retry, ...tls }, { output, signal }) => {
    const receiver = paths.at(-1);
    if (paths.length < 2 || receiver === undefined) {
      throw new UsageError("Cannot send: paths and a receiver are expected");
    }
    const to = receiverEndpoint(receiver);
    const transfer = sendFiles({
      paths: paths.slice(0, -1),
      to,
      signal,
      retryMs: retry * 1000,
      ...(isTlsEndpoint(to) ? { tls: await readClientTls(tls) } : {}),
      ...(limit === undefined ? {} : { bytesPerSecond: limit * 1024 }),
    });
    return await showTransfer(transfer, "sent", output);
  }, args);
}
