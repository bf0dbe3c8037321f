import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { json, type JsonOptions } from "../../../../src/proto/codec/json.ts";
import { checkWire } from "../../../../src/proto/codec_kit.ts";
import {
  LocalProtocolError,
  type ProtocolErrorCode,
  RemoteProtocolError,
} from "../../../../src/proto/errors.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { lengthPrefixed } from "../../../../src/proto/framing/length_prefixed.ts";
import { raw } from "../../../../src/proto/framing/raw.ts";
import { hex, utf8 } from "../../../support/three_ways.ts";

function decode(text: string, options?: JsonOptions<unknown>): unknown {
  return json(options).decode(utf8(text));
}

function codeOf(
  text: string | Uint8Array,
  options?: JsonOptions<unknown>,
): ProtocolErrorCode {
  const bytes = typeof text === "string" ? utf8(text) : text;
  const error = assertThrows(
    () => json(options).decode(bytes),
    RemoteProtocolError,
  );
  assert(error.recoverable);
  return error.code;
}

Deno.test("json() passes the codec kit", () => {
  const samples = [
    null,
    0,
    "",
    [],
    {},
    '\u0000"\\\n\u2028😀',
    { type: "echo", content: "x".repeat(64), list: [1, -1.5e300, [[]], {}] },
    Array.from({ length: 100 }, (_, id) => ({ id, tags: ["a"] })),
  ];
  checkWire(lengthPrefixed(json()), samples);
});

Deno.test("json() refuses malformed text as recoverable, with its cause", () => {
  for (const text of ["", "{", "[1,]", "nul", "{'a':1}", "1 2", "\uFEFF{}"]) {
    assertEquals(codeOf(text), "malformed");
  }
  const error = assertThrows(() => decode("["), RemoteProtocolError);
  assertInstanceOf(error.cause, SyntaxError);
});

Deno.test("json() quotes nothing of malformed text, which may hold a password", () => {
  for (
    const text of [
      '{"user":"ada","password":hunter2}',
      "hunter2",
      'hunter2" is not valid JSON, "hunter2',
      '"hunter2\n',
    ]
  ) {
    const error = assertThrows(
      () => json().decode(utf8(text)),
      RemoteProtocolError,
    );
    assert(!error.message.includes("unter2"), error.message);
  }
});

Deno.test("json() refuses malformed UTF-8", () => {
  assertEquals(codeOf(hex("22 80 22")), "malformed");
  assertEquals(codeOf(hex("22 c3 22")), "malformed");
  assertEquals(decode('"\uFFFD"'), "\uFFFD");
});

Deno.test("json() refuses __proto__ keys in every spelling", () => {
  for (
    const text of [
      '{"__proto__":1}',
      '{"a":[{"b":{"__proto__":{"x":1}}}]}',
      '{"__proto__" : {}}',
      String.raw`{"\u005f_proto__":1}`,
      String.raw`{"__\u0070roto__":1}`,
      String.raw`{"\u005F\u005f\u0070\u0072\u006f\u0074\u006F\u005f\u005f":1}`,
      '{"constructor":{"prototype":{}}}',
      String.raw`{"c\u006fnstructor":{"a":1,"prot\u006ftype":1}}`,
    ]
  ) assertEquals(codeOf(text), "forbidden_key");
});

Deno.test("json() accepts what only looks like a forbidden key", () => {
  for (
    const text of [
      '"__proto__"',
      '["__proto__",{"a":"__proto__"}]',
      '{"__proto":1,"proto__":2}',
      String.raw`{"a":"\"__proto__\":1"}`,
      '{"constructor":1}',
      '{"constructor":{"name":"x"}}',
      '{"prototype":{"constructor":1}}',
    ]
  ) assertEquals(decode(text), JSON.parse(text));
  assertEquals(Object.getPrototypeOf(decode("{}")), Object.prototype);
});

Deno.test("json() does not take a key for one with a backslash seen before", () => {
  const keys = ["\\", "\n", '"', "é", "\\\\", "\\n", '\\"', '"x', "a\\", "a/"];
  const spell = (key: string): string =>
    JSON.stringify(key).replace("é", "\\u00e9").replace("/", "\\/");
  for (const before of keys) {
    for (const key of keys) {
      const first = `${before.length}${before}/${key}`;
      const start = `{${JSON.stringify(first)}:1,`;
      decode(`${start}${spell(before)}:1}`);
      const value = decode(`${start} ${spell(key)}\t:[{"a":"\\"b\\":"}]}`);
      assertEquals(value, { [first]: 1, [key]: [{ a: '"b":' }] });
    }
  }
});

Deno.test("json() limits depth exactly", () => {
  const nested = (depth: number): string =>
    "[".repeat(depth) + "]".repeat(depth);
  const objects = (depth: number): string =>
    '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
  for (const make of [nested, objects]) {
    decode(make(64));
    assertEquals(codeOf(make(65)), "too_complex");
    decode(make(3), { limits: { maxDepth: 3 } });
    assertEquals(codeOf(make(4), { limits: { maxDepth: 3 } }), "too_complex");
  }
  decode(`[${nested(63)},${nested(63)},"${"[{".repeat(500)}"]`);
});

Deno.test("json() looks for depth outside of strings only", () => {
  const limits = { maxDepth: 2 };
  const text = String.raw`{"[[[[":["\"[[[[","{{{{\\"],"a":[1],"b":[2]}`;
  assertEquals(decode(text, { limits }), JSON.parse(text));
  const deep = String.raw`{"]]]]":["\"]]]]",[1]]}`;
  assertEquals(codeOf(deep, { limits }), "too_complex");
});

Deno.test("json() limits nodes exactly", () => {
  const cases: [string, number][] = [
    ["[1,2,3]", 4],
    ['{"a":1,"b":[]}', 5],
    ["[[],{},[[]]]", 5],
    ["[[1],[2,3]]", 6],
  ];
  for (const [text, nodes] of cases) {
    decode(text, { limits: { maxNodes: nodes } });
    assertEquals(
      codeOf(text, { limits: { maxNodes: nodes - 1 } }),
      "too_complex",
    );
  }
});

Deno.test("json() limits estimated bytes exactly", () => {
  const text = '["abcd",1]';
  decode(text, { limits: { maxDecodedBytes: 52 } });
  assertEquals(
    codeOf(text, { limits: { maxDecodedBytes: 51 } }),
    "too_complex",
  );
});

Deno.test("json() refuses a megabyte of brackets without building it", () => {
  const half = 500_000;
  assertEquals(codeOf("[".repeat(half) + "]".repeat(half)), "too_complex");
  assertEquals(codeOf("[".repeat(2 * half)), "too_complex");
  assertEquals(codeOf('{"":'.repeat(half / 4)), "too_complex");
  assertEquals(codeOf("[" + "[],".repeat(200_000) + "1]"), "too_complex");
});

Deno.test("json() refuses values without JSON as recoverable, with a cause", () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const wire = raw(json());
  for (const value of [undefined, () => 1, Symbol(), 1n, [1n], cycle]) {
    const error = assertThrows(
      () => encodeFrame(wire, value),
      LocalProtocolError,
    );
    assertEquals(error.code, "unencodable");
    assert(error.recoverable);
  }
  const error = assertThrows(() => encodeFrame(wire, cycle));
  assertInstanceOf(error, LocalProtocolError);
  assertInstanceOf(error.cause, TypeError);
});
