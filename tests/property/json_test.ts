import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { json } from "../../src/proto/codec/json.ts";
import type { WorkLimits } from "../../src/proto/codec/work_limits.ts";
import { RemoteProtocolError } from "../../src/proto/errors.ts";
import { encodeFrame } from "../../src/proto/frame_writer.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { FrameReader } from "../../src/proto/frame_reader.ts";
import { checkProperty, fc } from "../support/property.ts";

const KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "a",
  "[",
  '"',
  "\\",
  "\n",
];
const { value: anyJson } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, 0, -1.5, "]]", '\\"{', "é", "__proto__"),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(fc.constantFrom(...KEYS), tie("value")), {
      maxLength: 3,
    }).map((pairs) => Object.fromEntries(pairs)),
  ),
}));

/** The same keys and texts, with every character escaped, and space around. */
function spellOut(text: string): string {
  return text.replaceAll(/"(?:[^"\\]|\\.)*"/g, (token) => {
    const plain: string = JSON.parse(token);
    const units = Array.from(
      { length: plain.length },
      (_, i) => "\\u" + plain.charCodeAt(i).toString(16).padStart(4, "0"),
    );
    return ` "${units.join("")}"\t`;
  });
}

/** The dumb model of what is forbidden. */
function isForbidden(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const inner = Object.getOwnPropertyDescriptor(value, "constructor")?.value;
  return Object.hasOwn(value, "__proto__") ||
    typeof inner === "object" && inner !== null &&
      Object.hasOwn(inner, "prototype") ||
    Object.values(value).some(isForbidden);
}

/** The dumb model of the work of a value. */
function measure(value: unknown): { depth: number; nodes: number } {
  if (typeof value !== "object" || value === null) {
    return { depth: 0, nodes: 1 };
  }
  const items = Object.values(value).map(measure);
  const keys = Array.isArray(value) ? 0 : items.length;
  return {
    depth: 1 + Math.max(0, ...items.map((item) => item.depth)),
    nodes: items.reduce((sum, item) => sum + item.nodes, 1 + keys),
  };
}

function outcome(text: string, limits: WorkLimits = {}): unknown {
  try {
    return { value: json({ limits }).decode(new TextEncoder().encode(text)) };
  } catch (error) {
    assert(error instanceof RemoteProtocolError && error.recoverable);
    return error.code;
  }
}

Deno.test("json() reads what JSON.stringify wrote, except for forbidden keys", () => {
  checkProperty(anyJson, (value) => {
    const expected = isForbidden(value) ? "forbidden_key" : { value };
    const text = JSON.stringify(value);
    assertEquals(outcome(text), expected);
    assertEquals(outcome(spellOut(text)), expected);
  }, 1000);
});

Deno.test("json() limits depth and nodes to the number of the dumb model", () => {
  checkProperty(anyJson, (value) => {
    if (isForbidden(value)) return;
    const { depth, nodes } = measure(value);
    const text = JSON.stringify(value);
    const exact = { maxDepth: Math.max(1, depth), maxNodes: nodes };
    assertEquals(outcome(text, exact), { value });
    if (depth > 1) {
      assertEquals(outcome(text, { maxDepth: depth - 1 }), "too_complex");
    }
    if (nodes > 1) {
      assertEquals(outcome(text, { maxNodes: nodes - 1 }), "too_complex");
    }
  }, 1000);
});

Deno.test("json() gives back every JSON value that it has written and may read", () => {
  checkProperty(fc.jsonValue(), (value) => {
    if (isForbidden(value)) return;
    const wire = lengthPrefixed(json());
    const text = JSON.stringify(value);
    const [received] = new FrameReader(wire).push(encodeFrame(wire, value));
    assertEquals(JSON.stringify(received), text);
  });
});

Deno.test("json() answers random bytes as a fatal decoder and JSON.parse do", () => {
  const pieces = ['"', "[", "]", "{", "}", ",", ":", "1", "\\", " ", "\uFFFD"];
  const hostile = fc.array(
    fc.oneof(
      fc.constantFrom(...pieces.map((text) => new TextEncoder().encode(text))),
      fc.uint8Array({ maxLength: 2 }),
    ),
  ).map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));
  const fatal = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  checkProperty(hostile, (bytes) => {
    let expected: unknown;
    try {
      expected = JSON.parse(fatal.decode(bytes));
    } catch {
      expected = "malformed";
    }
    let actual: unknown;
    try {
      actual = json().decode(bytes);
    } catch (error) {
      assert(error instanceof RemoteProtocolError);
      actual = error.code;
    }
    // JSON.parse itself may mistake keys that have a backslash.
    if (expected !== "malformed" && bytes.includes(0x5c)) {
      assertNotEquals(actual, "malformed");
    } else {
      assertEquals(actual, expected);
    }
  }, 3000);
});
