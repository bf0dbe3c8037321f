import { ServerLoad } from "../resilience/balance.ts";
import { CircuitBreaker } from "../resilience/breaker.ts";
import type { Outcome } from "../resilience/health.ts";
import type { BalanceCandidate } from "./candidate.ts";
import { HealthCheck } from "./health_check.ts";
import type { BackendOptions, CompleteBalanceOptions } from "./options.ts";

/** A slow start begins with this share of the weight. */
const LEAST_SHARE = 1 / 16;

/** `down`: checks fail. `ejected`: connections failed. `draining`: it takes no more, and keeps what it has. */
export type BackendStatus = "up" | "down" | "ejected" | "draining";

/** What is known of a backend at one moment. */
export interface BackendReport {
  /** Its name. */
  readonly name: string;
  /** Whether it takes connections. */
  readonly status: BackendStatus;
  /** Its weight. */
  readonly weight: number;
  /** The weight that it has reached, if it starts slowly. */
  readonly currentWeight: number;
  /** Whether it is a backup. */
  readonly backup: boolean;
  /** Connections that it has. */
  readonly active: number;
  /** Connections that it may have; undefined for any number. */
  readonly maxConnections: number | undefined;
  /** Connections that it was chosen for. */
  readonly picked: number;
  /** Of these, those that failed. */
  readonly failed: number;
}

/** A backend and all that is known of it. */
export class Backend implements BalanceCandidate {
  readonly name: string;
  readonly load: ServerLoad = new ServerLoad();
  weight: number;
  currentWeight: number;
  isOpen = true;
  maxConnections: number;
  backup: boolean;
  isDraining = false;
  /** Goes once it has no connections. */
  isLeaving = false;
  picked = 0;
  failed = 0;
  health: HealthCheck;
  breaker: CircuitBreaker | undefined;
  /** When it began to take connections; -Infinity if that needs no slow start. */
  startedMs: number;
  /** What was told of it last. */
  told: BackendStatus = "up";

  constructor(
    options: BackendOptions,
    shared: CompleteBalanceOptions,
    startedMs: number,
    nowMs: number,
  ) {
    this.name = options.name;
    this.weight = this.currentWeight = options.weight ?? 1;
    this.maxConnections = options.maxConnections ?? Infinity;
    this.backup = options.backup ?? false;
    this.startedMs = startedMs;
    this.health = new HealthCheck(shared.health);
    this.breaker = shared.ejection === false
      ? undefined
      : new CircuitBreaker(shared.ejection, nowMs);
  }

  get active(): number {
    return this.load.outstanding;
  }

  isHealthy(nowMs: number): boolean {
    return this.health.isUp && (this.breaker?.admits(nowMs) ?? true);
  }

  status(nowMs: number): BackendStatus {
    return this.isDraining
      ? "draining"
      : !this.health.isUp
      ? "down"
      : this.isHealthy(nowMs)
      ? "up"
      : "ejected";
  }

  /** Makes its weight what its slow start has come to. */
  warm(nowMs: number, slowStartMs: number): void {
    this.currentWeight = this.weight * this.#share(nowMs, slowStartMs);
  }

  /** Whether it may take one more. */
  hasRoom(nowMs: number, slowStartMs: number): boolean {
    return this.active <
      Math.ceil(this.maxConnections * this.#share(nowMs, slowStartMs));
  }

  #share(nowMs: number, slowStartMs: number): number {
    const passedMs = nowMs - this.startedMs;
    if (slowStartMs === 0 || passedMs >= slowStartMs) return 1;
    return Math.max(passedMs / slowStartMs, LEAST_SHARE);
  }

  /** A connection begins. */
  begin(nowMs: number): void {
    this.picked++;
    this.load.started();
    this.breaker?.admit(nowMs);
  }

  /** What came of a connection. */
  record(outcome: Outcome, nowMs: number): void {
    if (!outcome.ok) this.failed++;
    this.load.record(outcome, nowMs);
    this.breaker?.record(outcome, nowMs);
  }

  /** A connection has ended well, and nothing was answered: that says how slow the backend is at least, if it was asked. */
  unanswered(waitedMs: number, nowMs: number): void {
    const outcome = {
      ok: true,
      kind: "answered",
      latencyMs: waitedMs,
    } as const;
    this.breaker?.record(outcome, nowMs);
    if (waitedMs === 0) return;
    this.load.record({ ...outcome, ok: false, kind: "cancelled" }, nowMs);
  }

  report(nowMs: number): BackendReport {
    const { name, weight, currentWeight, backup, active, maxConnections } =
      this;
    return {
      name,
      status: this.status(nowMs),
      weight,
      currentWeight,
      backup,
      active,
      maxConnections: maxConnections === Infinity ? undefined : maxConnections,
      picked: this.picked,
      failed: this.failed,
    };
  }
}
