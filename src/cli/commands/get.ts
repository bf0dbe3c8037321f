/**
 * Gets files and trees from a server that shares them.
 *
 * @module
 */

import { getFiles } from "../../transfer/get_files.ts";
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

/** Runs `deno task get`. */
export function run(args: readonly string[]): Promise<never> {
  return runMain({
    name: "get",
    summary: "Get files and trees from a server that shares them; what broke " +
      "off goes on where it was.",
    positionals: [
      {
        name: "from",
        help: "The server: HOST, HOST:PORT or an endpoint",
        required: true,
      },
      { name: "directory", help: "Where to put it", required: true },
      { name: "path", help: "What to get; all by default", default: "" },
    ],
    options: { retry: RETRY_FLAG, ...CLIENT_TLS_FLAGS },
    examples: [
      ["deno task get localhost charts", "Get everything into charts"],
      ["deno task get localhost charts north/sea.png", "Get one file"],
    ],
  }, async ({ from, directory, path, retry, ...tls }, { output, signal }) => {
    const endpoint = receiverEndpoint(from);
    await Deno.mkdir(directory, { recursive: true });
    const transfer = getFiles({
      from: endpoint,
      path,
      directory,
      signal,
      retryMs: retry * 1000,
      ...(isTlsEndpoint(endpoint) ? { tls: await readClientTls(tls) } : {}),
    });
    return await showTransfer(transfer, "got", output);
  }, args);
}
