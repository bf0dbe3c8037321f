/**
 * A backplane through a NATS server. Plain NATS is enough: who holds a name is
 * settled between the hubs, and what NATS loses is noticed by them.
 *
 * @module
 */

import {
  connect,
  type NatsConnection,
} from "npm:@nats-io/transport-node@3.4.0";
import { type Backplane, newHubId } from "./backplane.ts";

/** Before the name of a cluster, so that others can use the server too. */
const SUBJECT = "portolan.hub";
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

/** Connects to a NATS server; once connected, connects again whenever it is lost. */
export async function connectNats(url: string): Promise<Backplane> {
  const { server, cluster, user, password } = natsAddress(url);
  try {
    const connection = await connect({
      servers: server,
      ...(user === "" ? {} : { user, pass: password }),
      name: "Portolan hub",
      noEcho: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 200,
      reconnectJitter: 200,
      // A connection that is dead without an end is found within three seconds.
      pingInterval: 1000,
      maxPingOut: 2,
    });
    return new NatsBackplane(connection, `${SUBJECT}.${cluster}`);
  } catch (cause) {
    throw new Error(`Cannot reach the NATS server at ${server}`, { cause });
  }
}

class NatsBackplane implements Backplane {
  readonly id = newHubId();
  readonly #connection: NatsConnection;
  readonly #subject: string;
  #isConnected = true;

  constructor(connection: NatsConnection, subject: string) {
    this.#connection = connection;
    this.#subject = subject;
    void this.#follow();
  }

  async #follow(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === "disconnect") this.#isConnected = false;
      if (type === "reconnect") this.#isConnected = true;
    }
  }

  listen(receive: (text: string) => void): void {
    for (const subject of ["all", this.id]) {
      this.#connection.subscribe(`${this.#subject}.${subject}`, {
        callback(error, message) {
          if (error === null) receive(message.string());
        },
      });
    }
  }

  publish(text: string): void {
    this.#send("all", text);
  }

  send(hub: string, text: string): void {
    this.#send(hub, text);
  }

  #send(subject: string, text: string): void {
    // What is said while nobody hears it is not kept: it would be late and take memory without end.
    if (!this.#isConnected) return;
    try {
      this.#connection.publish(`${this.#subject}.${subject}`, text);
    } catch {
      // Larger than the server allows: the others notice that it is missing.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isConnected) await this.#connection.drain();
    else await this.#connection.close();
  }
}
