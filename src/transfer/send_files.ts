import { connect } from "../client/connect.ts";
import { type Clock, systemClock } from "../io/clock.ts";
import {
  TRANSFER_VERSION,
  TRANSFER_WIRE,
  type TransferMessage,
} from "../proto/transfer/messages.ts";
import { persist } from "./persist.ts";
import type { RoadOptions } from "./road_options.ts";
import { Sending } from "./sending.ts";
import { RunningTransfer, type Transfer } from "./transfer.ts";
import { CLIENT_LIMITS, TransferError } from "./transfer_peer.ts";
import { scanTree } from "./tree_scan.ts";

/** Options of {@linkcode sendFiles}. */
export interface SendFilesOptions extends RoadOptions {
  /** Files and directories; one with a slash at its end stands for what is in it. */
  readonly paths: readonly string[];
  /** The receiver's endpoint, as a URL. */
  readonly to: string;
  /** Bytes of data a second, on average. @default {Infinity} */
  readonly bytesPerSecond?: number;
}

/**
 * Sends files and trees to a receiver. What it has already is not sent again; what breaks off goes on where it was when
 * it is sent again.
 *
 * @example Usage
 * ```ts
 * import { sendFiles } from "./send_files.ts";
 * import { serveFiles } from "./serve_files.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const from = await Deno.makeTempDir({ dir: "/tmp" });
 * const to = await Deno.makeTempDir({ dir: "/tmp" });
 * await Deno.writeTextFile(`${from}/letter.txt`, "Ahoy");
 *
 * await using server = await serveFiles({
 *   directory: to,
 *   listen: "memory:harbour",
 * });
 * const transfer = sendFiles({ paths: [`${from}/`], to: server.endpoint });
 * const { problems, movedBytes } = await transfer.summary;
 *
 * assertEquals(problems, []);
 * assertEquals(movedBytes, 4);
 * assertEquals(await Deno.readTextFile(`${to}/letter.txt`), "Ahoy");
 * ```
 */
export function sendFiles(options: SendFilesOptions): Transfer {
  const { clock = systemClock } = options;
  return new RunningTransfer(clock, (transfer) => {
    const attempt = () => sendOnce(transfer, options, clock);
    return persist(transfer, attempt, { ...options, clock });
  });
}

async function sendOnce(
  transfer: RunningTransfer,
  options: SendFilesOptions,
  clock: Clock,
): Promise<void> {
  const { paths, bytesPerSecond, signal } = options;
  await using client = await connect({
    ...options,
    wire: TRANSFER_WIRE,
    limits: CLIENT_LIMITS,
    message(message: TransferMessage): void {
      if (message.type === "welcome") return;
      if (message.type === "error") {
        sending.fail(refusedBy(client.endpoint, message.reason));
      } else {
        try {
          sending.receive(message);
        } catch (error) {
          sending.fail(error);
        }
      }
    },
  });
  const sending = new Sending(client, {
    clock,
    bytesPerSecond,
    settled: (entry, result) => transfer.settled(entry, result),
    problem: (problem) => transfer.unreadable(problem),
  });
  const stop = () => sending.fail(signal?.reason);
  signal?.addEventListener("abort", stop);
  transfer.count(sending.machine.counts);
  const version = TRANSFER_VERSION;
  client.send({ type: "open", version, verb: "send", path: "" });
  try {
    await sending.run(scanTree(paths));
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** The error of a transfer that the other side gave up. */
export function refusedBy(endpoint: string, reason: string): TransferError {
  return new TransferError(
    `Cannot transfer files with ${endpoint}: it says: ${reason}`,
  );
}
