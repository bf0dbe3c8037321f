/**
 * Secrets that a person types, or a program pipes in.
 *
 * @module
 */

/** The most bytes that are read. */
const MAX_BYTES = 65_536;
const CTRL_C = "\x03";
const CTRL_D = "\x04";
const CTRL_U = "\x15";

/** Options of {@linkcode readSecret}. */
export interface ReadSecretOptions {
  /** Where the bytes come from. @default {Deno.stdin} */
  input?: Pick<typeof Deno.stdin, "read" | "isTerminal" | "setRaw">;
  /** Shows the prompt. @default {Deno.stderr} */
  write?: (text: string) => void;
}

/**
 * Reads a line of the standard input; at a terminal it asks, and shows nothing of what is typed.
 *
 * @throws {Error} If nothing is entered, or Ctrl-C or Ctrl-D is typed.
 *
 * @example
 * ```ts
 * import { readSecret } from "./read_secret.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const input = {
 *   read: (buffer: Uint8Array) => {
 *     buffer.set(new TextEncoder().encode("mellon\n"));
 *     return Promise.resolve(7);
 *   },
 *   isTerminal: () => false,
 *   setRaw: () => {},
 * };
 * assertEquals(await readSecret("Password: ", { input }), "mellon");
 * ```
 */
export async function readSecret(
  prompt: string,
  options: ReadSecretOptions = {},
): Promise<string> {
  const input = options.input ?? Deno.stdin;
  const write = options.write ??
    ((text) => Deno.stderr.writeSync(new TextEncoder().encode(text)));
  const interactive = input.isTerminal();
  if (!interactive) return required(await readLine(input));
  write(prompt);
  input.setRaw(true);
  try {
    return required(await readKeys(input));
  } finally {
    input.setRaw(false);
    write("\r\n");
  }
}

function required(text: string): string {
  if (text === "") throw new Error("Cannot read a secret: nothing was entered");
  return text;
}

async function* chunks(
  input: Pick<typeof Deno.stdin, "read">,
): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const buffer = new Uint8Array(1024);
  for (let left = MAX_BYTES; left > 0;) {
    const count = await input.read(buffer);
    if (count === null) return;
    left -= count;
    try {
      yield decoder.decode(buffer.subarray(0, count), { stream: true });
    } catch {
      throw new Error("Cannot read a secret: it must be UTF-8");
    }
  }
  throw new Error(
    `Cannot read a secret: it must have ${MAX_BYTES} bytes at most`,
  );
}

async function readLine(
  input: Pick<typeof Deno.stdin, "read">,
): Promise<string> {
  let text = "";
  for await (const chunk of chunks(input)) {
    text += chunk;
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end).replace(/\r$/, "");
  }
  return text;
}

async function readKeys(
  input: Pick<typeof Deno.stdin, "read">,
): Promise<string> {
  let typed: string[] = [];
  for await (const chunk of chunks(input)) {
    for (const key of chunk) {
      if (key === "\r" || key === "\n") return typed.join("");
      if (key === CTRL_C || key === CTRL_D) return "";
      if (key === "\x7f" || key === "\b") typed.pop();
      else if (key === CTRL_U) typed = [];
      else if (key >= " ") typed.push(key);
    }
  }
  return typed.join("");
}
