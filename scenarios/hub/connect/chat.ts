/**
 * A conversation at a hub: who one is, whom one talks to, what is heard.
 *
 * @module
 */

import type { ClientStatus, Output } from "../../../mod.ts";
import type { FromHub, ToHub } from "../messages.ts";
import { inline, others, renderIncoming } from "./render.ts";
import {
  type AskOptions,
  HubSession,
  RefusedError,
  type SessionOptions,
} from "./session.ts";

/** Whom lines without a slash are for. */
export type Target =
  | { kind: "everybody" }
  | { kind: "person"; name: string }
  | { kind: "room"; name: string };

/** Names remembered for completion. */
const MAX_PEOPLE = 1000;

/** Hubs cut off who is silent; a ping this often says that one listens. */
const HEARTBEAT_MS = 20_000;

/** A conversation. */
export class Chat implements AsyncDisposable {
  /** The connection. */
  readonly session: HubSession;
  /** Where it is shown. */
  readonly output: Output;
  /** Rooms that this client is in. */
  readonly rooms = new Set<string>();
  /** Names that were heard of. */
  readonly people = new Set<string>();
  /** The name of this client, if it has one. */
  name: string | undefined;
  /** Whom lines without a slash are for. */
  target: Target = { kind: "everybody" };

  #id: string | undefined;
  #news = Promise.withResolvers<void>();
  readonly #heartbeat: ReturnType<typeof setInterval> | undefined;

  private constructor(session: HubSession, output: Output, stay: boolean) {
    this.session = session;
    this.output = output;
    // A session that stays has a heartbeat of its own.
    if (stay) return;
    this.#heartbeat = setInterval(() => {
      // What ended the connection is told by whoever uses it.
      session.ask<"ping">({ type: "ping" }).catch(() => {});
    }, HEARTBEAT_MS);
  }

  /** Connects to a hub and shows what comes from it; with `stay`, again when the connection is lost. */
  static async open(
    options: Omit<SessionOptions, "message" | "stay">,
    output: Output,
    stay = false,
  ): Promise<Chat> {
    // What comes while the first connection is made has nobody to be shown to.
    let chat: Chat | undefined = undefined;
    const session = await HubSession.open({
      ...options,
      message(message) {
        if (chat !== undefined) chat.#hear(message);
      },
      ...(stay
        ? {
          stay: {
            async restore(ask) {
              if (chat !== undefined) await chat.#restore(ask);
            },
            status(status) {
              if (chat !== undefined) chat.#tellStatus(status);
            },
          },
        }
        : {}),
    });
    chat = new Chat(session, output, stay);
    const { login } = options;
    if (login !== undefined && "user" in login) {
      await chat.#callLike(login.user);
    }
    return chat;
  }

  /** Takes the name of the account, unless another of its clients has it. */
  async #callLike(user: string): Promise<void> {
    try {
      const { name } = await this.session.ask<"identify">({
        type: "identify",
        name: user,
      });
      this.name = name;
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      this.output.error(inline(error.message));
    }
  }

  /** Takes name and rooms again on a new connection. */
  async #restore(ask: (request: ToHub) => Promise<FromHub>): Promise<void> {
    this.#id = undefined;
    const { name } = this;
    if (name !== undefined) {
      const answer = await ask({ type: "identify", name });
      if (answer.type === "error") {
        this.name = undefined;
        this.#notice(`the name ${name} is not ours any more`, answer);
      }
    }
    for (const room of this.rooms) await ask({ type: "join", room });
  }

  #tellStatus(status: ClientStatus): void {
    if (status.type === "reconnecting" && status.attempt === 1) {
      const seconds = (status.delayMs / 1000).toFixed(1);
      this.#notice(`connection lost; trying again in ${seconds} s`, status);
    } else if (status.type === "connected") {
      this.#notice(`connected again to ${status.server}`, status);
    }
  }

  #notice(text: string, record: object): void {
    this.output.print(this.output.style.dim(text), record);
  }

  /** Says something to whom one talks to; resolves when the hub has it. */
  async say(content: string, options: AskOptions): Promise<void> {
    await this.sayTo(this.target, content, options);
  }

  /** Says something to everybody, somebody or a room. */
  async sayTo(
    target: Target,
    content: string,
    options: AskOptions,
  ): Promise<void> {
    const { session } = this;
    if (target.kind === "person") {
      const request = { type: "direct", to: target.name, content } as const;
      const sent = await session.ask<"direct">(request, options);
      this.#confirm(`sent to ${target.name}`, sent);
    } else if (target.kind === "room") {
      const sent = await session.ask<"room_message">({
        type: "room_message",
        room: target.name,
        content,
      }, options);
      const heard = `sent to ${others(sent.recipients)} in #${target.name}`;
      this.#confirm(heard, sent);
    } else {
      const request = { type: "broadcast", content } as const;
      const sent = await session.ask<"broadcast">(request, options);
      this.#confirm(`sent to ${others(sent.recipients)}`, sent);
    }
  }

  /** What the hub calls this client; asked once. */
  async ownId(options: AskOptions): Promise<string> {
    const request = { type: "ping" } as const;
    this.#id ??= inline(
      (await this.session.ask<"ping">(request, options)).client_id,
    );
    return this.#id;
  }

  /** Remembers somebody for completion. */
  meet(name: unknown): void {
    if (typeof name !== "string" || this.people.size >= MAX_PEOPLE) return;
    if (name !== this.name) this.people.add(name);
  }

  /** Resolves when something was heard since the last time. */
  async news(): Promise<void> {
    await this.#news.promise;
    this.#news = Promise.withResolvers();
  }

  /** Learns who is there, for completion; a failure changes nothing. */
  async meetEverybody(): Promise<void> {
    try {
      const list = await this.session.ask<"list">({ type: "list" });
      for (const { name } of list.clients) this.meet(name);
    } catch {
      // Names can be typed without help.
    }
  }

  /** Ends the conversation. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.session[Symbol.asyncDispose]();
  }

  #hear(message: FromHub): void {
    if ("from" in message) this.meet(message.from);
    this.#news.resolve();
    const { output } = this;
    output.print(
      this.#clock() + renderIncoming(message, output.style),
      message,
    );
  }

  #confirm(text: string, answer: FromHub): void {
    this.output.print(this.output.style.dim(text), answer);
  }

  /** The time of day, for a person; programs find it in the message. */
  #clock(): string {
    const { output } = this;
    if (!output.terminal) return "";
    return output.style.dim(new Date().toTimeString().slice(0, 5)) + " ";
  }
}
