import { nextTick } from "node:process";
import { setImmediate } from "node:timers";
import type { Outbox } from "./outbox.ts";

let dirty: Outbox[] = [];

function flushAll(): void {
  const outboxes = dirty;
  dirty = [];
  for (const outbox of outboxes) {
    outbox.waiting = false;
    void outbox.flush();
  }
}

/**
 * Flushes `outbox` at the end of this turn of the event loop. The runtime resolves all reads that are ready in one go,
 * then runs their continuations, and the tick queue once no continuation is left, not even of handlers that await each
 * other; so what all of them send to one peer leaves in one write.
 */
export function flushAtEndOfTurn(outbox: Outbox): void {
  if (outbox.waiting) return;
  outbox.waiting = true;
  if (dirty.push(outbox) === 1) nextTick(flushAll);
}

/** Calls `next` after whatever else is ready now had its turn. */
export function nextTurn(next: () => void): void {
  setImmediate(next);
}
