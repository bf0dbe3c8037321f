import { assertEquals, assertThrows } from "@std/assert";
import { msgpack } from "../../../../src/proto/codec/msgpack.ts";
import {
  type MsgpackFindings,
  scanMsgpack,
} from "../../../../src/proto/codec/msgpack_scan.ts";
import {
  resolveWorkLimits,
  type WorkLimits,
} from "../../../../src/proto/codec/work_limits.ts";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import { hex } from "../../../support/three_ways.ts";

function scan(
  frame: string | Uint8Array,
  limits: WorkLimits = {},
): MsgpackFindings {
  const bytes = typeof frame === "string" ? hex(frame) : frame;
  return scanMsgpack(bytes, resolveWorkLimits(limits), false);
}

function codeOf(frame: string | Uint8Array, limits?: WorkLimits): string {
  return assertThrows(() => scan(frame, limits), RemoteProtocolError).code;
}

/** One value of each type, as hexadecimal digits. */
const VALUES = [
  "00",
  "7f",
  "e0",
  "ff",
  "c0",
  "c2",
  "c3",
  "ca 3f800000",
  "cb 3ff0000000000000",
  "cc ff",
  "cd ffff",
  "ce ffffffff",
  "cf 0000ffffffffffff",
  "d0 80",
  "d1 8000",
  "d2 80000000",
  "d3 ffffffffffffffff",
  "a0",
  "a3 616263",
  "d9 01 61",
  "da 0001 61",
  "db 00000001 61",
  "c4 01 00",
  "c5 0001 00",
  "c6 00000001 00",
  "c7 01 05 00",
  "c8 0001 05 00",
  "c9 00000001 05 00",
  "d4 05 00",
  "d5 05 0000",
  "d6 05 00000000",
  "d7 05 0000000000000000",
  "d8 05 00000000000000000000000000000000",
  "90",
  "92 00 a0",
  "dc 0001 00",
  "dd 00000001 00",
  "80",
  "81 a0 00",
  "de 0001 a0 00",
  "df 00000001 a0 00",
];

Deno.test("scanMsgpack() accepts a value of every type, and lists of them", () => {
  for (const value of VALUES) scan(value);
  scan(`dc 00${VALUES.length.toString(16)} ${VALUES.join(" ")}`);
});

Deno.test("scanMsgpack() refuses every value that is cut off or goes on", () => {
  for (const value of VALUES) {
    const bytes = hex(value);
    for (let cut = 0; cut < bytes.length; cut++) {
      assertEquals(codeOf(bytes.subarray(0, cut)), "malformed");
    }
    assertEquals(codeOf(`${value} 00`), "malformed");
  }
});

Deno.test("scanMsgpack() refuses the byte that no type has", () => {
  assertEquals(codeOf("c1"), "malformed");
  assertEquals(codeOf("91 c1"), "malformed");
});

Deno.test("scanMsgpack() refuses texts that are not UTF-8, short and long", () => {
  assertEquals(codeOf("a1 80"), "malformed");
  assertEquals(codeOf("81 a1 ff 00"), "malformed");
  assertEquals(codeOf("a2 c3 28"), "malformed");
  const long = new Uint8Array(1003).fill(0x61);
  long.set(hex("da 03e8"));
  scan(long);
  long[1000] = 0x80;
  assertEquals(codeOf(long), "malformed");
});

Deno.test("scanMsgpack() tells what it found", () => {
  assertEquals(scan("91 c4 00").binary, true);
  assertEquals(scan("91 d4 05 00").binary, true);
  assertEquals(scan("91 a1 61").binary, false);
  const key = "ab636f6e7374727563746f72";
  assertEquals(scan(`81 ${key} 00`).constructorKey, true);
  assertEquals(scan(`91 ${key}`).constructorKey, false);
  assertEquals(scan(`81 a0 ${key}`).constructorKey, false);
});

Deno.test("scanMsgpack() knows keys from values at every level", () => {
  const proto = "a95f5f70726f746f5f5f";
  scan(`82 a161 ${proto} a162 92 ${proto} 81 a163 ${proto}`);
  assertEquals(codeOf(`82 a161 90 ${proto} 00`), "forbidden_key");
  assertEquals(codeOf(`82 a161 81a16200 ${proto} 00`), "forbidden_key");
  assertEquals(codeOf(`92 80 81 ${proto} 00`), "forbidden_key");
});

Deno.test("scanMsgpack() limits depth, nodes and bytes exactly", () => {
  scan("91 91 91 00", { maxDepth: 3 });
  assertEquals(codeOf("91 91 91 00", { maxDepth: 2 }), "too_complex");
  scan("91 91 90", { maxDepth: 3 });
  assertEquals(codeOf("91 91 90", { maxDepth: 2 }), "too_complex");
  scan("82 a161 00 a162 90", { maxNodes: 5 });
  assertEquals(codeOf("82 a161 00 a162 90", { maxNodes: 4 }), "too_complex");
  const text = "92 a4 61626364 c4 02 0000";
  scan(text, { maxDecodedBytes: 3 * 16 + 6 });
  assertEquals(codeOf(text, { maxDecodedBytes: 3 * 16 + 5 }), "too_complex");
});

Deno.test("scanMsgpack() refuses bombs before a decoder sees them", () => {
  const headers = new Uint8Array(10_000);
  for (let at = 0; at < headers.length; at += 5) {
    headers.set(hex("dd 000f4240"), at);
  }
  assertEquals(codeOf(headers), "too_complex");
  const small = { maxNodes: 2 ** 40, maxDepth: 10_000 };
  assertEquals(codeOf(headers, small), "malformed");
  assertEquals(codeOf(new Uint8Array(72_000).fill(0x91)), "too_complex");
  assertEquals(codeOf(new Uint8Array(72_000).fill(0x81)), "too_complex");
  for (const head of ["dd", "df", "db", "c6", "c9"]) {
    const big = { maxNodes: 2 ** 40, maxDecodedBytes: 2 ** 50 };
    assertEquals(codeOf(`${head} ffffffff`, big), "malformed");
  }
});

Deno.test("scanMsgpack() takes linear time for a megabyte of the worst", () => {
  const bytes = new Uint8Array(1 << 20);
  const limits = {
    maxNodes: 1 << 21,
    maxDepth: 1 << 21,
    maxDecodedBytes: 2 ** 40,
  };
  bytes.fill(0x91);
  bytes[bytes.length - 1] = 0x90;
  scan(bytes, limits);
  bytes.fill(0x90);
  bytes.set(hex("dd 000ffffb"));
  scan(bytes, limits);
});

Deno.test("scanMsgpack() accepts only what the decoder can read", () => {
  const codec = msgpack();
  // Every one and two byte frame.
  for (let first = 0; first < 256; first++) {
    for (let second = -1; second < 256; second++) {
      const bytes = second < 0
        ? Uint8Array.of(first)
        : Uint8Array.of(first, second);
      try {
        codec.decode(bytes);
      } catch (error) {
        if (!(error instanceof RemoteProtocolError)) throw error;
      }
    }
  }
});
