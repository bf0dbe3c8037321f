/**
 * What joins hubs to one: the ways between them, and the clock of the cluster.
 *
 * @module
 */

import { Cluster, JOIN_MS, TICK_MS } from "./engine/cluster.ts";

/**
 * The ways from one hub to the others. What one hub sends to another arrives in order, if it arrives; what is lost is
 * noticed by the hubs.
 */
export interface Backplane extends AsyncDisposable {
  /** This hub among the others. */
  readonly id: string;
  /** Hands over what the other hubs send from now on. */
  listen(receive: (text: string) => void): void;
  /** Sends to all other hubs. */
  publish(text: string): void;
  /** Sends to one hub. */
  send(hub: string, text: string): void;
}

const CLUSTER_REGEXP = /^[A-Za-z0-9_-]+$/;

/** Where a NATS server is, and which of the clusters on it is meant. */
export interface NatsAddress {
  server: string;
  cluster: string;
  user: string;
  password: string;
}

/**
 * Reads `nats://[USER:PASSWORD@]HOST[:PORT][/CLUSTER]`.
 *
 * @throws {SyntaxError} If it is something else.
 */
export function natsAddress(url: string): NatsAddress {
  const parsed = URL.parse(url);
  const cluster = parsed?.pathname.slice(1) || "main";
  if (
    parsed?.protocol !== "nats:" || parsed.hostname === "" ||
    !CLUSTER_REGEXP.test(cluster)
  ) {
    throw new SyntaxError(
      `Cannot use the backplane: nats://HOST:PORT is expected, and /CLUSTER may follow: current value is "${url}"`,
    );
  }
  return {
    server: `${parsed.hostname}:${parsed.port || 4222}`,
    cluster,
    user: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
  };
}

/** An id that no other hub has. */
export function newHubId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}

/** Is told that another hub has come or is missing, and how many there are then. */
export type HubsChanged = (
  change: { hub: string; isThere: boolean; hubs: number },
) => void;

/** Joins the others: resolves once they have had the time to make themselves known. */
export async function joinCluster(
  backplane: Backplane,
  changed?: HubsChanged,
): Promise<{ cluster: Cluster; leave: () => void }> {
  const cluster = new Cluster(backplane.id, {
    publish: (text) => backplane.publish(text),
    send: (hub, text) => backplane.send(hub, text),
    schedule: () => queueMicrotask(() => cluster.flush()),
    changed: (hub, isThere) => changed?.({ hub, isThere, hubs: cluster.size }),
  });
  backplane.listen((text) => cluster.receive(text));
  const tick = () => cluster.tick(performance.now());
  tick();
  const timer = setInterval(tick, TICK_MS);
  await new Promise((resolve) => setTimeout(resolve, JOIN_MS));
  cluster.joined();
  return {
    cluster,
    leave() {
      clearInterval(timer);
      cluster.leave();
    },
  };
}

/** What a hub in a worker is given: its id, and a port to each of the others. */
export interface Ports {
  id: string;
  others: [hub: string, port: MessagePort][];
}

/** Lays a way between each two of `count` hubs of one process. */
export function connectPorts(count: number): Ports[] {
  const all = Array.from(
    { length: count },
    (): Ports => ({ id: newHubId(), others: [] }),
  );
  for (const [index, one] of all.entries()) {
    for (const other of all.slice(index + 1)) {
      const { port1, port2 } = new MessageChannel();
      one.others.push([other.id, port1]);
      other.others.push([one.id, port2]);
    }
  }
  return all;
}

/** A backplane inside one process, between its workers or within one of them. */
export class PortBackplane implements Backplane {
  readonly id: string;
  readonly #ports: ReadonlyMap<string, MessagePort>;

  constructor({ id, others }: Ports) {
    this.id = id;
    this.#ports = new Map(others);
  }

  listen(receive: (text: string) => void): void {
    for (const port of this.#ports.values()) {
      port.onmessage = ({ data }) => receive(data);
    }
  }

  publish(text: string): void {
    for (const port of this.#ports.values()) port.postMessage(text);
  }

  send(hub: string, text: string): void {
    this.#ports.get(hub)?.postMessage(text);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const port of this.#ports.values()) port.close();
    return Promise.resolve();
  }
}
