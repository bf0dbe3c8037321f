/**
 * Shows every function of the hub with three clients, message by message.
 *
 * @module
 */

import {
  bytes,
  connect,
  json,
  lengthPrefixed,
  type Output,
  raw,
  text,
} from "../../../mod.ts";
import type { FromHub, ToHub } from "../messages.ts";
import { inline } from "./render.ts";
import { HubSession, RefusedError, type SessionOptions } from "./session.ts";

const TIMEOUT_MS = 5000;

/** Runs the demonstration. */
export async function demonstrate(
  options: SessionOptions,
  output: Output,
): Promise<void> {
  const stage = new Stage(output);
  // Others on the hub may be called Ann as well.
  const suffix = crypto.randomUUID().slice(0, 4);
  await using ann = await Actor.open("ann", options, stage);
  await using bob = await Actor.open("bob", options, stage);
  await using eve = await Actor.open("eve", options, stage);
  const [annName, bobName] = [`ann-${suffix}`, `bob-${suffix}`];
  const room = `harbour-${suffix}`;

  stage.step("Ping: the way to the hub and back");
  await ann.ask({ type: "ping", timestamp: new Date().toISOString() });
  stage.step("Echo: what is sent comes back");
  await ann.ask({ type: "echo", content: "Ahoy, Welt, 世界 🚢" });

  stage.step("Names: unique, whatever the case of their letters");
  await ann.ask({ type: "identify", name: annName });
  await bob.ask({ type: "identify", name: bobName });
  await eve.ask({ type: "identify", name: annName.toUpperCase() });
  stage.step("List: who is here");
  await ann.ask({ type: "list" });

  stage.step("Broadcast: everybody else hears it");
  await ann.ask({ type: "broadcast", content: "Ahoy from the demo" });
  await Promise.all([bob.hears("broadcast"), eve.hears("broadcast")]);
  stage.step("Direct: one hears it");
  await bob.ask({ type: "direct", to: annName, content: "Hello Ann" });
  await ann.hears("direct");

  stage.step("Rooms: those in them hear it");
  await ann.ask({ type: "join", room });
  await bob.ask({ type: "join", room });
  await ann.ask({ type: "room_message", room, content: "Moored" });
  await bob.hears("room_message");
  await eve.ask({ type: "room_message", room, content: "Me too" });
  await bob.ask({ type: "leave", room });

  stage.step("Stats: the hub's figures");
  await ann.ask({ type: "get_stats" });
  stage.step("Custom: other types go to handlers that a program registers");
  await ann.ask({ type: "weather", port: "Genova" });

  stage.step("Malformed JSON: refused, and the connection goes on");
  await showMalformed(options, stage);
  stage.step("An impossible length: refused, and the connection ends");
  await showImpossible(options, stage);
  output.print("\nThat is all of it; try it yourself: deno task connect");
}

/** Where the demonstration is printed. */
class Stage {
  readonly #output: Output;
  #step = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  step(title: string): void {
    const { style } = this.#output;
    this.#step++;
    const gap = this.#step === 1 ? "" : "\n";
    this.#output.print(gap + style.bold(`${this.#step}. ${title}`));
  }

  sent(client: string, message: unknown): void {
    this.#line(client, "sent", message);
  }

  received(client: string, message: unknown): void {
    this.#line(client, "received", message);
  }

  #line(
    client: string,
    direction: "sent" | "received",
    message: unknown,
  ): void {
    const { style, unicode } = this.#output;
    const arrow = direction === "sent"
      ? style.cyan(unicode ? "→" : "->")
      : style.green(unicode ? "←" : "<-");
    this.#output.print(`   ${client} ${arrow} ${inline(message)}`, {
      type: "demo",
      step: this.#step,
      client,
      direction,
      message,
    });
  }
}

/** A client whose messages are shown. */
class Actor implements AsyncDisposable {
  readonly #name: string;
  readonly #stage: Stage;
  readonly #session: HubSession;
  readonly #heard = new Map<string, PromiseWithResolvers<void>>();

  private constructor(name: string, stage: Stage, session: HubSession) {
    this.#name = name;
    this.#stage = stage;
    this.#session = session;
  }

  static async open(
    name: string,
    options: SessionOptions,
    stage: Stage,
  ): Promise<Actor> {
    const session = await HubSession.open({
      ...options,
      message: (message) => actor.#hear(message),
    });
    const actor: Actor = new Actor(name, stage, session);
    return actor;
  }

  /** Sends a request and shows the answer, also if it is a refusal. */
  async ask(message: ToHub): Promise<void> {
    this.#stage.sent(this.#name, message);
    try {
      const answer = await this.#session.askAny(message, {
        timeoutMs: TIMEOUT_MS,
      });
      this.#stage.received(this.#name, answer);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      const { code, message } = error;
      this.#stage.received(this.#name, { type: "error", code, message });
    }
  }

  /** Waits until a message of `type` was heard. */
  async hears(type: string): Promise<void> {
    const timer = setTimeout(
      () => this.#heardOf(type).reject(new Error(`Cannot hear ${type}: time`)),
      TIMEOUT_MS,
    );
    await this.#heardOf(type).promise.finally(() => clearTimeout(timer));
    this.#heard.delete(type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }

  #hear(message: FromHub): void {
    this.#stage.received(this.#name, message);
    this.#heardOf(message.type).resolve();
  }

  #heardOf(type: string): PromiseWithResolvers<void> {
    const known = this.#heard.get(type) ?? Promise.withResolvers<void>();
    this.#heard.set(type, known);
    return known;
  }
}

async function showMalformed(
  { message: _message, ...options }: SessionOptions,
  stage: Stage,
): Promise<void> {
  await using client = await connect<string>({
    ...options,
    wire: lengthPrefixed(text()),
  });
  for (const frame of ['{"type":"ping"', '{"type":"ping"}']) {
    stage.sent("fay", frame);
    client.send(frame);
    stage.received("fay", JSON.parse(await client.receive() ?? "null"));
  }
}

async function showImpossible(
  { message: _message, ...options }: SessionOptions,
  stage: Stage,
): Promise<void> {
  const header = new Uint8Array([0xff, 0xff, 0xff, 0xff]);
  await using client = await connect({ ...options, wire: raw(bytes()) });
  stage.sent("gus", "(the bytes ff ff ff ff, a length of 4 GiB)");
  client.send(header);
  const received: number[] = [];
  for await (const chunk of client) received.push(...chunk);
  const [codec, frame] = [json(), new Uint8Array(received).subarray(4)];
  if (frame.length > 0) stage.received("gus", codec.decode(frame));
  stage.received(
    "gus",
    `(the connection ended: ${(await client.closed).cause})`,
  );
}
