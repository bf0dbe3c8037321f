import type { Peer } from "../io/peer.ts";
import type { TransferMessage } from "../proto/transfer/messages.ts";
import type { ConnectionLimits } from "../io/limits.ts";

/** The other side of a transfer. */
export type TransferPeer = Pick<
  Peer<TransferMessage, TransferMessage, unknown>,
  "send" | "isSlow" | "drained" | "ending" | "signal" | "address"
>;

/**
 * What a connection that carries a transfer may cost, where that differs from others: a leaf may take its time on a slow
 * line, and so may a sender that reads through what the receiver has.
 */
export const TRANSFER_LIMITS: ConnectionLimits = {
  idleMs: 3_600_000,
  frameMs: 300_000,
  writeMs: 120_000,
  slowBytes: 1024 * 1024,
};

/** The same for a client: silence that is this long means that the server is gone. */
export const CLIENT_LIMITS: ConnectionLimits = {
  ...TRANSFER_LIMITS,
  idleMs: 600_000,
};

/**
 * A transfer was given up, by the other side or because of it.
 *
 * @example Usage
 * ```ts
 * import { sendFiles, serveFiles, TransferError } from "../../mod.ts";
 * import { assertRejects } from "@std/assert";
 *
 * const directory = await Deno.makeTempDir({ dir: "/tmp" });
 * await using server = await serveFiles({
 *   directory,
 *   listen: "memory:museum",
 *   takes: false,
 * });
 * const { summary } = sendFiles({ paths: ["mod.ts"], to: server.endpoint });
 * await assertRejects(() => summary, TransferError, "it is not allowed");
 * ```
 */
export class TransferError extends Error {
  /** The name that stack traces show. */
  override readonly name = "TransferError";
}
