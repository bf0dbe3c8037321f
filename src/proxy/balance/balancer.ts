import type { BackendReport } from "../../proto/balance/backend.ts";
import type { BalancePolicyName } from "../../proto/balance/policies.ts";
import { type Clock, systemClock } from "../../io/clock.ts";
import { isDatagramEndpoint } from "../link/datagram_front.ts";
import { DatagramBalance } from "./datagram_balance.ts";
import type {
  BalanceOptions,
  BalanceSettings,
  BalanceTarget,
} from "./options.ts";
import { type BalanceChange, Roster } from "./roster.ts";
import { type BalanceFront, StreamBalance } from "./stream_balance.ts";

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
  readonly #front: BalanceFront;
  readonly #roster: Roster;

  /** Use {@linkcode balance}. */
  constructor(options: BalanceOptions) {
    this.#clock = options.clock ?? systemClock;
    const Front = [options.listen].flat().every(isDatagramEndpoint)
      ? DatagramBalance
      : StreamBalance;
    const clock = this.#clock;
    this.#roster = new Roster({
      options,
      clock,
      decided: (decision) => this.#front.decided(decision),
    });
    this.#front = new Front(options, this.#roster, clock);
  }

  /** Where it listens, as URLs; with the ports that the system chose. */
  get endpoints(): string[] {
    return this.#front.endpoints;
  }

  /** The first of `endpoints`. */
  get endpoint(): string {
    return this.endpoints[0]!;
  }

  /** Connections now, those that wait included; of datagrams, sessions. */
  get connections(): number {
    return this.#front.connections;
  }

  /** Connections that wait for a backend. */
  get queued(): number {
    return this.#roster.queued;
  }

  /** How backends are chosen. */
  get policy(): BalancePolicyName {
    return this.#roster.policy;
  }

  /** What is known of each backend. */
  get backends(): BackendReport[] {
    return this.#roster.backends;
  }

  /** Starts to listen, and to check. */
  async start(): Promise<void> {
    await this.#front.start();
    this.#roster.start();
  }

  /**
   * Takes other settings from now on. No connection is dropped: backends that are gone keep those that they have.
   *
   * @throws {RangeError} If a setting makes no sense; then nothing has changed.
   */
  configure(settings: BalanceSettings): void {
    this.#roster.configure(settings);
  }

  /**
   * Adds a backend.
   *
   * @throws {RangeError} If it is there, or makes no sense.
   * @throws {SyntaxError} If `to` is no endpoint.
   */
  add(target: string | BalanceTarget): void {
    this.#roster.add(target);
  }

  /**
   * Drains, removes, weighs a backend, or makes it ready again.
   *
   * @throws {RangeError} If there is no such backend, or the weight makes no sense.
   */
  change(change: BalanceChange): void {
    this.#roster.change(change);
  }

  /** Takes no more connections, and waits for those that there are; cuts them off at the deadline. */
  async drain(options: { deadlineMs?: number } = {}): Promise<void> {
    await this.#front.drain(options.deadlineMs ?? 10_000);
    await this.#roster.stop();
  }

  /** Cuts everything off. */
  async abort(): Promise<void> {
    await this.#front.abort();
    await this.#roster.stop();
  }

  /** Drains, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }
}

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
