import {
  Cluster,
  type ClusterMember,
  JOIN_MS,
  type Task,
  TICK_MS,
} from "../../scenarios/hub/engine/cluster.ts";
import type { FromHub } from "../../scenarios/hub/messages.ts";

/** How badly a backplane treats what it carries. */
export interface Weather {
  /** The share of messages that are lost. */
  loss: number;
  /** The share of messages that arrive twice. */
  twice: number;
  /** The longest that a message is under way, in milliseconds; the order is not kept. */
  delayMs: number;
}

/** Nothing happens but a short delay. */
export const CALM: Weather = { loss: 0, twice: 0, delayMs: 1 };

/** A hub without clients: it notes what reaches it. */
export class VirtualHub implements ClusterMember {
  readonly id: string;
  readonly cluster: Cluster;
  /** Messages that reached it, by what they say. */
  readonly heard: unknown[] = [];
  /** Messages that it was told it missed. */
  missed = 0;
  /** Names that it holds. */
  readonly names = new Set<string>();
  /** Names that it had to give up. */
  readonly lost: string[] = [];
  /** Whether it was killed, or stopped by a signal for a while. */
  state: "runs" | "stopped" | "dead" = "runs";
  readonly #waiting: (() => void)[] = [];

  constructor(id: string, net: VirtualBackplane) {
    this.id = id;
    this.cluster = new Cluster(id, {
      publish: (text) => net.publish(this, text),
      send: (hub, text) => net.send(this, hub, text),
      schedule: () => net.at(0, this, () => this.cluster.flush()),
    });
    this.cluster.attach(this);
  }

  /** Lets something happen to it, once it runs. */
  do(event: () => void): void {
    if (this.state === "runs") event();
    else if (this.state === "stopped") this.#waiting.push(event);
  }

  /** Goes on after it was stopped. */
  resume(): void {
    this.state = "runs";
    for (const event of this.#waiting.splice(0)) event();
  }

  /** Claims a name, and holds it if that is granted. */
  async claim(key: string, wallMs: number): Promise<string> {
    const verdict = await this.cluster.claim(key, wallMs);
    if (verdict === "granted") this.names.add(key);
    return verdict;
  }

  perform(task: Task): unknown {
    if (!("message" in task)) return this.id;
    this.heard.push((task.message as FromHub & { content: unknown }).content);
    return 1;
  }

  lose(key: string): void {
    this.names.delete(key);
    this.lost.push(key);
  }

  gap(missed: number): void {
    this.missed += missed;
  }
}

/** A backplane in virtual time, in any weather. */
export class VirtualBackplane {
  nowMs = 1000;
  weather = CALM;
  readonly hubs: VirtualHub[] = [];
  /** Hubs hear each other if they are on the same side. */
  sides = new Map<VirtualHub, number>();
  readonly #random: () => number;
  readonly #events: { atMs: number; run: () => void }[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Starts a hub, which has joined a while later. */
  start(id: string): VirtualHub {
    const hub = new VirtualHub(id, this);
    this.hubs.push(hub);
    const tick = () => {
      hub.cluster.tick(this.nowMs);
      this.at(TICK_MS, hub, tick);
    };
    tick();
    this.at(JOIN_MS, hub, () => hub.cluster.joined());
    return hub;
  }

  /** Has something happen to a hub, in a while. */
  at(delayMs: number, hub: VirtualHub, event: () => void): void {
    const atMs = this.nowMs + delayMs;
    let index = this.#events.length;
    while (index > 0 && this.#events[index - 1]!.atMs > atMs) index--;
    this.#events.splice(index, 0, { atMs, run: () => hub.do(event) });
  }

  publish(from: VirtualHub, text: string): void {
    for (const hub of this.hubs) this.#carry(from, hub, text);
  }

  send(from: VirtualHub, id: string, text: string): void {
    for (const hub of this.hubs) {
      if (hub.id === id) this.#carry(from, hub, text);
    }
  }

  #carry(from: VirtualHub, to: VirtualHub, text: string): void {
    if (from === to || this.sides.get(from) !== this.sides.get(to)) return;
    const { loss, twice, delayMs } = this.weather;
    for (let n = this.#random() < twice ? 2 : 1; n > 0; n--) {
      if (this.#random() < loss) continue;
      this.at(
        this.#random() * delayMs,
        to,
        () => to.cluster.receive(text),
      );
    }
  }

  /** Lets time pass. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    while ((this.#events[0]?.atMs ?? Infinity) <= untilMs) {
      const { atMs, run } = this.#events.shift()!;
      this.nowMs = atMs;
      run();
      // Claims are promises.
      await Promise.resolve();
      await Promise.resolve();
    }
    this.nowMs = untilMs;
  }
}
