/**
 * How a command shows a file transfer.
 *
 * @module
 */

import { parseEndpoint } from "../io/endpoint.ts";
import type {
  Transfer,
  TransferProblem,
  TransferSummary,
} from "../transfer/transfer.ts";
import { UsageError } from "./arguments.ts";
import { formatBytes, formatCount, formatDuration } from "./format.ts";
import type { Output } from "./output.ts";
import { Progress } from "./progress.ts";
import { sanitize } from "./sanitize.ts";

/** Where receivers listen unless told otherwise. */
const DEFAULT_PORT = 9700;
/** The option that says how long a broken transfer is tried again. */
export const RETRY_FLAG = {
  type: "number",
  default: 60,
  min: 0,
  placeholder: "SECONDS",
  help: "Connect again and go on, until there was no progress for so long",
} as const;
/** Problems that are printed one by one. */
const MAX_SHOWN = 20;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * The endpoint that `HOST`, `HOST:PORT` or an endpoint's URL stands for; without a scheme it is TLS, but plain TCP on
 * this machine.
 *
 * @throws {UsageError} If it is none of these.
 *
 * @example
 * ```ts
 * import { receiverEndpoint } from "./transfer_output.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(receiverEndpoint("localhost"), "tcp://localhost:9700");
 * assertEquals(receiverEndpoint("example.org:1234"), "tls://example.org:1234");
 * assertEquals(receiverEndpoint("unix:/run/files.sock"), "unix:/run/files.sock");
 * ```
 */
export function receiverEndpoint(text: string): string {
  const [, host, port = DEFAULT_PORT] =
    /^(\[[^\]/]+\]|[^:/]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const url = host === undefined
    ? text
    : `${LOOPBACK.test(host) ? "tcp" : "tls"}://${host}:${port}`;
  try {
    parseEndpoint(url);
  } catch (cause) {
    throw new UsageError(
      `Cannot use "${text}" as receiver: HOST, HOST:PORT or an endpoint is expected`,
      { cause },
    );
  }
  return url;
}

/**
 * Shows a transfer until it ends, and returns the exit code: 0 if all of it is there and proven.
 *
 * @throws What broke it off.
 */
export async function showTransfer(
  transfer: Transfer,
  label: string,
  output: Output,
): Promise<number> {
  const startMs = performance.now();
  let bar: Progress | undefined;
  for await (const { bytes, settledBytes } of transfer) {
    // How much there is to do is known once the tree is listed; until then the bar is drawn for what is known.
    if (bytes === 0) continue;
    bar = updateBar(bar, { label, total: bytes, startMs }, output);
    bar.update(settledBytes);
  }
  bar?.[Symbol.dispose]();
  return await showOutcome(transfer, label, output);
}

/**
 * Prints what a transfer came to, and returns the exit code: 0 if all of it is there and proven.
 *
 * @throws What broke it off.
 */
export async function showOutcome(
  transfer: Transfer,
  label: string,
  output: Output,
): Promise<number> {
  try {
    const summary = await transfer.summary;
    showProblems(summary.problems, output);
    showSummary(summary, label, output);
    return summary.problems.length === 0 ? 0 : 1;
  } catch (error) {
    const { movedBytes, elapsedMs } = transfer.progress;
    output.print(
      `${label}: broke off after ${formatBytes(movedBytes)} in ${
        formatDuration(elapsedMs)
      }`,
      { type: "broke off", ...transfer.progress },
    );
    throw error;
  }
}

const totals = new WeakMap<Progress, number>();

function updateBar(
  bar: Progress | undefined,
  { label, total, startMs }: { label: string; total: number; startMs: number },
  output: Output,
): Progress {
  if (bar !== undefined && totals.get(bar) === total) return bar;
  const fresh = new Progress(output, {
    label,
    total,
    format: formatBytes,
    now: () => performance.now() - startMs,
  });
  totals.set(fresh, total);
  return fresh;
}

/** Prints what did not arrive. */
function showProblems(
  problems: readonly TransferProblem[],
  output: Output,
): void {
  const shown = output.json ? problems.length : MAX_SHOWN;
  for (const { path, outcome, detail } of problems.slice(0, shown)) {
    const why = detail === "" ? "" : `: ${sanitize(detail)}`;
    output.print(`${outcome}: ${sanitize(path)}${why}`, {
      type: "problem",
      path,
      outcome,
      detail,
    });
  }
  if (problems.length > shown) {
    output.print(`and ${formatCount(problems.length - shown)} more`);
  }
}

function showSummary(
  summary: TransferSummary,
  label: string,
  output: Output,
): void {
  const { entries, bytes, movedBytes, elapsedMs, problems } = summary;
  const seconds = Math.max(elapsedMs, 1) / 1000;
  const verdict = problems.length === 0
    ? "all there and verified"
    : `${formatCount(problems.length)} not there`;
  output.print(
    `${label}: ${formatCount(entries)} entries, ${formatBytes(bytes)}, ${
      formatBytes(movedBytes)
    } moved in ${formatDuration(elapsedMs)} (${
      formatBytes(movedBytes / seconds)
    }/s): ${verdict}`,
    { type: "summary", ...summary, problems: problems.length },
  );
}
