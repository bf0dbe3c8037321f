import { assertEquals, assertMatch } from "@std/assert";
import {
  collisionKey,
  MAX_PATH_BYTES,
  pathFault,
} from "../../../../src/proto/transfer/path.ts";

const TAKEN = [
  "a",
  "a/b/c",
  "...",
  "..a/b..",
  "~root/$HOME/`id`/-rf",
  "C:x",
  "con",
  "ünïcödé/日本語/🎈",
  " leading and trailing ",
  "portolan",
  ".portolan2",
  "x".repeat(255),
  "é".repeat(127),
];

Deno.test("pathFault() takes names of any Unicode", () => {
  for (const path of TAKEN) assertEquals(pathFault(path), undefined, path);
});

const REFUSED: [string, RegExp][] = [
  ["", /empty/],
  ["/", /absolute/],
  ["/etc/passwd", /absolute/],
  ["//host/share", /absolute/],
  ["..", /"\.\."/],
  ["../x", /"\.\."/],
  ["a/../../x", /"\.\."/],
  ["a/..", /"\.\."/],
  [".", /"\."/],
  ["./a", /"\."/],
  ["a/./b", /"\."/],
  ["a//b", /empty name/],
  ["a/", /empty name/],
  ["a\0b", /control/],
  ["a\nb", /control/],
  ["\x1b[2J", /control/],
  ["a\u009bb", /control/],
  ["a\x7f", /control/],
  ["..\\..\\x", /backslash/],
  ["C:\\x", /backslash/],
  ["a\ud800b", /Unicode/],
  [".portolan", /reserved/],
  [".portolan/journal", /reserved/],
  ["a/.portolan", /reserved/],
  [".PORTOLAN/tmp/x", /reserved/],
  [".port\u200bolan", /reserved/],
  ["\uff0eportolan", /reserved/],
  ["x".repeat(256), /name longer than 255/],
  ["é".repeat(128), /name longer than 255/],
  ["a/".repeat(MAX_PATH_BYTES / 2) + "b", /longer than 4000/],
];

Deno.test("pathFault() refuses every way out, and what is reserved", () => {
  for (const [path, fault] of REFUSED) {
    assertMatch(pathFault(path) ?? `${path} is taken`, fault);
  }
});

Deno.test("collisionKey() is the same for names that file systems fold", () => {
  const pairs = [
    ["README", "readme"],
    ["\u00e4", "a\u0308"],
    ["Straße", "STRASSE"],
    ["\ufb01x", "FIX"],
    ["\u212a", "k"],
    ["Ω", "ω"],
  ] as const;
  for (const [a, b] of pairs) assertEquals(collisionKey(a), collisionKey(b));
});
