import { alarm, type Clock } from "../../io/clock.ts";
import type { ProxyAddress } from "../../proto/proxy_protocol/header.ts";
import { TurnedAway } from "../beginning.ts";
import type { ProxyEvent, ProxyRequest } from "../events.ts";
import { Proxy } from "../proxy.ts";
import type { ProxyTarget } from "../proxy_options.ts";
import type { RelayReport } from "../relay.ts";
import type { BalanceOptions } from "./options.ts";
import type { BalanceDecision, Roster } from "./roster.ts";

/** What takes connections, or datagrams, for a balancer. */
export interface BalanceFront {
  readonly endpoints: string[];
  readonly connections: number;
  start(): Promise<void>;
  /** Does what was decided of a connection. */
  decided(decision: BalanceDecision): void;
  drain(deadlineMs: number): Promise<void>;
  abort(): Promise<void>;
}

/** A connection that waits for a backend or has one. */
interface Flow {
  readonly request: ProxyRequest;
  /** Settles the wait for a backend. */
  decided: PromiseWithResolvers<ProxyTarget>;
  why: string;
  /** When its backend took it. */
  connectedMs: number;
}

/** Takes connections. */
export class StreamBalance implements BalanceFront {
  readonly #clock: Clock;
  readonly #roster: Roster;
  readonly #proxy: Proxy;
  readonly #flows = new Map<number, Flow>();

  constructor(options: BalanceOptions, roster: Roster, clock: Clock) {
    this.#clock = clock;
    this.#roster = roster;
    this.#proxy = new Proxy({
      ...options,
      to: (request) => this.#route(request),
      observe: (event) => this.#proxied(event),
    });
  }

  get endpoints(): string[] {
    return this.#proxy.endpoints;
  }

  get connections(): number {
    return this.#proxy.connections;
  }

  async start(): Promise<void> {
    await this.#proxy.start();
  }

  #route(request: ProxyRequest): Promise<ProxyTarget> {
    const { id, source } = request;
    const decided = Promise.withResolvers<ProxyTarget>();
    this.#flows.set(id, { request, decided, why: "", connectedMs: 0 });
    this.#roster.input({ type: "connection", id, source: addressOf(source) });
    return decided.promise;
  }

  decided(decision: BalanceDecision): void {
    const { id, why } = decision;
    const flow = this.#flows.get(id);
    if (flow === undefined) return;
    switch (decision.type) {
      case "pick":
        flow.why = why;
        return flow.decided.resolve(this.#targetOf(flow, decision.backend));
      case "wait":
        return this.#roster.tell({
          type: "queued",
          request: flow.request,
          why,
        });
      case "refuse":
        this.#flows.delete(id);
        return flow.decided.reject(
          new TurnedAway(`Cannot balance: no backend: ${why}`),
        );
    }
  }

  #targetOf(flow: Flow, backend: string): ProxyTarget {
    const { request: { id } } = flow;
    return {
      ...this.#roster.target(backend),
      watch: {
        failed: (_error, latencyMs) => {
          flow.decided = Promise.withResolvers();
          this.#roster.input({ type: "failed", id, latencyMs });
          return flow.decided.promise;
        },
        connected: () => {
          flow.connectedMs = this.#clock.now();
        },
        answered: (latencyMs) =>
          this.#roster.input({ type: "answered", id, latencyMs }),
        ended: (report) => this.#ended(flow, report),
      },
    };
  }

  #ended({ request: { id }, connectedMs }: Flow, report: RelayReport): void {
    const { ending, bytesIn, bytesOut } = report;
    const ok = ending !== "server failed" || bytesOut > 0;
    const latencyMs = ok && bytesIn === 0 ? 0 : this.#clock.now() - connectedMs;
    this.#roster.input({ type: "ended", id, ok, latencyMs });
  }

  #proxied(event: ProxyEvent): void {
    if (event.type !== "relayed") return this.#roster.tell(event);
    const { id } = event.access.request;
    const why = this.#flows.get(id)?.why ?? "";
    this.#flows.delete(id);
    this.#roster.tell({ ...event, why });
  }

  async drain(deadlineMs: number): Promise<void> {
    const cut = alarm(this.#clock, deadlineMs, () => this.#turnAway());
    await this.#proxy.drain({ deadlineMs });
    this.#clock.cancel(cut);
  }

  async abort(): Promise<void> {
    this.#turnAway();
    await this.#proxy.abort();
  }

  #turnAway(): void {
    for (const { decided } of this.#flows.values()) {
      decided.reject(new TurnedAway("Cannot balance: it shuts down"));
    }
  }
}

/** What sources are told apart by. */
function addressOf(source: ProxyAddress | undefined): string | undefined {
  return source === undefined || "path" in source ? undefined : source.hostname;
}
