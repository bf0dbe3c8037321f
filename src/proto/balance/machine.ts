import { seededRandom } from "../../bytes/random.ts";
import type { Backend, BackendReport } from "./backend.ts";
import { BackendSet } from "./backend_set.ts";
import type { BalancePolicy } from "./candidate.ts";
import {
  type BalanceMachineOptions,
  checkWeight,
  type CompleteBalanceOptions,
  completeBalanceOptions,
} from "./options.ts";
import { balancePolicy, type BalancePolicyName } from "./policies.ts";
import { eligible } from "./eligible.ts";
import type { BalanceInput, BalanceOutput } from "./messages.ts";
import { StickySources } from "./sticky_sources.ts";

/** A connection from the moment that it wants a backend until its end. */
interface Flow {
  readonly id: number;
  readonly source: string | undefined;
  /** Backends that it could not be connected to. */
  readonly avoid: Set<string>;
  backend: Backend | undefined;
  /** Connections that the backend had when this one began. */
  active: number;
  /** The outcome was told. */
  isRecorded: boolean;
  /** Until when it waits. */
  untilMs: number;
}

/**
 * Balances connections over backends: chooses by a policy among those that are up and have room, lets connections wait,
 * tries others when one fails, keeps sources where they were. Pure: the caller tells it what happens and when, and does what it
 * says; the same seed and the same inputs lead to the same outputs, which is what {@linkcode replayBalance} proves.
 *
 * @example Usage
 * ```ts
 * import { BalanceMachine } from "./machine.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const backends = [{ name: "a" }, { name: "b" }];
 * const machine = new BalanceMachine({ backends }, 1, 0);
 * assertEquals(machine.take({ type: "connection", id: 1 }, 0), [
 *   { type: "pick", id: 1, backend: "a", why: "round robin" },
 * ]);
 * const [, failed] = machine.take({ type: "connection", id: 2 }, 1)
 *   .concat(machine.take({ type: "failed", id: 2, latencyMs: 1 }, 2));
 * assertEquals(failed, {
 *   type: "pick",
 *   id: 2,
 *   backend: "a",
 *   why: "round robin; b failed",
 * });
 * ```
 */
export class BalanceMachine {
  #policy: BalancePolicy;
  readonly #random: () => number;
  readonly #backends: BackendSet;
  readonly #flows = new Map<number, Flow>();
  readonly #queue: Flow[] = [];
  readonly #sticky: StickySources;
  #outputs: BalanceOutput[] = [];

