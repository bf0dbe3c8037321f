import type { Outcome, OutcomeListener } from "./health.ts";

/** Milliseconds in which what was seen loses all but 37 % of its weight. */
const DECAY_MS = 10_000;
/** The cost of a server that has been asked and has not answered yet. */
const UNKNOWN_COST = 1e9;

/**
 * What it costs to ask a server: an average of its latency that jumps to every peak and then falls slowly, times the
 * attempts that it has not answered, over the share of attempts that succeed. The first two are the peak-EWMA of Finagle;
 * the third keeps a server that fails fast from looking fast. Pure.
 *
 * @example Usage
 * ```ts
 * import { ServerLoad } from "./balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const load = new ServerLoad();
 * load.started();
 * load.record({ ok: true, latencyMs: 40, kind: "answered" }, 1000);
 * assertEquals(load.cost(1000), 80);
 * load.ended();
 * assertEquals(load.cost(1000), 40);
 * ```
 */
export class ServerLoad implements OutcomeListener {
  #outstanding = 0;
  /** The latency average as of `#atMs`; undefined before the first outcome. */
  #latencyMs: number | undefined;
  /** The share of failures as of `#atMs`. */
  #failing = 0;
  #atMs = 0;

  /** Attempts that have not ended. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** An attempt begins. */
  started(): void {
    this.#outstanding++;
  }

  /** An attempt has ended. */
  ended(): void {
    this.#outstanding--;
  }

  /** Learns from the outcome of an attempt. */
  record(outcome: Outcome, nowMs: number): void {
    const { ok, kind, latencyMs } = outcome;
    const keep = this.#keep(nowMs);
    const average = this.#latencyMs ?? 0;
    if (latencyMs > average) this.#latencyMs = latencyMs;
    else if (ok) this.#latencyMs = average * keep + latencyMs * (1 - keep);
    this.#failing *= keep;
    if (kind !== "cancelled") {
      this.#failing += ((ok ? 0 : 1) - this.#failing) / 10;
    }
    this.#atMs = nowMs;
  }

  /** The cost of one more attempt, to be compared with that of other servers. */
  cost(nowMs: number): number {
    if (this.#latencyMs === undefined) {
      return this.#outstanding === 0 ? 0 : UNKNOWN_COST + this.#outstanding;
    }
    const keep = this.#keep(nowMs);
    return this.#latencyMs * keep * (this.#outstanding + 1) /
      (1 - this.#failing * keep);
  }

  /** How much of what was known at `#atMs` still counts. */
  #keep(nowMs: number): number {
    return Math.exp(Math.min(this.#atMs - nowMs, 0) / DECAY_MS);
  }
}

/** A server to choose from. */
export interface Candidate {
  /** What it costs to ask it. */
  readonly load: ServerLoad;
  /** Whether it takes attempts at `nowMs`. */
  isHealthy(nowMs: number): boolean;
}

/** Options of {@linkcode chooseServer}. */
export interface ChooseOptions<C> {
  /** Monotonic milliseconds. */
  nowMs: number;
  /** A source of numbers in [0, 1). */
  random: () => number;
  /** The share of healthy servers below which health is ignored, from 0 to 1; 0 for never. @default {0.5} */
  panicThreshold?: number;
  /** Servers to pass over if there are others, such as those that have failed this request. */
  avoid?: ReadonlySet<C>;
}

/** What {@linkcode chooseServer} chose. */
export interface Choice<C> {
  /** The server to ask. */
  readonly server: C;
  /** Whether so few were healthy that health was ignored; a single server leaves nothing to choose. */
  readonly panic: boolean;
}

/**
 * Chooses the cheaper of two servers drawn at random among the healthy ones: the power of two choices (Mitzenmacher, 2001).
 * When most are unhealthy it draws among all of them, like Envoy below its healthy panic threshold: the few that are left
 * would break too if they got everything, and so many failures at once may be the fault of who measures them.
 *
 * @throws {RangeError} If there are no servers.
 *
 * @example Usage
 * ```ts
 * import { chooseServer, ServerLoad } from "./balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const [near, far] = [10, 90].map((latencyMs) => {
 *   const load = new ServerLoad();
 *   load.record({ ok: true, latencyMs, kind: "answered" }, 0);
 *   return { load, isHealthy: () => true };
 * });
 * const options = { nowMs: 0, random: () => 0.5 };
 * assertEquals(chooseServer([near!, far!], options).server, near);
 * ```
 */
export function chooseServer<C extends Candidate>(
  servers: readonly C[],
  options: ChooseOptions<C>,
): Choice<C> {
  const { nowMs, panicThreshold = 0.5, avoid } = options;
  if (servers.length === 0) {
    throw new RangeError(
      "Cannot choose a server: there must be one: current value of 'servers' is []",
    );
  }
  const healthy = servers.filter((server) => server.isHealthy(nowMs));
  const panic = servers.length > 1 &&
    healthy.length < servers.length * panicThreshold;
  const usable = panic || healthy.length === 0 ? servers : healthy;
  const fresh = avoid === undefined || avoid.size === 0
    ? usable
    : usable.filter((server) => !avoid.has(server));
  const server = cheaperOfTwo(fresh.length > 0 ? fresh : usable, options);
  return { server, panic };
}

function cheaperOfTwo<C extends Candidate>(
  servers: readonly C[],
  { nowMs, random }: ChooseOptions<C>,
): C {
  if (servers.length === 1) return servers[0]!;
  const first = Math.floor(random() * servers.length);
  const step = 1 + Math.floor(random() * (servers.length - 1));
  const one = servers[first]!;
  const other = servers[(first + step) % servers.length]!;
  return other.load.cost(nowMs) < one.load.cost(nowMs) ? other : one;
}
