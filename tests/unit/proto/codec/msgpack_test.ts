import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  msgpack,
  type MsgpackOptions,
} from "../../../../src/proto/codec/msgpack.ts";
import { UnknownExtension } from "../../../../src/proto/codec/msgpack_extensions.ts";
import { checkWire } from "../../../../src/proto/codec_kit.ts";
import {
  LocalProtocolError,
  type ProtocolErrorCode,
  RemoteProtocolError,
} from "../../../../src/proto/errors.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { lengthPrefixed } from "../../../../src/proto/framing/length_prefixed.ts";
import { raw } from "../../../../src/proto/framing/raw.ts";
import { hex } from "../../../support/three_ways.ts";

function decode(digits: string, options?: MsgpackOptions<unknown>): unknown {
  return msgpack(options).decode(hex(digits));
}

function encode(value: unknown, options?: MsgpackOptions<unknown>): string {
  return encodeFrame(raw(msgpack(options)), value).toHex();
}

function codeOf(
  frame: string | Uint8Array,
  options?: MsgpackOptions<unknown>,
): ProtocolErrorCode {
  const bytes = typeof frame === "string" ? hex(frame) : frame;
  const error = assertThrows(
    () => msgpack(options).decode(bytes),
    RemoteProtocolError,
  );
  assert(error.recoverable);
  return error.code;
}

function assertUnencodable(
  value: unknown,
  options?: MsgpackOptions<unknown>,
): void {
  const error = assertThrows(() => encode(value, options), LocalProtocolError);
  assertEquals(error.code, "unencodable");
  assert(error.recoverable);
}

Deno.test("msgpack() passes the codec kit", () => {
  const samples = [
    null,
    true,
    -1,
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    0.1,
    "",
    "é".repeat(300),
    [],
    {},
    new Uint8Array([0, 255]),
    new Date(1_700_000_000_123),
    new UnknownExtension(7, new Uint8Array([1, 2, 3])),
    { a: [1, { b: [[], new Uint8Array(300)] }], "": { c: "d" } },
  ];
  checkWire(lengthPrefixed(msgpack()), samples);
});

Deno.test("msgpack() hands out binaries that outlive the receive buffer", () => {
  const frame = hex("92 c402 0102 c70205 0304");
  const [binary, extension] = msgpack<[Uint8Array, UnknownExtension]>()
    .decode(frame);
  frame.fill(0);
  assertEquals(binary, hex("0102"));
  assertEquals(extension.data, hex("0304"));
});

Deno.test("msgpack() writes a Date as timestamp in its three sizes", () => {
  const cases: [string, string][] = [
    ["1970-01-01T00:00:00.000Z", "d6ff00000000"],
    ["2018-01-02T03:04:05.000Z", "d6ff5a4af6a5"],
    ["2018-01-02T03:04:05.678Z", "d7ffa1a5d6005a4af6a5"],
    ["1900-01-01T00:00:00.001Z", "c70cff000f4240ffffffff7c558180"],
  ];
  for (const [date, bytes] of cases) {
    assertEquals(encode(new Date(date)), bytes);
    assertEquals(decode(bytes), new Date(date));
  }
});

Deno.test("msgpack() refuses dates out of range, both ways", () => {
  assertUnencodable(new Date(NaN));
  assertEquals(codeOf("c70cff 00000000 7fffffffffffffff"), "malformed");
  assertEquals(codeOf("d5ff 0000"), "malformed");
});

Deno.test("msgpack() carries the application's extensions", () => {
  class Money {
    constructor(readonly cents: number) {}
  }
  const extensions = [{
    type: 1,
    encode: (value: unknown) =>
      value instanceof Money ? Uint8Array.of(value.cents) : undefined,
    decode: ([cents]: Uint8Array) => {
      if (cents === 0) throw new Error("Free");
      return new Money(cents!);
    },
  }];
  const bytes = encode({ price: new Money(99) }, { extensions });
  assertEquals(bytes, "81a57072696365d40163");
  assertEquals(decode(bytes, { extensions }), { price: new Money(99) });
  assertEquals(codeOf("d40100", { extensions }), "malformed");
});

