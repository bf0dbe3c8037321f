import type { BackendReport } from "../../proto/balance/backend.ts";
import {
  type BalanceInput,
  BalanceMachine,
  type BalanceOutput,
} from "../../proto/balance/machine.ts";
import type { BalanceMachineOptions } from "../../proto/balance/options.ts";
import type { BalancePolicyName } from "../../proto/balance/policies.ts";
import { TracedBalanceMachine } from "../../proto/balance/trace.ts";
import type { ProxyAddress } from "../../proto/proxy_protocol/header.ts";
import { alarm, type Clock, systemClock } from "../../io/clock.ts";
import { formatEndpoint, parseEndpoint } from "../../io/endpoint.ts";
import { systemTransports } from "../../io/transports.ts";
import { TurnedAway } from "../beginning.ts";
import type { ProxyEvent, ProxyRequest } from "../events.ts";
import { Proxy } from "../proxy.ts";
import type { ProxyTarget } from "../proxy_options.ts";
import type { RelayReport } from "../relay.ts";
import { HealthChecks } from "./health_checks.ts";
import { refuseLoop } from "./loop.ts";
import type {
  BalanceEvent,
  BalanceOptions,
  BalanceSettings,
  BalanceTarget,
} from "./options.ts";

const DEFAULT_CHECK_TIMEOUT_MS = 2_000;

/** A connection that waits for a backend or has one. */
interface Flow {
  readonly request: ProxyRequest;
  /** Settles the wait for a backend. */
  decided: PromiseWithResolvers<ProxyTarget> | undefined;
  why: string;
  connectMs: number;
}

/**
 * A running balancer; made by {@linkcode balance}.
 *
 * @example Usage
 * ```ts
 * import { balance } from "./balancer.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using front = await balance({
 *   listen: "memory:front door",
 *   to: ["memory:one", "memory:two"],
 * });
 * front.change({ type: "weight", backend: "memory:two", weight: 3 });
 * assertEquals(front.backends.map(({ weight }) => weight), [1, 3]);
 * ```
 */