  /**
   * Starts with all backends up.
   *
   * @throws {RangeError} If an option makes no sense.
   */
  constructor(options: BalanceMachineOptions, seed: number, nowMs: number) {
    const complete = completeBalanceOptions(options);
    this.#policy = balancePolicy(complete.policy);
    this.#random = seededRandom(seed);
    this.#sticky = new StickySources();
    this.#backends = new BackendSet(complete, {
      joined: (backend) => this.#policy.rejoined?.(backend),
      left: ({ name }) => this.#policy.forget?.(name),
    });
    for (const backend of complete.backends) {
      this.#backends.join(backend, -Infinity, nowMs);
    }
  }

  get #options(): CompleteBalanceOptions {
    return this.#backends.options;
  }

  /** The name of the policy. */
  get policy(): BalancePolicyName {
    return this.#options.policy;
  }

  /** Connections that wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** When `time` is to be told at the latest; Infinity if nobody waits. */
  get deadlineMs(): number {
    return this.#queue[0]?.untilMs ?? Infinity;
  }

  /** What is known of each backend. */
  report(nowMs: number): BackendReport[] {
    return this.#backends.report(nowMs);
  }

  /** Milliseconds until `backend` should be checked again; undefined if it is gone. */
  nextCheckMs(backend: string, random: () => number): number | undefined {
    return this.#backends.get(backend)?.health.nextMs(random);
  }

  /**
   * Takes an input at `nowMs`, which never goes back; returns what is to be done.
   *
   * @throws {RangeError} If it names a backend that is not there, or one that is there twice; then nothing has changed.
   */
  take(input: BalanceInput, nowMs: number): BalanceOutput[] {
    this.#outputs = [];
    this.#handle(input, nowMs);
    this.#tell(nowMs);
    this.#expire(nowMs);
    this.#dispatch(nowMs);
    return this.#outputs;
  }

  #handle(input: BalanceInput, nowMs: number): void {
    switch (input.type) {
      case "connection":
        return this.#open(input.id, input.source, nowMs);
      case "failed":
        return this.#failed(input.id, input.latencyMs, nowMs);
      case "answered":
        return this.#answered(input.id, input.latencyMs, nowMs);
      case "ended":
        return this.#ended(input, nowMs);
      case "checked":
        return this.#checked(input.backend, input.ok, nowMs);
      case "add":
        return this.#backends.add(input.backend, nowMs);
      case "drain":
        this.#backends.find(input.backend).isDraining = true;
        return;
      case "ready": {
        const backend = this.#backends.find(input.backend);
        backend.isDraining = backend.isLeaving = false;
        backend.startedMs = nowMs;
        return;
      }
      case "weight":
        checkWeight(input.weight);
        this.#backends.find(input.backend).weight = input.weight;
        return;
      case "remove":
        return this.#backends.leave(this.#backends.find(input.backend));
      case "configure":
        return this.#configure(input.options, nowMs);
      case "time":
        return;
    }
  }

  #configure(options: BalanceMachineOptions, nowMs: number): void {
    const complete = completeBalanceOptions(options);
    if (complete.policy !== this.#options.policy) {
      this.#policy = balancePolicy(complete.policy);
    }
    // In the order of their deadlines they stay.
    const untilMs = nowMs + complete.queueMs;
    for (const flow of this.#queue) {
      flow.untilMs = Math.min(flow.untilMs, untilMs);
    }
    this.#backends.configure(complete, nowMs);
  }

  #open(id: number, source: string | undefined, nowMs: number): void {
    const flow: Flow = {
      id,
      source,
      avoid: new Set(),
      backend: undefined,
      active: 0,
      isRecorded: false,
      untilMs: 0,
    };
    this.#flows.set(id, flow);
    this.#seat(flow, nowMs);
  }

  /** Chooses a backend for it, lets it wait, or turns it away. */
  #seat(flow: Flow, nowMs: number): void {
    // Who came before is served before.
    const isFirst = this.#queue.length === 0 || this.#queue[0] === flow;
    const found = this.#choose(flow, nowMs, isFirst);
    if (found === "none") return this.#refuse(flow, this.#whyNone(flow));
    if (found !== "full") {
      return this.#pick(flow, found.backend, found.why, nowMs);
    }
    if (this.#queue.length >= this.#options.maxQueue) {
      return this.#refuse(flow, `full, and ${this.#queue.length} wait`);
    }
    flow.untilMs = nowMs + this.#options.queueMs;
    this.#queue.push(flow);
    const why = `full: ${this.#queue.length} wait`;
    this.#outputs.push({ type: "wait", id: flow.id, why });
  }

  #choose(
    flow: Flow,
    nowMs: number,
    isFirst = true,
  ): { backend: Backend; why: string } | "none" | "full" {
    const { slowStartMs, panicThreshold, stickyMs } = this.#options;
    const { all } = this.#backends;
    const { backends, note } = eligible(all, panicThreshold, nowMs);
    let isOpen = false;
    let isFull = false;
    for (const backend of backends) {
      backend.warm(nowMs, slowStartMs);
      const isLeft = !flow.avoid.has(backend.name);
      const hasRoom = isFirst && backend.hasRoom(nowMs, slowStartMs);
      backend.isOpen = isLeft && hasRoom;
      isOpen ||= backend.isOpen;
      isFull ||= isLeft && !hasRoom;
    }
    if (!isOpen) return isFull ? "full" : "none";
    const notes = [note, failures(flow)].filter((text) => text !== undefined);
    const home = stickyMs === 0
      ? undefined
      : this.#sticky.find(flow.source, nowMs - stickyMs);
    const stays = backends.find(({ name, isOpen }) => isOpen && name === home);
    if (stays !== undefined) {
      return { backend: stays, why: ["sticky", ...notes].join("; ") };
    }
    const { candidate, why } = this.#policy.choose(
      { key: flow.source },
      backends,
      nowMs,
      this.#random,
    );
    return { backend: candidate, why: [why, ...notes].join("; ") };
  }

  #whyNone(flow: Flow): string {
    return failures(flow) ??
      (this.#backends.all.length === 0 ? "no backends" : "none is up");
  }

  #pick(flow: Flow, backend: Backend, why: string, nowMs: number): void {
    flow.backend = backend;
    flow.isRecorded = false;
    backend.begin(nowMs);
    flow.active = backend.active;
    this.#policy.moved?.(backend);
    const { stickyMs, maxSticky } = this.#options;
    if (stickyMs > 0) {
      this.#sticky.set(flow.source, backend.name, nowMs, maxSticky);
    }
    const { id } = flow;
    this.#outputs.push({ type: "pick", id, backend: backend.name, why });
  }

  #refuse(flow: Flow, why: string): void {
    this.#flows.delete(flow.id);
    this.#outputs.push({ type: "refuse", id: flow.id, why });
  }

  #failed(id: number, latencyMs: number, nowMs: number): void {
    const flow = this.#flows.get(id);
    const backend = flow?.backend;
    if (flow === undefined || backend === undefined) return;
    this.#record(flow, false, latencyMs, nowMs);
    this.#release(flow);
    flow.avoid.add(backend.name);
    this.#tell(nowMs);
    if (flow.avoid.size > this.#options.maxRetries) {
      return this.#refuse(flow, this.#whyNone(flow));
    }
    this.#seat(flow, nowMs);
  }

  #answered(id: number, latencyMs: number, nowMs: number): void {
    const flow = this.#flows.get(id);
    if (flow?.backend === undefined) return;
    this.#record(flow, true, latencyMs, nowMs);
    const { active } = flow;
    this.#policy.answered?.(flow.backend, { latencyMs, active }, nowMs);
  }

  #ended(
    { id, ok, latencyMs }: { id: number; ok: boolean; latencyMs: number },
    nowMs: number,
  ): void {
    const flow = this.#flows.get(id);
    if (flow?.backend === undefined) return;
    this.#flows.delete(id);
    if (flow.isRecorded) return this.#release(flow);
    if (ok) this.#unanswered(flow, latencyMs, nowMs);
    else this.#record(flow, false, latencyMs, nowMs);
    this.#release(flow);
  }

  #unanswered(flow: Flow, latencyMs: number, nowMs: number): void {
    const backend = flow.backend!;
    backend.unanswered(latencyMs, nowMs);
    if (latencyMs === 0) return;
    const { active } = flow;
    this.#policy.answered?.(backend, { latencyMs, active }, nowMs);
  }

  #record(flow: Flow, ok: boolean, latencyMs: number, nowMs: number): void {
    flow.isRecorded = true;
    const kind = ok ? "answered" : "connection lost";
    flow.backend!.record({ ok, kind, latencyMs }, nowMs);
  }

  /** Gives its place at the backend back. */
  #release(flow: Flow): void {
    const backend = flow.backend!;
    flow.backend = undefined;
    backend.load.ended();
    this.#policy.moved?.(backend);
    this.#backends.released(backend);
  }

  #checked(name: string, ok: boolean, nowMs: number): void {
    const backend = this.#backends.get(name);
    if (backend?.health.record(ok) === "up") backend.startedMs = nowMs;
  }

  /** Tells of backends whose status is another. */
  #tell(nowMs: number): void {
    for (const { backend, was } of this.#backends.changes(nowMs)) {
      const { name, told: status } = backend;
      const why = `was ${was}`;
      this.#outputs.push({ type: "status", backend: name, status, why });
    }
  }

  #expire(nowMs: number): void {
    while (this.deadlineMs <= nowMs) {
      const flow = this.#queue.shift()!;
      this.#refuse(flow, `no room within ${this.#options.queueMs} ms`);
    }
  }

  /** Seats those who wait, in order. */
  #dispatch(nowMs: number): void {
    while (this.#queue.length > 0) {
      const flow = this.#queue[0]!;
      const found = this.#choose(flow, nowMs);
      if (found === "full") return;
      this.#queue.shift();
      if (found === "none") this.#refuse(flow, this.#whyNone(flow));
      else this.#pick(flow, found.backend, found.why, nowMs);
    }
  }
}

function failures({ avoid }: Flow): string | undefined {
  return avoid.size === 0 ? undefined : `${[...avoid].join(", ")} failed`;
}
