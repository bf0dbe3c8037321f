import { assertEquals } from "@std/assert";
import { type Key, KeyParser } from "../../../src/cli/key_parser.ts";

const encoder = new TextEncoder();

/** Names of keys; text as it is, pastes in angle brackets. */
function describe(keys: readonly Key[]): string[] {
  const names: string[] = [];
  let afterText = false;
  for (const { name, text } of keys) {
    if (name === "text" && afterText) names.push(names.pop() + text);
    else if (name === "text") names.push(text);
    else names.push(name === "paste" ? `<${text}>` : name);
    afterText = name === "text";
  }
  return names;
}

/** The keys of `input`, read whole and byte by byte, which must agree. */
function keysOf(input: string): string[] {
  const bytes = encoder.encode(input);
  const whole = describe(new KeyParser().feed(bytes));
  const parser = new KeyParser();
  const single = Array.from(bytes, (byte) => parser.feed(Uint8Array.of(byte)));
  assertEquals(describe(single.flat()), whole, "byte by byte");
  return whole;
}

Deno.test("KeyParser.feed() reads text of all lengths of UTF-8", () => {
  assertEquals(keysOf("aé港🚢"), ["aé港🚢"]);
});

Deno.test("KeyParser.feed() reads control keys", () => {
  assertEquals(
    keysOf("a\r\n\x7f\x08\t\x01\x1a"),
    [
      ...["a", "enter", "backspace", "backspace"],
      ...["tab", "ctrl-a", "ctrl-z"],
    ].filter((name, index) => index !== -1 && name !== ""),
  );
});

Deno.test("KeyParser.feed() reads the arrows of every terminal", () => {
  assertEquals(keysOf("\x1b[A\x1bOA"), ["up", "up"]);
  assertEquals(keysOf("\x1b[B\x1b[C\x1b[D"), ["down", "right", "left"]);
  assertEquals(keysOf("\x1b[H\x1bOH\x1b[1~\x1b[7~"), Array(4).fill("home"));
  assertEquals(keysOf("\x1b[F\x1bOF\x1b[4~\x1b[8~"), Array(4).fill("end"));
  assertEquals(keysOf("\x1b[3~\x1b[5~\x1b[6~"), [
    "delete",
    "page-up",
    "page-down",
  ]);
  assertEquals(keysOf("\x1b[Z"), ["shift-tab"]);
});

Deno.test("KeyParser.feed() reads modifiers", () => {
  assertEquals(keysOf("\x1b[1;5C"), ["ctrl-right"]);
  assertEquals(keysOf("\x1b[1;3D"), ["alt-left"]);
  assertEquals(keysOf("\x1b[1;8A"), ["ctrl-alt-shift-up"]);
  assertEquals(keysOf("\x1b[3;5~"), ["ctrl-delete"]);
  assertEquals(keysOf("\x1bb\x1bF\x1b\x7f"), [
    "alt-b",
    "alt-f",
    "alt-backspace",
  ]);
});

Deno.test("KeyParser.feed() passes over what it does not know", () => {
  assertEquals(keysOf("a\x1b[15~b\x1bOPc\x1b[[Ad\x1b[200;1Re"), ["abcde"]);
  assertEquals(keysOf("\x1b]11;rgb:0000/0000/0000\x07x"), ["x"]);
  assertEquals(keysOf("\x1bP1$r0m\x1b\\x"), ["x"]);
});

Deno.test("KeyParser.feed() is not stuck by a broken sequence", () => {
  assertEquals(keysOf("\x1b[\x03"), ["ctrl-c"]);
  assertEquals(keysOf("\x1b]0;\x03"), ["0;", "ctrl-c"]);
  assertEquals(
    new KeyParser().feed(encoder.encode("\x1b[" + "1;".repeat(500)))
      .every((key) => key.name === "text"),
    true,
  );
});

Deno.test("KeyParser.feed() takes two escapes for the Escape key", () => {
  assertEquals(keysOf("\x1b\x1b[A"), ["escape", "up"]);
});

Deno.test("KeyParser.feed() reads a bracketed paste as one key", () => {
  assertEquals(keysOf("a\x1b[200~one\rtwo\n\x1b[201~b"), [
    "a",
    "<one\ntwo>",
    "b",
  ]);
  assertEquals(keysOf("\x1b[200~x\x1b[31my\x1b[201~"), ["<xy>"]);
  assertEquals(keysOf("\x1b[200~\x1b[201~b"), ["b"]);
});

Deno.test("KeyParser.feed() bounds a paste", () => {
  const parser = new KeyParser();
  const bytes = encoder.encode("\x1b[200~" + "x".repeat(3 << 20) + "\x1b[201~");
  const [paste] = parser.feed(bytes);
  assertEquals(paste?.text.length, 1 << 20);
  assertEquals(describe(parser.feed(encoder.encode("y"))), ["y"]);
});

Deno.test("KeyParser.feed() drops invisible characters that are typed", () => {
  assertEquals(keysOf("\u202ea\x9b"), ["a", "unknown"]);
});
