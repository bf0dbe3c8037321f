/**
 * Lines that are typed to the hub's client: run, completed and hinted at.
 *
 * @module
 */

import { closestMatch, type Completion, describeError } from "../../../mod.ts";
import type { Chat } from "./chat.ts";
import { type Command, COMMANDS, firstWord, LineError } from "./commands.ts";
import { renderRefusal } from "./render.ts";
import { type AskOptions, RefusedError } from "./session.ts";

const NAMES = Object.keys(COMMANDS).map((name) => `/${name}`);

/** What became of a line. */
export type LineResult = "done" | "failed" | "exit";

/** Runs a line: a command, or something to say. Failures are printed. */
export async function runLine(
  chat: Chat,
  line: string,
  options: AskOptions = {},
): Promise<LineResult> {
  try {
    if (line.trim() === "") return "done";
    if (!line.startsWith("/") || line.startsWith("//")) {
      await chat.say(line.replace(/^\/\//, "/"), options);
      return "done";
    }
    const [name, rest] = firstWord(line);
    const command = commandOf(name);
    if (command === COMMANDS["exit"]) return "exit";
    await command.run(chat, rest, options);
    return "done";
  } catch (error) {
    const { output } = chat;
    if (error instanceof RefusedError) {
      const { code, message } = error;
      const text = renderRefusal(code, message);
      output.print(output.style.red(text), { type: "error", code, message });
    } else {
      output.error(describeError(error));
    }
    return "failed";
  }
}

/** What may stand at the cursor, given the text left of it. */
export function completeLine(chat: Chat, typed: string): Completion {
  const space = typed.indexOf(" ");
  if (!typed.startsWith("/")) return { from: 0, candidates: [] };
  if (space === -1) {
    const names = NAMES.filter((name) => name.startsWith(typed));
    return { from: 0, candidates: names.map((name) => `${name} `) };
  }
  const command = COMMANDS[typed.slice(1, space)];
  const begun = typed.slice(space + 1).toLowerCase();
  const candidates = [...command?.candidates?.(chat) ?? []].map(quote)
    .filter((name) => name.toLowerCase().startsWith(begun));
  return { from: space + 1, candidates: candidates.map((name) => `${name} `) };
}

/** What may follow a command that is being typed. */
export function hintFor(line: string): string {
  const [, name = "", space = ""] = /^\/(\w+)( ?)$/.exec(line) ?? [];
  const usage = COMMANDS[name]?.usage ?? "";
  return usage === "" || space !== "" ? usage : ` ${usage}`;
}

function commandOf(name: string): Command {
  const command = Object.hasOwn(COMMANDS, name.slice(1))
    ? COMMANDS[name.slice(1)]
    : undefined;
  if (command !== undefined) return command;
  const near = closestMatch(name, NAMES);
  throw new LineError(
    near === undefined
      ? `There is no command ${name}: see /help`
      : `There is no command ${name}: did you mean ${near}?`,
  );
}

function quote(name: string): string {
  return name.includes(" ") ? `"${name}"` : name;
}
