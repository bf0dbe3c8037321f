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

/** The other side gave a transfer up, and said why. */
export class TransferError extends Error {
  /** The name that stack traces show. */
  override readonly name = "TransferError";
}
