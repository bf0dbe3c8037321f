/**
 * Traffic through a hub that runs by itself and is counted.
 *
 * @module
 */

import { type Client, connect, json, lengthPrefixed } from "../../../mod.ts";
import type { FromHub, ToHub } from "../messages.ts";
import { inline } from "./render.ts";
import { Samples } from "./samples.ts";
import type { SessionOptions } from "./session.ts";

/** What traffic adds to. */
export class Tally {
  /** Milliseconds from sending to receiving. */
  latencies = new Samples();
  /** Messages that came back or were delivered. */
  messages = 0;
  /** Messages that the hub dropped because this client did not keep up. */
  missed = 0;

  /** Forgets what was counted. */
  reset(): void {
    this.latencies = new Samples();
    this.messages = 0;
    this.missed = 0;
  }
}

/** Traffic that runs by itself. */
export interface Traffic {
  /** Resolves, with why, when a connection ends, which none should. */
  ended: Promise<string>;
  /** Ends it at once. */
  stop(): Promise<void>;
}

/** Echoes on some connections. */
export interface EchoTraffic {
  connections: number;
  /** Messages in flight on each connection. */
  window: number;
  /** What is sent. */
  content: string;
}

/** One sender and some listeners. */
export interface FanOutTraffic {
  listeners: number;
  /** Characters of a message. */
  size: number;
}

/** Every answer to an echo sends the next. */
export async function startEcho(
  session: SessionOptions,
  { connections, window, content }: EchoTraffic,
  tally: Tally,
): Promise<Traffic> {
  const message: ToHub = { type: "echo", content };
  const start = (): Promise<Client<FromHub, ToHub>> => {
    // Answers come in order, so the oldest time is the one that counts.
    const sentMs = new Float64Array(window);
    let next = 0;
    const open = dial(session, (answer, client) => {
      if (answer.type !== "echo_response") return;
      const now = performance.now();
      tally.messages++;
      tally.latencies.add(now - sentMs[next]!);
      sentMs[next] = now;
      next = (next + 1) % window;
      client.send(message);
    });
    return open.then((client) => {
      sentMs.fill(performance.now());
      for (let sent = 0; sent < window; sent++) client.send(message);
      return client;
    });
  };
  return trafficOf(await openAll(connections, start));
}

/** Every message that the hub took is followed by the next. */
export async function startFanOut(
  session: SessionOptions,
  { listeners, size }: FanOutTraffic,
  tally: Tally,
): Promise<Traffic> {
  const room = `performance ${crypto.randomUUID().slice(0, 8)}`;
  const clients = await openAll(listeners, async () => {
    const joined = Promise.withResolvers<void>();
    const client = await dial(session, (message) => {
      if (message.type === "joined") joined.resolve();
      else if (message.type === "gap") {
        tally.missed += Number(message["missed"]);
      } else if (message.type === "room_message") {
        tally.messages++;
        tally.latencies.add(
          performance.now() - Number.parseFloat(String(message["content"])),
        );
      }
    });
    client.send({ type: "join", room });
    await Promise.race([joined.promise, client.closed]);
    return client;
  });
  const say = (client: Client<FromHub, ToHub>): void => {
    const content = `${performance.now()} `.padEnd(size, "x");
    client.send({ type: "room_message", room, content });
  };
  const sender = await dial(session, (message, client) => {
    if (message.type === "joined" || message.type === "room_message_sent") {
      say(client);
    }
  });
  sender.send({ type: "join", room });
  return trafficOf([...clients, sender]);
}

/** Opens a connection with nothing between its messages and `receive`. */
async function dial(
  { message: _message, ...session }: SessionOptions,
  receive: (message: FromHub, client: Client<FromHub, ToHub>) => void,
): Promise<Client<FromHub, ToHub>> {
  const client: Client<FromHub, ToHub> = await connect<FromHub, ToHub>({
    ...session,
    wire: lengthPrefixed(json<FromHub, ToHub>()),
    message(message) {
      if (message.type === "error") client.abort(inline(message["message"]));
      else receive(message, client);
    },
  });
  return client;
}

/** Opens connections a few at a time, or none if one fails. */
async function openAll(
  count: number,
  open: () => Promise<Client<FromHub, ToHub>>,
): Promise<Client<FromHub, ToHub>[]> {
  const clients: Client<FromHub, ToHub>[] = [];
  while (clients.length < count) {
    const batch = Math.min(32, count - clients.length);
    const results = await Promise.allSettled(
      Array.from({ length: batch }, open),
    );
    for (const result of results) {
      if (result.status === "fulfilled") clients.push(result.value);
    }
    const failed = results.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") {
      for (const client of clients) client.abort();
      throw failed.reason;
    }
  }
  return clients;
}

function trafficOf(clients: readonly Client<FromHub, ToHub>[]): Traffic {
  const ended = Promise.race(clients.map(async (client) => {
    const { cause, reason } = await client.closed;
    return reason === undefined ? cause : `${cause} (${reason})`;
  }));
  return {
    ended,
    async stop(): Promise<void> {
      for (const client of clients) client.abort();
      await Promise.all(clients.map(({ closed }) => closed));
    },
  };
}
