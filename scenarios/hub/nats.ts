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
import { type Backplane, natsAddress, newHubId } from "./backplane.ts";

/** Before the name of a cluster, so that others can use the server too. */
const SUBJECT = "portolan.hub";

/** Connects to a NATS server; once connected, connects again whenever it is lost. */
export async function connectNats(
  url: string,
  connected?: (isConnected: boolean) => void,
): Promise<Backplane> {
  const { server, cluster, user, password } = natsAddress(url);
  try {
    const connection = await connect({
      servers: server,
      ...(user === "" ? {} : { user, pass: password }),
      name: "Portolan hub",
      noEcho: true,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: 200,
      reconnectJitter: 200,
      // A connection that is dead without an end is found within three seconds.
      pingInterval: 1000,
      maxPingOut: 2,
    });
    const backplane = new NatsBackplane(connection, `${SUBJECT}.${cluster}`);
    void backplane.follow(connected);
    return backplane;
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
  }

  /** Keeps up with the state of the connection. */
  async follow(connected?: (isConnected: boolean) => void): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type !== "disconnect" && type !== "reconnect") continue;
      this.#isConnected = type === "reconnect";
      connected?.(this.#isConnected);
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
