import { seededRandom } from "../../bytes/random.ts";
import { Backend, type BackendReport, type BackendStatus } from "./backend.ts";
import type { BalancePolicy } from "./candidate.ts";
import {
  type BackendOptions,
  type BalanceMachineOptions,
  checkBackend,
  checkWeight,
  type CompleteBalanceOptions,
  completeBalanceOptions,
} from "./options.ts";
import { balancePolicy, type BalancePolicyName } from "./policies.ts";
import { eligible } from "./eligible.ts";
import { StickySources } from "./sticky_sources.ts";

/** Something that a {@linkcode BalanceMachine} is told. All of it can be written as JSON. */
export type BalanceInput =
  /** A connection wants a backend. `source` is the address that it comes from. */
  | { type: "connection"; id: number; source?: string | undefined }
  /** It could not be connected to the backend that was chosen; it wants another. */
  | { type: "failed"; id: number; latencyMs: number }
  /** Its backend has answered for the first time. */
  | { type: "answered"; id: number; latencyMs: number }
  /**
   * It has ended; `ok` is false if it was the backend's fault. `latencyMs` is how long the backend had not answered, 0 if it
   * was asked nothing; it does not count if it had answered.
   */
  | { type: "ended"; id: number; ok: boolean; latencyMs: number }
  /** A backend was checked. */
  | { type: "checked"; backend: string; ok: boolean }
  /** A backend joins. */
  | { type: "add"; backend: BackendOptions }
  /** A backend takes no more connections, and keeps those that it has. */
  | { type: "drain"; backend: string }
  /** A backend that was drained takes connections again. */
  | { type: "ready"; backend: string }
  /** A backend gets another weight. */
  | { type: "weight"; backend: string; weight: number }
  /** A backend drains, and leaves once it has no connections. */
  | { type: "remove"; backend: string }
  /** All options are others; backends that stay keep their connections and their history. */
  | { type: "configure"; options: BalanceMachineOptions }
  /** Time has passed. */
  | { type: "time" };

/** What a {@linkcode BalanceMachine} wants done. */
export type BalanceOutput =
  /** Connect it to this backend. */
  | { type: "pick"; id: number; backend: string; why: string }
  /** It waits until a backend has room. */
  | { type: "wait"; id: number; why: string }
  /** Turn it away. */
  | { type: "refuse"; id: number; why: string }
  /** A backend has become another. */
  | { type: "status"; backend: string; status: BackendStatus; why: string };

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
  #options: CompleteBalanceOptions;
  #policy: BalancePolicy;
  readonly #random: () => number;
  readonly #backends = new Map<string, Backend>();
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
    this.#options = completeBalanceOptions(options);
    this.#policy = balancePolicy(this.#options.policy);
    this.#random = seededRandom(seed);
    this.#sticky = new StickySources();
    for (const backend of this.#options.backends) {
      this.#join(backend, -Infinity, nowMs);
    }
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
    for (const backend of this.#backends.values()) this.#warm(backend, nowMs);
    return Array.from(
      this.#backends.values(),
      (backend) => backend.report(nowMs),
    );
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
      case "add": {
        checkBackend(input.backend);
        const known = this.#backends.get(input.backend.name);
        if (known !== undefined && !known.isLeaving) {
          throw new RangeError(
            `Cannot add a backend: it is there: current value is ${known.name}`,
          );
        }
        return this.#join(input.backend, nowMs, nowMs);
      }
      case "drain":
        this.#find(input.backend).isDraining = true;
        return;
      case "ready": {
        const backend = this.#find(input.backend);
        backend.isDraining = backend.isLeaving = false;
        backend.startedMs = nowMs;
        return;
      }
      case "weight":
        checkWeight(input.weight);
        this.#find(input.backend).weight = input.weight;
        return;
      case "remove":
        return this.#leave(this.#find(input.backend));
      case "configure":
        return this.#configure(input.options, nowMs);
      case "time":
        return;
    }
  }

  #find(name: string): Backend {
    const backend = this.#backends.get(name);
    if (backend !== undefined) return backend;
    throw new RangeError(
      `Cannot find a backend: there are ${
        [...this.#backends.keys()].join(", ") || "none"
      }: current value is ${name}`,
    );
  }

  #join(options: BackendOptions, startedMs: number, nowMs: number): void {
    const known = this.#backends.get(options.name);
    if (known === undefined) {
      const backend = new Backend(options, this.#options, startedMs, nowMs);
      this.#backends.set(options.name, backend);
      return this.#policy.rejoined?.(backend);
    }
    if (known.isLeaving) known.startedMs = nowMs;
    known.isDraining = known.isLeaving = false;
    known.weight = options.weight ?? 1;
    known.maxConnections = options.maxConnections ?? Infinity;
    known.backup = options.backup ?? false;
  }

  #leave(backend: Backend): void {
    backend.isDraining = backend.isLeaving = true;
    this.#forget(backend);
  }

  #forget(backend: Backend): void {
    if (!backend.isLeaving || backend.active > 0) return;
    this.#backends.delete(backend.name);
    this.#policy.forget?.(backend.name);
  }

  #configure(options: BalanceMachineOptions, nowMs: number): void {
    const complete = completeBalanceOptions(options);
    if (complete.policy !== this.#options.policy) {
      this.#policy = balancePolicy(complete.policy);
    }
    this.#options = complete;
    // In the order of their deadlines they stay.
    const untilMs = nowMs + complete.queueMs;
    for (const flow of this.#queue) {
      flow.untilMs = Math.min(flow.untilMs, untilMs);
    }
    const names = new Set(complete.backends.map(({ name }) => name));
    for (const backend of [...this.#backends.values()]) {
      if (!names.has(backend.name)) this.#leave(backend);
    }
    for (const backend of complete.backends) {
      this.#join(backend, nowMs, nowMs);
      this.#backends.get(backend.name)!.health.retune(complete.health);
    }
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
    const all = [...this.#backends.values()];
    const { backends, note } = eligible(all, panicThreshold, nowMs);
    let isOpen = false;
    let isFull = false;
    for (const backend of backends) {
      this.#warm(backend, nowMs);
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
      (this.#backends.size === 0 ? "no backends" : "none is up");
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
    if (ok) flow.backend.unanswered(latencyMs, nowMs);
    else this.#record(flow, false, latencyMs, nowMs);
    this.#release(flow);
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
    this.#forget(backend);
  }

  #checked(name: string, ok: boolean, nowMs: number): void {
    const backend = this.#backends.get(name);
    if (backend?.health.record(ok) === "up") backend.startedMs = nowMs;
  }

  #warm(backend: Backend, nowMs: number): void {
    backend.warm(nowMs, this.#options.slowStartMs);
  }

  /** Tells of backends whose status is another. */
  #tell(nowMs: number): void {
    for (const backend of this.#backends.values()) {
      const status = backend.status(nowMs);
      if (status === backend.told) continue;
      const why = `was ${backend.told}`;
      backend.told = status;
      if (status === "up") this.#policy.rejoined?.(backend);
      this.#outputs.push({
        type: "status",
        backend: backend.name,
        status,
        why,
      });
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