export class Balancer implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #proxy: Proxy;
  readonly #machine: BalanceMachine;
  readonly #checks: HealthChecks;
  readonly #observe: ((event: BalanceEvent) => void) | undefined;
  readonly #listen: readonly string[];
  readonly #flows = new Map<number, Flow>();
  #targets: Map<string, BalanceTarget>;
  #settings: BalanceSettings;
  #deadline: ReturnType<typeof alarm> | undefined;
  #isStarted = false;

  /** Use {@linkcode balance}. */
  constructor(options: BalanceOptions) {
    const { seed = Math.trunc(Math.random() * 2 ** 31), trace } = options;
    this.#settings = options;
    this.#observe = options.observe;
    this.#clock = options.clock ?? systemClock;
    this.#listen = [options.listen].flat();
    this.#targets = this.#read(options);
    const settings = machineOptions(options, this.#targets);
    const nowMs = this.#clock.now();
    this.#machine = trace === undefined
      ? new BalanceMachine(settings, seed, nowMs)
      : new TracedBalanceMachine(settings, seed, nowMs, trace);
    this.#checks = new HealthChecks({
      clock: this.#clock,
      transports: options.transports ?? systemTransports,
      timeoutMs: () =>
        this.#settings.checkTimeoutMs ?? DEFAULT_CHECK_TIMEOUT_MS,
      nextMs: (backend) => this.#machine.nextCheckMs(backend, Math.random),
      found: (backend, error) => this.#found(backend, error),
    });
    this.#proxy = new Proxy({
      ...options,
      to: (request) => this.#route(request),
      observe: (event) => this.#proxied(event),
    });
  }

  /** Where it listens, as URLs; with the ports that the system chose. */
  get endpoints(): string[] {
    return this.#proxy.endpoints;
  }

  /** The first of `endpoints`. */
  get endpoint(): string {
    return this.#proxy.endpoint;
  }

  /** Connections now, those that wait included. */
  get connections(): number {
    return this.#proxy.connections;
  }

  /** Connections that wait for a backend. */
  get queued(): number {
    return this.#machine.queued;
  }

  /** How backends are chosen. */
  get policy(): BalancePolicyName {
    return this.#machine.policy;
  }

  /** What is known of each backend. */
  get backends(): BackendReport[] {
    return this.#machine.report(this.#clock.now());
  }

  /** Starts to listen, and to check. */
  async start(): Promise<void> {
    await this.#proxy.start();
    this.#isStarted = true;
    this.#check();
  }

  /**
   * Takes other settings from now on. No connection is dropped: backends that are gone keep those that they have.
   *
   * @throws {RangeError} If a setting makes no sense; then nothing has changed.
   */
  configure(settings: BalanceSettings): void {
    const targets = this.#read(settings);
    const options = machineOptions(settings, targets);
    this.#change(targets, { type: "configure", options });
    this.#settings = settings;
    this.#check();
  }

  /**
   * Adds a backend.
   *
   * @throws {RangeError} If it is there, or makes no sense.
   * @throws {SyntaxError} If `to` is no endpoint.
   */
  add(target: string | BalanceTarget): void {
    const added = readTarget(target, this.#settings);
    refuseLoop(this.#listen, added.to);
    const backend = backendOptions(added);
    this.#change(new Map([[added.to, added]]), { type: "add", backend });
    this.#check();
  }

  /**
   * Drains, removes, weighs a backend, or makes it ready again.
   *
   * @throws {RangeError} If there is no such backend, or the weight makes no sense.
   */
  change(
    change: Extract<
      BalanceInput,
      { type: "drain" | "ready" | "weight" | "remove" }
    >,
  ): void {
    this.#input(change);
    this.#check();
  }

  #read(settings: BalanceSettings): Map<string, BalanceTarget> {
    const targets = readTargets(settings);
    for (const to of targets.keys()) refuseLoop(this.#listen, to);
    return targets;
  }

  /** The machine may choose new backends at once, so their targets must be there. */
  #change(
    targets: ReadonlyMap<string, BalanceTarget>,
    input: BalanceInput,
  ): void {
    const before = new Map(this.#targets);
    for (const [name, target] of targets) this.#targets.set(name, target);
    try {
      this.#input(input);
    } catch (error) {
      this.#targets = before;
      throw error;
    }
  }

  /** Checks those that there are, and forgets those that are gone. */
  #check(): void {
    if (!this.#isStarted) return;
    const plans = new Map();
    const names = new Set(this.backends.map(({ name }) => name));
    for (const name of this.#targets.keys()) {
      if (!names.has(name)) this.#targets.delete(name);
    }
    for (const name of names) {
      const target = this.#targets.get(name)!;
      const spec = target.check ?? this.#settings.check;
      if (spec !== undefined && spec !== false) {
        plans.set(name, { target, spec });
      }
    }
    this.#checks.set(plans);
  }

  #found(backend: string, error: unknown): void {
    if (error !== undefined) {
      this.#tell({ type: "check failed", backend, error });
    }
    this.#input({ type: "checked", backend, ok: error === undefined });
  }

  #route(request: ProxyRequest): Promise<ProxyTarget> {
    const { id, source } = request;
    const decided = Promise.withResolvers<ProxyTarget>();
    this.#flows.set(id, { request, decided, why: "", connectMs: 0 });
    this.#input({ type: "connection", id, source: addressOf(source) });
    return decided.promise;
  }

  #input(input: BalanceInput): void {
    for (const output of this.#machine.take(input, this.#clock.now())) {
      this.#act(output);
    }
    this.#arm();
  }

  #act(output: BalanceOutput): void {
    if (output.type === "status") {
      const { backend, status, why } = output;
      return this.#tell({ type: "backend", backend, status, why });
    }
    const { id, why } = output;
    const flow = this.#flows.get(id);
    if (flow === undefined) return;
    switch (output.type) {
      case "pick":
        flow.why = why;
        return flow.decided?.resolve(this.#targetOf(flow, output.backend));
      case "wait":
        return this.#tell({ type: "queued", request: flow.request, why });
      case "refuse":
        this.#flows.delete(id);
        return flow.decided?.reject(
          new TurnedAway(`Cannot balance: no backend: ${why}`),
        );
    }
  }

  #targetOf(flow: Flow, backend: string): ProxyTarget {
    const { request: { id } } = flow;
    return {
      ...this.#targets.get(backend)!,
      watch: {
        failed: (_error, latencyMs) => {
          flow.decided = Promise.withResolvers();
          this.#input({ type: "failed", id, latencyMs });
          return flow.decided.promise;
        },
        connected: (connectMs) => {
          flow.connectMs = connectMs;
        },
        answered: (latencyMs) =>
          this.#input({ type: "answered", id, latencyMs }),
        ended: (report) => this.#ended(flow, report),
      },
    };
  }

  #ended({ request: { id }, connectMs }: Flow, report: RelayReport): void {
    const { ending, bytesOut } = report;
    const ok = ending !== "server failed" || bytesOut > 0;
    this.#input({ type: "ended", id, ok, latencyMs: connectMs });
  }

  #proxied(event: ProxyEvent): void {
    if (event.type !== "relayed") return this.#tell(event);
    const { id } = event.access.request;
    const why = this.#flows.get(id)?.why ?? "";
    this.#flows.delete(id);
    this.#tell({ ...event, why });
  }

  #tell(event: BalanceEvent): void {
    try {
      this.#observe?.(event);
    } catch (error) {
      reportError(error);
    }
  }

  /** Wakes up when somebody has waited for long enough. */
  #arm(): void {
    if (this.#deadline !== undefined) this.#clock.cancel(this.#deadline);
    this.#deadline = undefined;
    const { deadlineMs } = this.#machine;
    if (deadlineMs === Infinity) return;
    const waitMs = Math.max(deadlineMs - this.#clock.now(), 0);
    this.#deadline = alarm(
      this.#clock,
      waitMs,
      () => this.#input({ type: "time" }),
    );
  }

  /** Takes no more connections, and waits for those that there are; cuts them off at the deadline. */
  async drain(options: { deadlineMs?: number } = {}): Promise<void> {
    const { deadlineMs = 10_000 } = options;
    const cut = alarm(this.#clock, deadlineMs, () => this.#turnAway());
    await this.#proxy.drain({ deadlineMs });
    this.#clock.cancel(cut);
    await this.#checks.stop();
  }

  /** Cuts everything off. */
  async abort(): Promise<void> {
    this.#turnAway();
    await this.#proxy.abort();
    await this.#checks.stop();
  }

  #turnAway(): void {
    for (const { decided } of this.#flows.values()) {
      decided?.reject(new TurnedAway("Cannot balance: it shuts down"));
    }
  }

  /** Drains, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }
}

/** What sources are told apart by. */
function addressOf(source: ProxyAddress | undefined): string | undefined {
  return source === undefined || "path" in source ? undefined : source.hostname;
}

