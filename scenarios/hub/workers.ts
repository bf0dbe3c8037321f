/**
 * Several hubs in one process, a worker each, that share their endpoints and
 * are one hub to their clients; `worker.ts` is the other side.
 *
 * @module
 */

import {
  Counters,
  type DrainOptions,
  parseEndpoint,
  type ServerTlsOptions,
} from "../../mod.ts";
import { connectPorts, type Ports } from "./backplane.ts";
import type { Observed } from "./metrics.ts";
import type { HubSettings } from "./open.ts";

/** What a worker is told. */
export type ToWorker =
  | { type: "open"; settings: HubSettings; ports: Ports }
  | { type: "observe" }
  | { type: "renew"; tls: ServerTlsOptions }
  | { type: "drain"; options: DrainOptions };

/** What a worker says. */
export type FromWorker =
  | { type: "opened"; endpoints: string[] }
  | { type: "failed"; reason: string }
  | { type: "observed"; observed: Observed }
  | { type: "renewed" }
  | { type: "drained" };

/** One worker. It answers what it is asked, in order. */
class HubWorker implements Disposable {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), {
    type: "module",
  });
  readonly #asked: PromiseWithResolvers<FromWorker>[] = [];

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      this.#asked.shift()?.resolve(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      // The other workers would go on without its clients; who watches this process starts it again whole.
      reportError(new Error(`Cannot go on: a worker failed: ${event.message}`));
    };
  }

  ask(message: ToWorker, transfer: MessagePort[] = []): Promise<FromWorker> {
    const asked = Promise.withResolvers<FromWorker>();
    this.#asked.push(asked);
    this.#worker.postMessage(message, transfer);
    return asked.promise;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** Hubs in workers. */
export class HubWorkers implements AsyncDisposable {
  /** Where all of them listen. */
  readonly endpoints: readonly string[];
  readonly #workers: readonly HubWorker[];

  private constructor(workers: readonly HubWorker[], endpoints: string[]) {
    this.#workers = workers;
    this.endpoints = endpoints;
  }

  /** Opens `count` hubs; resolves once all of them listen. */
  static async open(
    settings: HubSettings,
    count: number,
  ): Promise<HubWorkers> {
    for (const endpoint of settings.listen) {
      const { scheme } = parseEndpoint(endpoint);
      if (scheme === "tcp" || scheme === "tls") continue;
      throw new TypeError(
        `Cannot share an endpoint among workers: only tcp:// and tls:// can be: current value is "${endpoint}"`,
      );
    }
    const ports = connectPorts(count);
    const workers = ports.map(() => new HubWorker());
    const open = async (index: number, listen: string[]) => {
      const given = ports[index]!;
      const answer = await workers[index]!.ask({
        type: "open",
        settings: {
          ...settings,
          ...loginOfWorker(settings, index),
          listen,
          reusePort: true,
        },
        ports: given,
      }, given.others.map(([, port]) => port));
      if (answer.type === "opened") return answer.endpoints;
      throw new Error(
        answer.type === "failed" ? answer.reason : "Cannot open a hub",
      );
    };
    try {
      // The first learns the ports that the system chooses.
      const endpoints = await open(0, settings.listen);
      await Promise.all(
        workers.slice(1).map((_, index) => open(index + 1, endpoints)),
      );
      return new HubWorkers(workers, endpoints);
    } catch (error) {
      for (const worker of workers) worker[Symbol.dispose]();
      throw error;
    }
  }

  /** What all of them have done so far. */
  async observe(): Promise<Observed> {
    const answers = await Promise.all(
      this.#workers.map((worker) => worker.ask({ type: "observe" })),
    );
    return sumObserved(
      answers.flatMap((answer) =>
        answer.type === "observed" ? [answer.observed] : []
      ),
    );
  }

  /**
   * Takes new connections by another certificate from now on.
   *
   * @throws {Error} If a worker cannot.
   */
  async renewTls(tls: ServerTlsOptions): Promise<void> {
    for (const worker of this.#workers) {
      const answer = await worker.ask({ type: "renew", tls });
      if (answer.type === "failed") throw new Error(answer.reason);
    }
  }

  /** Drains all of them. */
  async drain(options: DrainOptions): Promise<void> {
    await Promise.all(
      this.#workers.map((worker) => worker.ask({ type: "drain", options })),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) worker[Symbol.dispose]();
    return Promise.resolve();
  }
}

/** A worker has an audit log of its own, and no sessions: a client comes back to any of the workers. */
function loginOfWorker(
  { login }: HubSettings,
  index: number,
): Pick<HubSettings, "login"> {
  if (login === undefined) return {};
  const { audit } = login;
  return {
    login: {
      ...login,
      sessions: false,
      ...(audit === undefined ? {} : { audit: `${audit}.${index + 1}` }),
    },
  };
}

/** Several hubs seen as one: their figures added up, listening while all of them are. */
export function sumObserved(hubs: readonly Observed[]): Observed {
  const counters = new Counters();
  for (const { counters: { handling, ...counts } } of hubs) {
    for (const name of Object.keys(counts) as (keyof typeof counts)[]) {
      counters[name] += counts[name];
    }
    for (const [index, count] of handling.buckets.entries()) {
      counters.handling.buckets[index]! += count;
    }
    counters.handling.count += handling.count;
    counters.handling.sumMs += handling.sumMs;
  }
  return {
    counters,
    // They share one certificate.
    certificateEndsAt: hubs[0]?.certificateEndsAt,
    peers: { size: hubs.reduce((sum, { peers }) => sum + peers.size, 0) },
    startedAt: new Date(
      Math.min(...hubs.map(({ startedAt }) => startedAt.getTime())),
    ),
    status: hubs.find(({ status }) => status !== "listening")?.status ??
      "listening",
  };
}
