/**
 * The commands of the hub's client: what can be typed after a slash.
 *
 * @module
 */

import { drawTable, formatDuration } from "../../../mod.ts";
import type { CustomMessage } from "../messages.ts";
import type { Chat, Target } from "./chat.ts";
import { content, inline, renderClients, renderStats } from "./render.ts";
import type { AskOptions } from "./session.ts";

/** A line that cannot be run; the message says what would do. */
export class LineError extends Error {
  override readonly name = "LineError";
}

/** A command. */
export interface Command {
  /** What follows the name. */
  usage: string;
  /** What it does, in a few words. */
  help: string;
  /** Runs it with what follows the name. */
  run(chat: Chat, rest: string, options: AskOptions): Promise<void> | void;
  /** What may stand where the argument begins. */
  candidates?(chat: Chat): Iterable<string>;
}

const MAX_WAIT_SECONDS = 1_000_000;

/** The commands by their names, without the slash. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  ping: {
    usage: "",
    help: "Measure the way to the hub and back",
    async run({ session, output }, _rest, options) {
      const sent = performance.now();
      const timestamp = new Date().toISOString();
      const pong = await session.ask<"ping">(
        { type: "ping", timestamp },
        options,
      );
      const time = formatDuration(performance.now() - sent);
      const id = inline(pong.client_id);
      output.print(`pong after ${time}, the hub sees you as ${id}`, pong);
    },
  },
  echo: {
    usage: "TEXT",
    help: "Have a text sent back",
    async run({ session, output }, rest, options) {
      const sent = performance.now();
      const request = { type: "echo", content: need("echo", rest) } as const;
      const echo = await session.ask<"echo">(request, options);
      const time = formatDuration(performance.now() - sent);
      output.print(`echo after ${time}: ${content(echo.content)}`, echo);
    },
  },
  broadcast: {
    usage: "TEXT",
    help: "Say something to everybody, as a line without / does",
    async run(chat, rest, options) {
      const text = need("broadcast", rest);
      await chat.sayTo({ kind: "everybody" }, text, options);
    },
  },
  to: {
    usage: "[NAME|#ROOM] [TEXT]",
    help: "Say something to one or a room; no TEXT: from now on",
    async run(chat, rest, options) {
      const [who, text] = firstWord(rest);
      const target = targetOf(who);
      if (text !== "") return await chat.sayTo(target, text, options);
      chat.target = target;
      const whom = who === "" ? "everybody" : who;
      chat.output.print(`What you type is for ${whom} from here on`);
    },
    *candidates({ people, rooms }) {
      for (const room of rooms) yield `#${room}`;
      yield* people;
    },
  },
  name: {
    usage: "NAME",
    help: "Take a name that nobody else has",
    async run(chat, rest, options) {
      const name = need("name", rest);
      const request = { type: "identify", name } as const;
      const answer = await chat.session.ask<"identify">(request, options);
      chat.name = inline(answer.name);
      chat.people.delete(chat.name);
      chat.output.print(`You are ${chat.name}`, answer);
    },
  },
  list: {
    usage: "",
    help: "See who is connected",
    async run(chat, _rest, options) {
      const id = await chat.ownId(options);
      const list = await chat.session.ask<"list">({ type: "list" }, options);
      for (const { name } of list.clients) chat.meet(name);
      chat.output.print(renderClients(list, id, chat.output), list);
    },
  },
  join: {
    usage: "ROOM",
    help: "Enter a room; it is made when it is not there",
    async run({ session, output, rooms }, rest, options) {
      const room = roomOf(need("join", rest));
      const joined = await session.ask<"join">({ type: "join", room }, options);
      rooms.add(room);
      const members = inline(joined.members);
      output.print(
        `You are in #${room}, members: ${members}; talk there with /to #${room}`,
        joined,
      );
    },
  },
  leave: {
    usage: "ROOM",
    help: "Leave a room",
    async run(chat, rest, options) {
      const room = roomOf(need("leave", rest));
      const request = { type: "leave", room } as const;
      const left = await chat.session.ask<"leave">(request, options);
      chat.rooms.delete(room);
      const { target } = chat;
      if (target.kind === "room" && target.name === room) {
        chat.target = { kind: "everybody" };
      }
      chat.output.print(`You left #${room}`, left);
    },
    candidates: ({ rooms }) => rooms,
  },
  stats: {
    usage: "",
    help: "See the hub's figures",
    async run({ session, output }, _rest, options) {
      const stats = await session.ask<"get_stats">(
        { type: "get_stats" },
        options,
      );
      output.print(renderStats(stats, output), stats);
    },
  },
  custom: {
    usage: "TYPE [JSON]",
    help: "Send a message of any type, with any fields",
    async run({ session, output }, rest, options) {
      const message = parseCustom(need("custom", rest));
      const answer = await session.askAny(message, options);
      output.print(inline(answer), answer);
    },
  },
  wait: {
    usage: "[SECONDS]",
    help: "Listen for so long, or until there is news; for scripts",
    async run(chat, rest, { signal }) {
      const seconds = rest === "" ? MAX_WAIT_SECONDS : Number(rest);
      if (!(seconds >= 0 && seconds <= MAX_WAIT_SECONDS)) {
        throw new LineError(`Use: /wait SECONDS: "${rest}" is no number`);
      }
      const news = rest === "" ? chat.news() : undefined;
      const { signal: ended } = chat.session.client;
      await pause(seconds * 1000, news, [ended, signal]);
      signal?.throwIfAborted();
    },
  },
  help: {
    usage: "",
    help: "See this list",
    run({ output }) {
      const { style } = output;
      const rows = Object.entries(COMMANDS).map(([name, { usage, help }]) => [
        `${style.cyan(`/${name}`)} ${usage}`.trimEnd(),
        help,
      ]);
      output.print(drawTable(rows, output));
    },
  },
  exit: {
    usage: "",
    help: "Leave; so do Ctrl-D, and Ctrl-C on an empty line",
    run() {},
  },
};

/** The first word, or what is between quotes, and the rest. */
export function firstWord(line: string): [word: string, rest: string] {
  const match = /^\s*(?:"([^"]*)"|(\S*))\s*([^]*)$/.exec(line);
  return [match?.[1] ?? match?.[2] ?? "", match?.[3] ?? ""];
}

