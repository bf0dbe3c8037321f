import { type Clock, sleep } from "../io/clock.ts";
import { EndpointError } from "../io/endpoint_error.ts";
import { ConnectionEndedError } from "../io/peer.ts";
import type { RunningTransfer } from "./transfer.ts";

/** The first wait before connecting again, and the longest; each is twice the one before. */
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;

/** Options of {@linkcode persist}. */
export interface PersistOptions {
  /** Where waits take their time from. */
  readonly clock: Clock;
  /** Milliseconds without progress after which a broken transfer is given up. @default {0} */
  readonly retryMs?: number | undefined;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Does `attempt` again while its connection breaks. One that could never connect is not tried again: it is more likely
 * that its address is wrong.
 */
export async function persist(
  transfer: RunningTransfer,
  attempt: () => Promise<void>,
  { clock, retryMs = 0, signal }: PersistOptions,
): Promise<void> {
  let goodMs = clock.now();
  let good = -1;
  for (let waitMs = FIRST_WAIT_MS;;) {
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      const broke = error instanceof ConnectionEndedError ||
        error instanceof EndpointError && good >= 0;
      if (!broke) throw error;
      const { movedBytes, settledEntries } = transfer.progress;
      const moved = movedBytes + settledEntries;
      if (moved > good) {
        good = moved;
        goodMs = clock.now();
        waitMs = FIRST_WAIT_MS;
      }
      if (clock.now() - goodMs >= retryMs) throw error;
    }
    await sleep(clock, waitMs, signal);
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
  }
}
