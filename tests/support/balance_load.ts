/**
 * A service of several backends under a load that shifts, to compare policies.
 *
 * @module
 */

import { seededRandom } from "../../src/bytes/random.ts";
import type {
  BalanceCandidate,
  BalancePolicy,
} from "../../src/proto/balance/candidate.ts";
import { ServerLoad } from "../../src/proto/resilience/balance.ts";

/** A backend with workers, and a line before them. */
export interface SimulatedBackend {
  /** Requests that it works on at a time. */
  readonly workers: number;
  /** Mean milliseconds of work for a request that begins at `nowMs`. */
  workMs(nowMs: number): number;
  /** Requests per second that others send it. */
  othersPerSecond?(nowMs: number): number;
}

/** What is simulated. */
export interface LoadScenario {
  readonly backends: readonly SimulatedBackend[];
  /** Requests per second at `nowMs`. */
  perSecond(nowMs: number): number;
  readonly seconds: number;
}

/** Latencies in milliseconds. */
export interface LoadReport {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly requests: number;
}

class Backend implements BalanceCandidate {
  readonly name: string;
  readonly weight = 1;
  readonly currentWeight = 1;
  readonly isOpen = true;
  readonly load = new ServerLoad();
  /** When each worker is free. */
  readonly freeMs: number[];

  constructor(name: string, readonly simulated: SimulatedBackend) {
    this.name = name;
    this.freeMs = new Array(simulated.workers).fill(0);
  }

  get active(): number {
    return this.load.outstanding;
  }

  isHealthy(): boolean {
    return true;
  }

  /** Takes a request; returns when it is done. */
  take(nowMs: number, random: () => number): number {
    let worker = 0;
    for (const [index, freeMs] of this.freeMs.entries()) {
      if (freeMs < this.freeMs[worker]!) worker = index;
    }
    const beginMs = Math.max(nowMs, this.freeMs[worker]!);
    const mean = this.simulated.workMs(beginMs);
    // Half of it always the same, half of it exponential.
    const work = mean * (0.5 - 0.5 * Math.log(1 - random()));
    return this.freeMs[worker] = beginMs + work;
  }
}

/** Runs a scenario by a policy. */
export function runLoad(
  scenario: LoadScenario,
  policy: BalancePolicy,
  seed: number,
): LoadReport {
  const chance = seededRandom(seed);
  const others = seededRandom(seed + 1_000_000);
  const arrivals = seededRandom(seed + 2_000_000);
  const choices = seededRandom(seed + 3_000_000);
  const backends = scenario.backends.map((simulated, index) =>
    new Backend(`b${index}`, simulated)
  );
  const endings: { atMs: number; run: () => void }[] = [];
  const latencies: number[] = [];
  const endMs = scenario.seconds * 1000;
  const nextOther = backends.map(() => 0);
  for (let nowMs = 0;;) {
    nowMs += -Math.log(1 - arrivals()) * 1000 / scenario.perSecond(nowMs);
    if (nowMs > endMs) break;
    for (const [index, backend] of backends.entries()) {
      const rate = backend.simulated.othersPerSecond;
      if (rate === undefined) continue;
      while (nextOther[index]! <= nowMs) {
        const atMs = nextOther[index]!;
        const perSecond = rate(atMs);
        if (perSecond > 0) backend.take(atMs, others);
        nextOther[index] = atMs -
          Math.log(1 - others()) * 1000 / Math.max(perSecond, 1);
      }
    }
    while (endings.length > 0 && endings[0]!.atMs <= nowMs) pop(endings).run();
    const { candidate } = policy.choose({}, backends, nowMs, choices);
    candidate.load.started();
    policy.moved?.(candidate);
    const { active } = candidate;
    const beganMs = nowMs;
    const atMs = candidate.take(nowMs, chance);
    push(endings, {
      atMs,
      run() {
        const latencyMs = atMs - beganMs;
        latencies.push(latencyMs);
        candidate.load.ended();
        candidate.load.record({ ok: true, kind: "answered", latencyMs }, atMs);
        policy.moved?.(candidate);
        policy.answered?.(candidate, { latencyMs, active }, atMs);
      },
    });
  }
  while (endings.length > 0) pop(endings).run();
  latencies.sort((a, b) => a - b);
  const at = (q: number) => latencies[Math.floor(latencies.length * q)]!;
  return {
    mean: latencies.reduce((sum, one) => sum + one, 0) / latencies.length,
    p50: at(0.5),
    p99: at(0.99),
    requests: latencies.length,
  };
}

interface Due {
  readonly atMs: number;
}

/** Adds to a binary heap, the earliest on top. */
function push<T extends Due>(heap: T[], one: T): void {
  heap.push(one);
  for (let at = heap.length - 1; at > 0;) {
    const up = (at - 1) >> 1;
    if (heap[up]!.atMs <= heap[at]!.atMs) return;
    [heap[up], heap[at]] = [heap[at]!, heap[up]!];
    at = up;
  }
}

function pop<T extends Due>(heap: T[]): T {
  const top = heap[0]!;
  const last = heap.pop()!;
  if (heap.length === 0) return top;
  heap[0] = last;
  for (let at = 0;;) {
    let least = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child < heap.length && heap[child]!.atMs < heap[least]!.atMs) {
        least = child;
      }
    }
    if (least === at) return top;
    [heap[at], heap[least]] = [heap[least]!, heap[at]!];
    at = least;
  }
}

/** A backend that is `ms` slow, and `factor` times as slow in one phase of each period. */
function shifting(
  index: number,
  ms: number,
  factor: number,
  workers = 4,
  periodMs = 20_000,
  count = 5,
): SimulatedBackend {
  return {
    workers,
    workMs: (nowMs) =>
      Math.floor(nowMs % periodMs / (periodMs / count)) === index
        ? ms * factor
        : ms,
  };
}

/** The loads on which policies are compared: five backends each, at 60 to 80 % of what they can do. */
export const LOADS: Readonly<Record<string, LoadScenario>> = {
  "a slow backend that changes place": {
    backends: [0, 1, 2, 3, 4].map((index) => shifting(index, 20, 4)),
    perSecond: () => 550,
    seconds: 120,
  },
  "different machines": {
    backends: [8, 8, 16, 32, 64].map((ms) => ({
      workers: 4,
      workMs: () => ms,
    })),
    perSecond: () => 1000,
    seconds: 120,
  },
  "waves of load": {
    backends: [10, 10, 20, 20, 40].map((ms) => ({
      workers: 4,
      workMs: () => ms,
    })),
    perSecond: (nowMs) => 700 + 500 * Math.sin(nowMs / 5000),
    seconds: 120,
  },
  "others use two of them in turn": {
    backends: [0, 1, 2, 3, 4].map((index) => ({
      workers: 4,
      workMs: () => 20,
      othersPerSecond: (nowMs: number) =>
        Math.floor(nowMs / 8000) % 5 === index ||
          Math.floor(nowMs / 8000 + 2) % 5 === index
          ? 170
          : 0,
    })),
    perSecond: () => 500,
    seconds: 120,
  },
  "machines of different size": {
    backends: [1, 2, 4, 8, 16].map((workers) => ({
      workers,
      workMs: () => 20,
    })),
    perSecond: () => 1100,
    seconds: 120,
  },
};
