/**
 * One hub of several in a process; `workers.ts` is the other side.
 *
 * @module
 */

import { describeError } from "../../mod.ts";
import { openHub } from "./open.ts";
import type { FromWorker, ToWorker } from "./workers.ts";

/** What this module uses of the worker that it runs in. */
interface Scope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
}

const scope = self as unknown as Scope;

scope.onmessage = async ({ data }) => {
  if (data.type !== "open") return;
  try {
    const opened = await openHub(data.settings, data.ports);
    const { hub } = opened;
    scope.onmessage = async ({ data }) => {
      if (data.type === "observe") {
        const { counters, peers, startedAt, status, certificateEndsAt } = hub;
        scope.postMessage({
          type: "observed",
          observed: {
            counters,
            peers: { size: peers.size },
            startedAt,
            status,
            certificateEndsAt,
          },
        });
      } else if (data.type === "renew") {
        try {
          await hub.renewTls(data.tls);
          scope.postMessage({ type: "renewed" });
        } catch (error) {
          scope.postMessage({ type: "failed", reason: describeError(error) });
        }
      } else if (data.type === "drain") {
        await hub.drain(data.options);
        await opened[Symbol.asyncDispose]();
        scope.postMessage({ type: "drained" });
      }
    };
    scope.postMessage({ type: "opened", endpoints: hub.endpoints });
  } catch (error) {
    scope.postMessage({ type: "failed", reason: describeError(error) });
  }
};
