import { assertEquals } from "@std/assert";
import {
  content,
  inline,
  others,
  renderIncoming,
  renderRefusal,
} from "../../../../../scenarios/hub/connect/render.ts";
import type { FromHub } from "../../../../../scenarios/hub/messages.ts";
import type { Style } from "../../../../../mod.ts";

const same = (text: string): string => text;
const plain: Style = {
  bold: same,
  dim: same,
  red: same,
  green: same,
  yellow: same,
  blue: same,
  magenta: same,
  cyan: same,
};
const timestamp = "2024-01-01T12:00:00.000Z";

Deno.test("renderIncoming() makes what strangers wrote harmless", () => {
  const evil = "\x1b]0;t\x07\x1b[2Ja\u202e\x9bKb";
  const messages: FromHub[] = [
    { type: "broadcast", content: evil, from: evil, timestamp },
    { type: "direct", content: evil, from: evil, timestamp },
    { type: "room_message", room: evil, content: evil, from: evil, timestamp },
    { type: "error", code: "malformed", message: evil },
    { type: evil, field: evil },
  ];
  for (const message of messages) {
    const text = renderIncoming(message, plain);
    assertEquals(/[\p{Cc}\p{Bidi_Control}]/u.test(text), false, text);
  }
});

Deno.test("renderIncoming() tells who says what to whom", () => {
  const said = { content: "hi", from: "ann", timestamp };
  const cases: [FromHub, string][] = [
    [{ type: "broadcast", ...said }, "ann: hi"],
    [{ type: "direct", ...said }, "ann to you: hi"],
    [{ type: "room_message", room: "r", ...said }, "#r ann: hi"],
    [
      { type: "gap", missed: 3 },
      "(3 messages were dropped: this client did not keep up)",
    ],
    [
      { type: "going_away", come_back_in_ms: 2500 },
      "The hub is going away; come back in 2.50 s",
    ],
    [{ type: "news", port: 1 }, 'news {"type":"news","port":1}'],
  ];
  for (const [message, text] of cases) {
    assertEquals(renderIncoming(message, plain), text);
  }
});

Deno.test("content() indents further lines and shows other values as JSON", () => {
  assertEquals(content("one\r\ntwo"), "one\n  two");
  assertEquals(content({ a: [1] }), '{"a":[1]}');
  assertEquals(content(null), "null");
  assertEquals(inline(undefined), "");
  assertEquals(inline("one\ntwo"), "one two");
});

Deno.test("others() counts in words", () => {
  assertEquals([0, 1, 1200].map(others), [
    "nobody else",
    "1 other",
    "1,200 others",
  ]);
});

Deno.test("renderRefusal() names the code", () => {
  assertEquals(renderRefusal("x", "no"), "The hub refuses: no (x)");
});
