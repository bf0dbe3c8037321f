/**
 * Lines from a person at a terminal, from a pipe, or from `--eval`.
 *
 * @module
 */

import { type Ending, Terminal } from "../../../mod.ts";
import type { Chat } from "./chat.ts";
import { completeLine, hintFor, runLine } from "./lines.ts";
import { loadHistory, saveHistory } from "./history_file.ts";
import { inline } from "./render.ts";

/** Runs the lines that are typed, or that come from a pipe; returns the exit code. */
export async function converse(
  chat: Chat,
  signal: AbortSignal,
): Promise<number> {
  const { output, session } = chat;
  const history = await loadHistory();
  let running: AbortController | undefined;
  using terminal = new Terminal({
    output,
    history,
    prompt: promptOf(chat),
    signal: AbortSignal.any([signal, session.client.signal]),
    complete: (typed) => completeLine(chat, typed),
    hint(line) {
      if (line === "/to") void chat.meetEverybody();
      return hintFor(line);
    },
    interrupt() {
      running?.abort(new Error("Interrupted"));
      return running !== undefined;
    },
  });
  if (terminal.interactive) await greet(chat);
  let failed = false;
  for await (const line of terminal) {
    running = new AbortController();
    const result = await runLine(chat, line, { signal: running.signal });
    running = undefined;
    if (result === "exit") break;
    if (result === "failed") failed = true;
    terminal.setPrompt(promptOf(chat));
  }
  terminal.close();
  if (terminal.interactive) await saveHistory(terminal.history);
  assertAlive(chat);
  // Who types sees what failed and goes on; a script wants to know at the end.
  return failed && !terminal.interactive ? 1 : 0;
}

/** Runs lines one after another up to the first that fails; returns the exit code. */
export async function evaluate(
  chat: Chat,
  scripts: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  for (const line of scripts.flatMap(splitScript)) {
    const result = await runLine(chat, line, { signal });
    signal.throwIfAborted();
    assertAlive(chat);
    if (result === "failed") return 1;
    if (result === "exit") break;
  }
  return 0;
}

/** Lines end at line breaks, and at semicolons before a space or the end. */
export function splitScript(script: string): string[] {
  return script.split(/;(?:\s+|$)|\n/).map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Throws if the hub has ended the connection. */
export function assertAlive({ session }: Chat): void {
  const { endpoint, client: { ending } } = session;
  if (ending === undefined) return;
  throw new Error(
    `Cannot go on: the connection to ${endpoint} ended: ${reasonOf(ending)}`,
    { cause: ending.error },
  );
}

function reasonOf({ cause, reason }: Ending): string {
  return reason === undefined ? cause : `${cause} (${inline(reason)})`;
}

async function greet(chat: Chat): Promise<void> {
  const { output, session } = chat;
  const { bold, cyan, dim } = output.style;
  const id = await chat.ownId({});
  void chat.meetEverybody();
  output.print(
    `Connected to ${bold(session.endpoint)} as ${id}.\n` +
      dim("Type a line to say it to everybody; ") + cyan("/help") +
      dim(" lists the rest, Ctrl-D leaves."),
  );
}

function promptOf({ name, target, output: { style } }: Chat): string {
  const self = style.cyan(name ?? "you");
  if (target.kind === "everybody") return `${self}> `;
  const whom = target.kind === "room" ? `#${target.name}` : target.name;
  return `${self} to ${style.magenta(whom)}> `;
}