function readTarget(
  target: string | BalanceTarget,
  { targetTls }: BalanceSettings,
): BalanceTarget {
  const read = typeof target === "string" ? { to: target } : target;
  const to = formatEndpoint(parseEndpoint(read.to));
  const tls = targetTls === undefined ? {} : { tls: targetTls };
  return { ...tls, ...read, to };
}

function readTargets(settings: BalanceSettings): Map<string, BalanceTarget> {
  const targets = new Map<string, BalanceTarget>();
  for (const one of settings.to) {
    const target = readTarget(one, settings);
    if (targets.has(target.to)) {
      throw new RangeError(
        `Cannot balance: a backend is there twice: current value is ${target.to}`,
      );
    }
    targets.set(target.to, target);
  }
  return targets;
}

function backendOptions(
  { to, weight, maxConnections, backup }: BalanceTarget,
): BalanceMachineOptions["backends"][number] {
  return {
    name: to,
    ...(weight === undefined ? {} : { weight }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(backup === undefined ? {} : { backup }),
  };
}

/** What of the settings the machine goes by; all of it can be written as JSON. */
function machineOptions(
  settings: BalanceSettings,
  targets: ReadonlyMap<string, BalanceTarget>,
): BalanceMachineOptions {
  const chosen: Record<string, unknown> = {};
  for (const key of MACHINE_KEYS) {
    if (settings[key] !== undefined) chosen[key] = settings[key];
  }
  return {
    ...chosen,
    backends: Array.from(targets.values(), backendOptions),
  };
}

const MACHINE_KEYS = [
  "policy",
  "slowStartMs",
  "maxQueue",
  "queueMs",
  "maxRetries",
  "panicThreshold",
  "stickyMs",
  "maxSticky",
  "ejection",
  "health",
] as const;

/**
 * Passes each connection on to one of several backends: to whichever a policy chooses among those that are up and have
 * room. When a backend cannot be connected to, another one is tried.
 *
 * @throws {EndpointError} If an endpoint cannot be listened on.
 * @throws {RangeError} If an option makes no sense, or a backend is the balancer itself.
 *
 * @example Usage
 * ```ts
 * import { balance } from "./balancer.ts";
 * import { connect, lines, serve, text } from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * const start = (name: string) =>
 *   serve({
 *     listen: `memory:${name}`,
 *     wire,
 *     handler: { message: (peer, line) => peer.send(`${name}: ${line}`) },
 *   });
 * await using a = await start("a");
 * await using b = await start("b");
 * await using front = await balance({
 *   listen: "memory:balancer",
 *   to: [a.endpoint, b.endpoint],
 * });
 * const answers = [];
 * for (let n = 0; n < 2; n++) {
 *   await using client = await connect({ to: front.endpoint, wire });
 *   client.send("ahoy");
 *   answers.push(await client.receive());
 * }
 * assertEquals(answers, ["a: ahoy", "b: ahoy"]);
 * ```
 */
export async function balance(options: BalanceOptions): Promise<Balancer> {
  const balancer = new Balancer(options);
  await balancer.start();
  return balancer;
}
