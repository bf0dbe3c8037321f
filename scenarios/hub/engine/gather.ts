/**
 * Answers that cover all hubs: what happens here, and what the others say.
 *
 * @module
 */

import type { FromHub, MaybePartial } from "../messages.ts";
import { answer, reserve } from "./answers.ts";
import type { HubPeer } from "./client.ts";
import type { Cluster, Task } from "./cluster.ts";

/** Has the other hubs do something as well, and answers with what all of them said. */
export function gather(
  cluster: Cluster | undefined,
  peer: HubPeer,
  task: Task,
  reply: (others: unknown[], partial: MaybePartial) => FromHub,
): void {
  if (cluster === undefined) return answer(peer, reply([], {}));
  const pay = reserve(peer);
  cluster.ask(
    task,
    (others, partial) => pay(reply(others, partial ? { partial } : {})),
  );
}

/** Adds what other hubs have counted; one that could not do it counts nothing. */
export function sum(here: number, others: unknown[]): number {
  return others.reduce<number>((sum, count) => sum + Number(count), here);
}
