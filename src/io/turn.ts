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
 * Flushes `outbox` at the end of this turn of the event loop. The runtime resolves all reads that are ready in one go
 * and then runs their continuations; a microtask queued by the first of them runs after the last, so what all of them
 * send to one peer leaves in one write.
 */
export function flushAtEndOfTurn(outbox: Outbox): void {
  if (outbox.waiting) return;
  outbox.waiting = true;
  if (dirty.push(outbox) === 1) queueMicrotask(flushAll);
}

/** Calls `next` after whatever else is ready now had its turn. */
export function nextTurn(next: () => void): void {
  setImmediate(next);
}
