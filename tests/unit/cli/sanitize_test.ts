import { assert, assertEquals } from "@std/assert";
import { sanitize } from "../../../src/cli/sanitize.ts";
import { checkProperty, fc } from "../../support/property.ts";

Deno.test("sanitize() removes whole escape sequences", () => {
  const harmful: Record<string, string> = {
    "clear screen": "\x1b[2J",
    "colour": "\x1b[1;31m",
    "private mode": "\x1b[?1049h",
    "cursor position query": "\x1b[6n",
    "window title": "\x1b]0;owned\x07",
    "window title ended by ST": "\x1b]2;owned\x1b\\",
    "hyperlink": "\x1b]8;;http://evil.example\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "device control string": '\x1bP$q"p\x1b\\',
    "application command": "\x1b_payload\x1b\\",
    "privacy message": "\x1b^payload\x1b\\",
    "start of string": "\x1bXpayload\x1b\\",
    "character set": "\x1b(0",
    "full reset": "\x1bc",
    "C1 CSI": "\x9b2J",
    "C1 OSC": "\x9d0;owned\x9c",
    "C1 DCS": "\x90payload\x9c",
  };
  for (const [what, sequence] of Object.entries(harmful)) {
    assertEquals(sanitize(`a${sequence}b`), "ab", what);
  }
});

Deno.test("sanitize() removes a sequence without an end", () => {
  assertEquals(sanitize("a\x1b"), "a");
  assertEquals(sanitize("a\x1b["), "a");
  assertEquals(sanitize("a\x1b[12;"), "a");
  assertEquals(sanitize("a\x1b]0;title"), "a");
});

Deno.test("sanitize() leaves no sequence made from the rest of another", () => {
  assertEquals(sanitize("\x1b\x1b[2J[2J"), "[2J");
  assertEquals(sanitize("\x1b[\x1b[2J2J"), "2J");
  assertEquals(sanitize("\x1b]0;a\x1b[2Jb\x07"), "b");
});

Deno.test("sanitize() removes control characters and bidi overrides", () => {
  assertEquals(sanitize("a\0b\x07c\x08d\x7fe\x85f"), "abcde f");
  assertEquals(sanitize("\u202eevil\u202c \u2066x\u2069 \u200fy"), "evil x y");
  assertEquals(sanitize("pass\u200bword\ufeff"), "password");
});

Deno.test("sanitize() keeps letters of all scripts and joined emoji", () => {
  const text = "Hafen, порт, ميناء, 港, नौका, 👨‍👩‍👧, می‌خواهم";
  assertEquals(sanitize(text), text);
});

Deno.test("sanitize() puts line breaks as it is told", () => {
  const text = "a\r\nb\nc\rd\u2028e\tf";
  assertEquals(sanitize(text), "a b c d e f");
  assertEquals(sanitize(text, { lineBreak: "\n" }), "a\nb\nc\nd\ne f");
  assertEquals(sanitize("a\nb", { lineBreak: "" }), "ab");
});

Deno.test("sanitize() replaces lone surrogates", () => {
  assertEquals(sanitize("a\ud800b"), "a\ufffdb");
});

Deno.test("sanitize() of any text has nothing that a terminal obeys", () => {
  const hostile = fc.string({
    unit: fc.oneof(
      fc.constantFrom(..."\x1b\x9b\x9d\x07[]P\\;?012JmKh\r\n\t\u202e\u2066"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    ),
    maxLength: 40,
  });
  checkProperty(hostile, (text) => {
    const clean = sanitize(text);
    assert(!/[\p{Cc}\p{Bidi_Control}]/u.test(clean), JSON.stringify(clean));
    assertEquals(sanitize(clean), clean);
  }, 2000);
});

Deno.test("sanitize() is linear in a long hostile text", () => {
  const text = "\x1b]0;\x1b[".repeat(200_000);
  const start = performance.now();
  assertEquals(sanitize(text), "");
  assert(performance.now() - start < 2000);
});
