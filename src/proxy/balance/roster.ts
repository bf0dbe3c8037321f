import type { BackendReport } from "../../proto/balance/backend.ts";
import { BalanceMachine } from "../../proto/balance/machine.ts";
import type {
  BalanceInput,
  BalanceOutput,
} from "../../proto/balance/messages.ts";
import type { BalanceMachineOptions } from "../../proto/balance/options.ts";
import type { BalancePolicyName } from "../../proto/balance/policies.ts";
import { TracedBalanceMachine } from "../../proto/balance/trace.ts";
import { alarm, type Clock } from "../../io/clock.ts";
import { systemTransports } from "../../io/transports.ts";
import { isDatagramEndpoint } from "../link/datagram_front.ts";
import { canonicalEndpoint, refuseMixture } from "./endpoints.ts";
import { HealthChecks } from "./health_checks.ts";
import { refuseLoop } from "./loop.ts";
import type {
  BalanceEvent,
  BalanceOptions,
  BalanceSettings,
  BalanceTarget,
} from "./options.ts";

const DEFAULT_CHECK_TIMEOUT_MS = 2_000;

/** What becomes of a connection: all outputs but those about backends. */
export type BalanceDecision = Exclude<BalanceOutput, { type: "status" }>;

/** A change of one backend. */
export type BalanceChange = Extract<
  BalanceInput,
  { type: "drain" | "ready" | "weight" | "remove" }
>;

/** What a {@linkcode Roster} is made of. */
export interface RosterParts {
  readonly options: BalanceOptions;
  readonly clock: Clock;
  /** Does what was decided. */
  readonly decided: (decision: BalanceDecision) => void;
}

/** The backends of a balancer: the machine that chooses, with a clock, checks and settings that change. */
export class Roster {
  readonly #clock: Clock;
  readonly #machine: BalanceMachine;
  readonly #checks: HealthChecks;
  readonly #decided: (decision: BalanceDecision) => void;
  readonly #observe: ((event: BalanceEvent) => void) | undefined;
  readonly #listen: readonly string[];
  #targets: Map<string, BalanceTarget>;
  #settings: BalanceSettings;
  #deadline: ReturnType<typeof alarm> | undefined;
  #isStarted = false;

  constructor({ options, clock, decided }: RosterParts) {
    const { seed = Math.trunc(Math.random() * 2 ** 31), trace } = options;
    this.#settings = options;
    this.#observe = options.observe;
    this.#decided = decided;
    this.#clock = clock;
    this.#listen = [options.listen].flat();
    this.#targets = this.#read(options);
    const settings = machineOptions(options, this.#targets);
    const nowMs = clock.now();
    this.#machine = trace === undefined
      ? new BalanceMachine(settings, seed, nowMs)
      : new TracedBalanceMachine(settings, seed, nowMs, trace);
    this.#checks = new HealthChecks({
      clock,
      transports: options.transports ?? systemTransports,
      timeoutMs: () =>
        this.#settings.checkTimeoutMs ?? DEFAULT_CHECK_TIMEOUT_MS,
      nextMs: (backend) => this.#machine.nextCheckMs(backend, Math.random),
      found: (backend, error) => this.#found(backend, error),
    });
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

  /** What is known of a backend that was chosen. */
  target(backend: string): BalanceTarget {
    return this.#targets.get(backend)!;
  }

  /** Starts to check. */
  start(): void {
    this.#isStarted = true;
    this.#check();
  }

  /** Ends all checks. */
  async stop(): Promise<void> {
    if (this.#deadline !== undefined) this.#clock.cancel(this.#deadline);
    await this.#checks.stop();
  }

  configure(settings: BalanceSettings): void {
    const targets = this.#read(settings);
    const options = machineOptions(settings, targets);
    this.#change(targets, { type: "configure", options });
    this.#settings = settings;
    this.#check();
  }

  add(target: string | BalanceTarget): void {
    const added = readTarget(target, this.#settings);
    this.#refuse([added]);
    const backend = backendOptions(added);
    this.#change(new Map([[added.to, added]]), { type: "add", backend });
    this.#check();
  }

  change(change: BalanceChange): void {
    this.input({ ...change, backend: canonicalEndpoint(change.backend) });
    this.#check();
  }

  /** Tells the machine something, and does what it says. */
  input(input: BalanceInput): void {
    for (const output of this.#machine.take(input, this.#clock.now())) {
      if (output.type !== "status") this.#decided(output);
      else {
        const { backend, status, why } = output;
        this.tell({ type: "backend", backend, status, why });
      }
    }
    this.#arm();
  }

  tell(event: BalanceEvent): void {
    try {
      this.#observe?.(event);
    } catch (error) {
      reportError(error);
    }
  }

  #read(settings: BalanceSettings): Map<string, BalanceTarget> {
    const targets = readTargets(settings);
    this.#refuse([...targets.values()]);
    return targets;
  }

  #refuse(targets: readonly BalanceTarget[]): void {
    refuseMixture([...this.#listen, ...targets.map(({ to }) => to)]);
    for (const { to, proxyProtocol } of targets) {
      refuseLoop(this.#listen, to);
      if (proxyProtocol !== 1 || !isDatagramEndpoint(to)) continue;
      throw new RangeError(
        `Cannot balance: 'proxyProtocol' must be 2 for datagrams: current value is ${proxyProtocol} for ${to}`,
      );
    }
  }

  /** The machine may choose new backends at once, so their targets must be there. */
  #change(
    targets: ReadonlyMap<string, BalanceTarget>,
    input: BalanceInput,
  ): void {
    const before = new Map(this.#targets);
    for (const [name, target] of targets) this.#targets.set(name, target);
    try {
      this.input(input);
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
      const target = this.target(name);
      const spec = target.check ?? this.#settings.check;
      if (spec !== undefined && spec !== false) {
        plans.set(name, { target, spec });
      }
    }
    this.#checks.set(plans);
  }

  #found(backend: string, error: unknown): void {
    if (error !== undefined) {
      this.tell({ type: "check failed", backend, error });
    }
    this.input({ type: "checked", backend, ok: error === undefined });
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
      () => this.input({ type: "time" }),
    );
  }
}

function readTarget(
  target: string | BalanceTarget,
  { targetTls }: BalanceSettings,
): BalanceTarget {
  const read = typeof target === "string" ? { to: target } : target;
  const to = canonicalEndpoint(read.to);
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
