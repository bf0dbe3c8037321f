/**
 * Lists what a server shares.
 *
 * @module
 */

import { listFiles } from "../../transfer/get_files.ts";
import { formatBytes } from "../format.ts";
import { runMain } from "../run.ts";
import { sanitize } from "../sanitize.ts";
import {
  CLIENT_TLS_FLAGS,
  isTlsEndpoint,
  readClientTls,
} from "../tls_flags.ts";
import { receiverEndpoint } from "../transfer_output.ts";

/** Runs `deno task list`. */
export function run(args: readonly string[]): Promise<never> {
  return runMain({
    name: "list",
    summary: "List what a server shares.",
    positionals: [
      {
        name: "from",
        help: "The server: HOST, HOST:PORT or an endpoint",
        required: true,
      },
      { name: "path", help: "What to list; all by default", default: "" },
    ],
    options: CLIENT_TLS_FLAGS,
    examples: [["deno task list localhost", "List everything"]],
  }, async ({ from, path, ...tls }, { output, signal }) => {
    const endpoint = receiverEndpoint(from);
    const entries = listFiles({
      from: endpoint,
      path,
      signal,
      ...(isTlsEndpoint(endpoint) ? { tls: await readClientTls(tls) } : {}),
    });
    for await (const entry of entries) {
      const { kind, size, mtimeMs, target } = entry;
      const time = new Date(mtimeMs).toISOString().slice(0, 16);
      const amount = kind === "file" ? formatBytes(size) : kind;
      const name = sanitize(entry.path) + (kind === "directory" ? "/" : "");
      const link = target === undefined ? "" : ` -> ${sanitize(target)}`;
      output.print(`${amount.padStart(10)}  ${time}  ${name}${link}`, entry);
    }
  }, args);
}