Deno.test("msgpack() keeps extensions that it does not know", () => {
  const extension = decode("d4fe63");
  assertEquals(extension, new UnknownExtension(-2, hex("63")));
  assertEquals(encode(extension), "d4fe63");
});

Deno.test("msgpack() throws RangeError when an extension has no free number", () => {
  const extension = (type: number) => ({
    type,
    encode: () => undefined,
    decode: () => 0,
  });
  for (const types of [[-1], [128], [1.5], [3, 3]]) {
    assertThrows(
      () => msgpack({ extensions: types.map(extension) }),
      RangeError,
    );
  }
});

Deno.test("msgpack() refuses integers beyond 2^53, unless they may be bigints", () => {
  assertEquals(decode("cf001fffffffffffff"), 2 ** 53 - 1);
  assertEquals(decode("d3ffe0000000000001"), -(2 ** 53 - 1));
  for (const bytes of ["cf0020000000000000", "d3ffdfffffffffffff"]) {
    assertEquals(codeOf(bytes), "malformed");
  }
  const options = { useBigInt64: true };
  assertEquals(decode("cfffffffffffffffff", options), 2n ** 64n - 1n);
  assertEquals(decode("d38000000000000000", options), -(2n ** 63n));
});

Deno.test("msgpack() writes bigints of 64 bits and never cuts one", () => {
  const options = { useBigInt64: true };
  assertEquals(encode(2n ** 64n - 1n, options), "cfffffffffffffffff");
  assertEquals(encode(-(2n ** 63n), options), "d38000000000000000");
  for (const value of [2n ** 64n, -(2n ** 63n) - 1n]) {
    assertUnencodable(value, options);
    assertUnencodable({ a: [value] }, options);
  }
  assertUnencodable(1n);
});

Deno.test("msgpack() makes texts of number keys and refuses other keys", () => {
  assertEquals(decode("820102 a16103"), { "1": 2, a: 3 });
  assertEquals(decode("81cf000000000000000102", { useBigInt64: true }), {
    "1": 2,
  });
  for (const key of ["c0", "c3", "90", "80", "c40101", "d4ff00"]) {
    assertEquals(codeOf(`81${key}01`), "malformed");
  }
});

Deno.test("msgpack() refuses keys that reach for prototypes", () => {
  const proto = "a95f5f70726f746f5f5f";
  const constructorKey = "ab636f6e7374727563746f72";
  const prototype = "a970726f746f74797065";
  assertEquals(codeOf(`81${proto}01`), "forbidden_key");
  assertEquals(codeOf(`81d909${proto.slice(2)}01`), "forbidden_key");
  assertEquals(codeOf(`91 82 a16101 a162 81${proto}80`), "forbidden_key");
  assertEquals(
    codeOf(`81${constructorKey}81${prototype}80`),
    "forbidden_key",
  );
  assertEquals(decode(proto), "__proto__");
  assertEquals(decode(`81a161${proto}`), { a: "__proto__" });
  const harmless: unknown = JSON.parse('{"constructor":1}');
  assertEquals(decode(`81${constructorKey}01`), harmless);
});

Deno.test("msgpack() leaves out undefined, and refuses what it cannot say", () => {
  assertEquals(encode({ a: undefined, b: 1 }), "81a16201");
  const cycle: unknown[] = [];
  cycle.push(cycle);
  for (const value of [undefined, Symbol(), () => 1, cycle]) {
    assertUnencodable(value);
  }
});

Deno.test("msgpack() writes as deep as it reads", () => {
  const nested = (depth: number): unknown =>
    depth === 0 ? 1 : [nested(depth - 1)];
  const options = { limits: { maxDepth: 5 } };
  const bytes = encode(nested(5), options);
  assertEquals(decode(bytes, options), nested(5));
  assertUnencodable(nested(6), options);
});

Deno.test("msgpack() goes on after errors and after large messages", () => {
  const codec = msgpack();
  const wire = raw(codec);
  const large = new Uint8Array(2_000_000);
  assertEquals(encodeFrame(wire, large).length, 2_000_005);
  assertThrows(() => encodeFrame(wire, [Symbol()]));
  assertThrows(() => codec.decode(hex("81c001")));
  assertEquals(codec.decode(encodeFrame(wire, { a: [1] })), { a: [1] });
});