function targetOf(who: string): Target {
  if (who === "") return { kind: "everybody" };
  return who.startsWith("#")
    ? { kind: "room", name: who.slice(1) }
    : { kind: "person", name: who };
}

function roomOf(text: string): string {
  return text.trim().replace(/^#/, "");
}

function need(name: string, rest: string): string {
  if (rest !== "") return rest;
  throw new LineError(`Use: /${name} ${COMMANDS[name]?.usage}`);
}

function parseCustom(text: string): CustomMessage {
  const [type, fields] = text.startsWith("{") ? ["", text] : firstWord(text);
  let message: unknown;
  try {
    message = fields === "" ? {} : JSON.parse(fields);
  } catch (cause) {
    throw new LineError(`Cannot read the fields as JSON: ${inline(fields)}`, {
      cause,
    });
  }
  if (typeof message !== "object" || message === null) {
    throw new LineError(`Use: /custom ${COMMANDS["custom"]?.usage}`);
  }
  const named = { ...message, ...(type === "" ? {} : { type }) };
  if ("type" in named && typeof named.type === "string") {
    return { ...named, type: named.type };
  }
  throw new LineError("Cannot send a message without a type");
}

/** Waits for some time, for something, or until one of the signals. */
async function pause(
  ms: number,
  event: Promise<void> | undefined,
  signals: readonly (AbortSignal | undefined)[],
): Promise<void> {
  const end = Promise.withResolvers<void>();
  const any = AbortSignal.any(signals.filter((signal) => signal !== undefined));
  any.addEventListener("abort", () => end.resolve(), { once: true });
  if (any.aborted) end.resolve();
  const timer = setTimeout(() => end.resolve(), ms);
  await Promise.race([end.promise, event ?? end.promise]);
  clearTimeout(timer);
}
