import { Backend, type BackendReport, type BackendStatus } from "./backend.ts";
import {
  type BackendOptions,
  checkBackend,
  type CompleteBalanceOptions,
} from "./options.ts";

/** What to call when backends come and go. */
export interface BackendSetEvents {
  /** A backend is there for the first time, or takes connections again. */
  joined(backend: Backend): void;
  /** A backend is gone. */
  left(backend: Backend): void;
}

/** The backends of a balancer by their names, those included that drain before they leave. */
export class BackendSet {
  options: CompleteBalanceOptions;
  readonly #events: BackendSetEvents;
  readonly #backends = new Map<string, Backend>();

  constructor(options: CompleteBalanceOptions, events: BackendSetEvents) {
    this.options = options;
    this.#events = events;
  }

  /** All of them. */
  get all(): Backend[] {
    return [...this.#backends.values()];
  }

  /** The one of this name. */
  get(name: string): Backend | undefined {
    return this.#backends.get(name);
  }

  /** The same; throws if there is none. */
  find(name: string): Backend {
    const backend = this.#backends.get(name);
    if (backend !== undefined) return backend;
    throw new RangeError(
      `Cannot find a backend: there are ${
        [...this.#backends.keys()].join(", ") || "none"
      }: current value is ${name}`,
    );
  }

  /** Adds one, which starts slowly. */
  add(options: BackendOptions, nowMs: number): void {
    checkBackend(options);
    if (this.#backends.get(options.name)?.isLeaving === false) {
      throw new RangeError(
        `Cannot add a backend: it is there: current value is ${options.name}`,
      );
    }
    this.join(options, nowMs, nowMs);
  }

  /** Adds one that begins to take connections at `startedMs`, or gives the one that is there other options. */
  join(options: BackendOptions, startedMs: number, nowMs: number): void {
    const known = this.#backends.get(options.name);
    if (known === undefined) {
      const backend = new Backend(options, this.options, startedMs, nowMs);
      this.#backends.set(options.name, backend);
      return this.#events.joined(backend);
    }
    if (known.isLeaving) known.startedMs = nowMs;
    known.isDraining = known.isLeaving = false;
    known.weight = options.weight ?? 1;
    known.maxConnections = options.maxConnections ?? Infinity;
    known.backup = options.backup ?? false;
    known.health.retune(this.options.health);
  }

  /** Lets one take no more connections, and leave once it has none. */
  leave(backend: Backend): void {
    backend.isDraining = backend.isLeaving = true;
    this.released(backend);
  }

  /** A connection of `backend` has ended: it may have been the last one. */
  released(backend: Backend): void {
    if (!backend.isLeaving || backend.active > 0) return;
    this.#backends.delete(backend.name);
    this.#events.left(backend);
  }

  /** Takes other options; those that are not in them leave. */
  configure(options: CompleteBalanceOptions, nowMs: number): void {
    this.options = options;
    const names = new Set(options.backends.map(({ name }) => name));
    for (const backend of this.all) {
      if (!names.has(backend.name)) this.leave(backend);
    }
    for (const backend of options.backends) this.join(backend, nowMs, nowMs);
  }

  /** What is known of each. */
  report(nowMs: number): BackendReport[] {
    return this.all.map((backend) => {
      backend.warm(nowMs, this.options.slowStartMs);
      return backend.report(nowMs);
    });
  }

  /** Those whose status is another than it was the last time, and what it was. */
  changes(nowMs: number): { backend: Backend; was: BackendStatus }[] {
    const changes: { backend: Backend; was: BackendStatus }[] = [];
    for (const backend of this.#backends.values()) {
      const was = backend.told;
      backend.told = backend.status(nowMs);
      if (backend.told === was) continue;
      changes.push({ backend, was });
      if (backend.told === "up") this.#events.joined(backend);
    }
    return changes;
  }
}
