/**
 * Bytes of a terminal in raw mode, read as keys.
 *
 * @module
 */

import { sanitize } from "./sanitize.ts";

/**
 * One key press. `name` is `"text"` for typed characters, `"paste"` for a
 * bracketed paste, or a key with its modifiers in the order ctrl, alt, shift:
 * `"enter"`, `"ctrl-a"`, `"alt-b"`, `"ctrl-left"`, `"shift-tab"`.
 */
export interface Key {
  /** Which key it is. */
  name: string;
  /** The characters of `"text"` and `"paste"`; empty for all others. */
  text: string;
}

const ESCAPE = "\x1b";
const BELL = "\x07";
const STRING_TERMINATOR = `${ESCAPE}\\`;
const PASTE_START = `${ESCAPE}[200~`;
const PASTE_END = `${ESCAPE}[201~`;
/** A terminal's own sequences are shorter; what is longer is noise. */
const MAX_SEQUENCE_LENGTH = 256;
const MAX_PASTE_LENGTH = 1 << 20;

/** CSI and SS3; the final byte is empty where the sequence is not complete. */
const CSI_REGEXP = /^.(?:O[0-9;]*|\[\[?[0-?]*[ -/]*)([@-Z\\-~]|$)/;

const CONTROL_NAMES: Record<string, string> = {
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\x08": "backspace",
  "\x7f": "backspace",
  "\x00": "ctrl-space",
};

/** Final bytes of CSI and SS3 sequences: xterm, VT220, Linux console. */
const FINAL_NAMES: Record<string, string> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  F: "end",
  H: "home",
  M: "enter",
  Z: "shift-tab",
};

/** First parameter of `CSI … ~` sequences: VT220, rxvt. */
const TILDE_NAMES: Record<string, string> = {
  1: "home",
  2: "insert",
  3: "delete",
  4: "end",
  5: "page-up",
  6: "page-down",
  7: "home",
  8: "end",
};

/**
 * Turns the bytes of a terminal into keys, in whatever pieces they come: UTF-8
 * characters, control keys, escape sequences, bracketed paste. A lone escape
 * waits for the byte after it, so no timer is needed.
 *
 * @example
 * ```ts
 * import { KeyParser } from "./key_parser.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const keys = new KeyParser().feed(new TextEncoder().encode("hi\x1b[1;5C\r"));
 * assertEquals(keys.map((key) => key.name), ["text", "ctrl-right", "enter"]);
 * ```
 */
export class KeyParser {
  readonly #decoder = new TextDecoder();
  #pending = "";
  #paste: string | undefined;
  #afterReturn = false;

  /** Reads `bytes`; what is incomplete waits for the next call. */
  feed(bytes: Uint8Array): Key[] {
    let input = this.#pending + this.#decoder.decode(bytes, { stream: true });
    this.#pending = "";
    const keys: Key[] = [];
    while (input !== "") {
      const length = this.#paste === undefined
        ? this.#readKey(input, keys)
        : this.#readPaste(input, keys);
      if (length === 0) {
        this.#pending = input;
        break;
      }
      input = input.slice(length);
    }
    return keys;
  }

  /** Reads one key off the front; 0 when more characters are needed. */
  #readKey(input: string, keys: Key[]): number {
    if (input[0] === ESCAPE) return this.#readEscape(input, keys);
    const name = controlName(input[0]!);
    if (name !== undefined) {
      const secondHalf = this.#afterReturn && input[0] === "\n";
      this.#afterReturn = input[0] === "\r";
      if (!secondHalf) keys.push({ name, text: "" });
      return 1;
    }
    this.#afterReturn = false;
    const length = input.search(/\p{Cc}/u);
    const raw = length === -1 ? input : input.slice(0, length);
    const text = sanitize(raw);
    if (text !== "") keys.push({ name: "text", text });
    return Math.max(1, raw.length);
  }

  #readEscape(input: string, keys: Key[]): number {
    const next = input[1];
    if (next === undefined) return 0;
    if (next === "[" || next === "O") return this.#readCsi(input, keys);
    if (next === "]" || next === "P" || next === "_") {
      return stringLength(input);
    }
    if (next === ESCAPE) {
      keys.push({ name: "escape", text: "" });
      return 1;
    }
    const character = String.fromCodePoint(input.codePointAt(1)!);
    const name = controlName(character) ?? character.toLowerCase();
    keys.push({ name: `alt-${name}`, text: "" });
    return 1 + character.length;
  }

  #readCsi(input: string, keys: Key[]): number {
    const match = CSI_REGEXP.exec(input);
    if (match === null) return 2;
    const [sequence, final] = match;
    if (final === "") return input.length > MAX_SEQUENCE_LENGTH ? 2 : 0;
    const [first = "", modifiers = ""] = sequence.slice(2, -1).split(";");
    if (sequence === PASTE_START) {
      this.#paste = "";
      return sequence.length;
    }
    const linuxFunctionKey = sequence.startsWith(`${ESCAPE}[[`);
    const name = final === "~" ? TILDE_NAMES[first] : FINAL_NAMES[final ?? ""];
    if (name !== undefined && !linuxFunctionKey) {
      keys.push({ name: withModifiers(name, Number(modifiers)), text: "" });
    }
    return sequence.length;
  }

  #readPaste(input: string, keys: Key[]): number {
    const end = input.indexOf(PASTE_END);
    // The end mark may be split: what could be its beginning waits.
    const escape = input.indexOf(ESCAPE, Math.max(0, input.length - 5));
    const stop = end !== -1 ? end : escape === -1 ? input.length : escape;
    const room = MAX_PASTE_LENGTH - this.#paste!.length;
    this.#paste += input.slice(0, Math.min(stop, room));
    if (end === -1) return stop;
    const text = pasted(this.#paste!);
    if (text !== "") keys.push({ name: "paste", text });
    this.#paste = undefined;
    return end + PASTE_END.length;
  }
}

function controlName(character: string): string | undefined {
  const known = CONTROL_NAMES[character];
  if (known !== undefined) return known;
  const code = character.charCodeAt(0);
  if (code < 0x1b) return `ctrl-${String.fromCharCode(code + 0x60)}`;
  if (code < 0x20) return `ctrl-${String.fromCharCode(code + 0x40)}`;
  return code >= 0x80 && code < 0xa0 ? "unknown" : undefined;
}

/** Source: xterm's control sequences, "PC-Style Function Keys". */
function withModifiers(name: string, parameter: number): string {
  const bits = Math.max(0, (parameter || 1) - 1);
  return (bits & 4 ? "ctrl-" : "") + (bits & 2 ? "alt-" : "") +
    (bits & 1 ? "shift-" : "") + name;
}

/** Length of an OSC, DCS or APC answer; 0 while its end is missing. */
function stringLength(input: string): number {
  const end = input.slice(2).search(/\p{Cc}/u) + 2;
  const incomplete = end === 1 || input.slice(end) === ESCAPE;
  if (incomplete) return input.length > MAX_SEQUENCE_LENGTH ? 2 : 0;
  if (input[end] === BELL) return end + 1;
  return input.startsWith(STRING_TERMINATOR, end) ? end + 2 : 2;
}

/** Line breaks of a paste are kept, but for those at its end. */
function pasted(text: string): string {
  return sanitize(text, { lineBreak: "\n" }).replace(/\n+$/, "");
}
